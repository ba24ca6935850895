"""`podwright prove`: whether configurations keep apart who must be apart."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from podwright import plan_files
from podwright.model import load
from podwright.options import DEFAULT_INVENTORY, CloudInventory, Json, cloud_file, invalid_input_told
from podwright.rendering import rendered_files
from podwright.report import console
from podwright.runner import ExitCode

if TYPE_CHECKING:
    from podwright.proof.cloud import Proof

ConfigurationsDirectory = Annotated[
    Path | None,
    typer.Option(
        "--configurations",
        exists=True,
        file_okay=False,
        metavar="DIRECTORY",
        help="A directory for each device, as `podwright collect` fills; left out, what `podwright plan` rendered.",
    ),
]


def prove_command(
    inventory: CloudInventory = DEFAULT_INVENTORY,
    configurations: ConfigurationsDirectory = None,
    as_json: Json = False,
) -> None:
    """Prove from the devices' configurations that customers are apart from each other; reaches no device."""
    # networkx takes a fifth of a second to import, which no other command shall pay.
    from podwright.proof.cloud import prove

    declaration = cloud_file(inventory)
    with invalid_input_told(as_json):
        cloud = load(declaration)
    directory = configurations
    if directory is None:
        directory = rendered_files.rendered_directory(cloud.state_directory)
        rendered_files.check(directory, plan_files.sources_digest(declaration))
    proof = prove(cloud, rendered_files.read(directory))
    code = ExitCode.IN_SYNC if proof.holds else ExitCode.CHANGED
    if as_json:
        document = {
            "exit_code": int(code),
            "status": "proved" if proof.holds else "refuted",
            "configurations": str(directory),
            **asdict(proof),
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        _show(proof, directory)
    raise typer.Exit(code)


def _show(proof: Proof, directory: Path) -> None:
    for finding in proof.findings:
        console.print(Text(f"{finding.claim}: {finding.statement}", style="bold red"), soft_wrap=True)
        for number, step in enumerate(finding.path):
            console.print(Text(f"    {'-> ' if number else ''}{step}"), soft_wrap=True)
    owners = ", ".join(f"{kind} {count}" for kind, count in proof.owners.items())
    read = f"over {proof.devices} devices in {directory}: {owners}"
    if proof.holds:
        console.print(Text(f"proved {read}", style="bold green"), soft_wrap=True)
    else:
        console.print(Text(f"refuted, {len(proof.findings)} findings {read}", style="bold red"), soft_wrap=True)
