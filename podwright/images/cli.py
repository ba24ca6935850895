"""`podwright image`: disks that machines and routing appliances start from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from podwright import report
from podwright.images import routing_appliance, tiny
from podwright.images.debian import Report

app = typer.Typer(help="Disks that machines and routing appliances start from.", no_args_is_help=True)


class Image(StrEnum):
    """The images that podwright can build."""

    ROUTING_APPLIANCE = "routing-appliance"
    TINY = "tiny"


_BUILDERS: dict[Image, Callable[[Report], dict[str, Path]]] = {
    Image.ROUTING_APPLIANCE: routing_appliance.build,
    Image.TINY: tiny.build,
}


@app.command()
def build(
    image: Annotated[Image, typer.Argument(help="Which one.")],
    to: Annotated[Path, typer.Option(help="The directory to put its files in.")] = Path(),
) -> None:
    """Build an image from Debian's packages and put its files into a directory. Needs root and mmdebstrap."""
    to.mkdir(parents=True, exist_ok=True)
    for name, file in _BUILDERS[image](report.say).items():
        shutil.copy2(file, to / name)
        report.console.print(str(to / name), soft_wrap=True, highlight=False)
