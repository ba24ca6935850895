"""Options that several commands have, and what they stand for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from podwright.errors import InvalidInput
from podwright.runner import ExitCode, invalid_report

DEFAULT_INVENTORY = Path("inventories/lab/cloud.yml")

Inventory = Annotated[
    Path,
    typer.Option(
        "--inventory", "-i", envvar="PODWRIGHT_INVENTORY", exists=True, help="The cloud: cloud.yml, or its directory."
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
