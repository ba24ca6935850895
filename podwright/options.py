"""Options that several commands have, and what they stand for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from podwright.errors import InvalidInput
from podwright.model import load
from podwright.runner import ExitCode, invalid_report

DEFAULT_INVENTORY = Path("inventories/lab/cloud.yml")

CloudInventory = Annotated[
    Path,
    typer.Option(
        "--inventory", "-i", envvar="PODWRIGHT_INVENTORY", exists=True, help="The cloud: cloud.yml, or its directory."
    ),
]
Inventory = Annotated[
    Path | None,
    typer.Option(
        "--inventory",
        "-i",
        envvar="PODWRIGHT_INVENTORY",
        show_default=str(DEFAULT_INVENTORY),
        help="The cloud whose database it is: cloud.yml, or its directory.",
    ),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", envvar="PODWRIGHT_DATABASE", help="The database instead of an inventory's: a path or a URL."
    ),
]
Check = Annotated[bool, typer.Option("--check", help="Change nothing; say what would change.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for machines.")]


def cloud_file(inventory: Path) -> Path:
    """The file that declares a cloud, given that file or its directory."""
    return inventory / "cloud.yml" if inventory.is_dir() else inventory


@contextmanager
def invalid_input_told(as_json: bool) -> Iterator[None]:
    """Tell of a wrong declaration as the caller wants it: as a JSON document, or else in words by whoever catches it.

    Raises:
        InvalidInput: the declaration is wrong, and it is for people.
    """
    try:
        yield
    except InvalidInput as error:
        if not as_json:
            raise
        sys.stdout.write(invalid_report(error) + "\n")
        raise typer.Exit(ExitCode.INVALID) from error


def declared_file(inventory: Path | None) -> Path:
    """The file that declares the cloud that is meant, the lab's where nobody names one.

    Raises:
        BadParameter: there is no such file.
    """
    file = cloud_file(inventory or DEFAULT_INVENTORY)
    if not file.exists():
        raise typer.BadParameter(f"{file} does not exist; give --inventory or --database")
    return file


def database_of(inventory: Path | None, database: str | None) -> str:
    """The database that is meant: the one that is named, or that of the inventory's cloud.

    Raises:
        BadParameter: there is no such inventory.
        InvalidInput: its declaration is wrong.
    """
    return database or load(declared_file(inventory)).database
