"""Options that several commands have, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podwright.model import load

DEFAULT_INVENTORY = Path("inventories/lab/cloud.yml")

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
