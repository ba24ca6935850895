"""Options that several commands have, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_INVENTORY = Path("inventories/lab/cloud.yml")

Check = Annotated[bool, typer.Option("--check", help="Change nothing; say what would change.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for machines.")]


def cloud_file(inventory: Path) -> Path:
    """The file that declares a cloud, given that file or its directory."""
    return inventory / "cloud.yml" if inventory.is_dir() else inventory
