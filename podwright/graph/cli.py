"""`podwright graph`: a picture of the cloud."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from podwright.allocation import allocate
from podwright.errors import InvalidInput, Mistake
from podwright.model import load
from podwright.options import DEFAULT_INVENTORY, CloudInventory, cloud_file


def graph_command(
    inventory: CloudInventory = DEFAULT_INVENTORY,
    to: Annotated[Path | None, typer.Option(help="The file to write; standard output without it.")] = None,
) -> None:
    """Draw the cloud as SVG: zones, pods, devices, cables, and whose machines run where; reaches no device."""
    # The library has a class for each element of SVG, which take a tenth of a second to import.
    from podwright.graph.drawing import draw
    from podwright.graph.layout import lay_out

    cloud = load(cloud_file(inventory))
    picture = draw(lay_out(cloud, allocate(cloud, preview=True).leases))
    if to is None:
        sys.stdout.write(picture)
        return
    try:
        to.write_text(picture, encoding="utf-8")
    except OSError as error:
        remedy = f"{error.strerror}: give a path that can be written"
        raise InvalidInput([Mistake("--to", None, "", str(to), "a file", remedy)]) from error
