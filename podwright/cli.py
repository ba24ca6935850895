"""The command `podwright`: for operators' shells and CI jobs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import Abort, TyperException

from podwright import report
from podwright.allocation.cli import app as lease
from podwright.allocation.moving import cli as moving
from podwright.errors import PodwrightError
from podwright.graph.cli import graph_command
from podwright.images.cli import app as image
from podwright.lab.cli import app as lab
from podwright.model import load
from podwright.options import DEFAULT_INVENTORY, Check, CloudInventory, Json, cloud_file, invalid_input_told
from podwright.proof.cli import prove_command
from podwright.rendering.cli import note_rendered, show_comparison
from podwright.runner import ExitCode, Order, Run, run

app = typer.Typer(
    name="podwright",
    help="Turns racks of switches, storage and servers into a multi-tenant private cloud.",
    epilog="Exit codes: 0 in sync, 2 changed or drifted, 3 failed, 4 invalid input.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(lab, name="lab")
app.add_typer(image, name="image")
moving.register(lease)
app.add_typer(lease, name="lease")
app.command(name="prove")(prove_command)
app.command(name="graph")(graph_command)


class Stage(StrEnum):
    """The stages of a deployment, each a playbook of its own."""

    SITE = "site"
    PLAN = "plan"
    FIREWALLS = "firewalls"
    NETWORK = "network"
    STORAGE = "storage"
    HYPERVISORS = "hypervisors"
    APPLIANCES = "appliances"
    MACHINES = "machines"


Limit = Annotated[str | None, typer.Option(help="Only these hosts or groups, as ansible-playbook takes them.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show every change, before and after.")]
Report = Annotated[Path | None, typer.Option(help="Also write the JSON document to this file.")]


@app.command()
def deploy(
    inventory: CloudInventory = DEFAULT_INVENTORY,
    stage: Annotated[Stage, typer.Option(help="One stage alone.")] = Stage.SITE,
    limit: Limit = None,
    check: Check = False,
    diff: Diff = False,
    confirm_removal: Annotated[
        bool, typer.Option("--confirm-removal", help="Destroy the disks of machines that are no longer declared.")
    ] = False,
    confirm_lost_hypervisors: Annotated[
        bool,
        typer.Option("--confirm-lost-hypervisors", help="Hypervisors taken out of the inventory are dead for good."),
    ] = False,
    confirm_lost_storage_servers: Annotated[
        bool,
        typer.Option(
            "--confirm-lost-storage-servers",
            help="Storage servers taken out of the inventory are dead for good, and all disks on them.",
        ),
    ] = False,
    confirm_lost_devices: Annotated[
        bool, typer.Option("--confirm-lost-devices", help="Devices taken out of the inventory carry nothing any more.")
    ] = False,
    report_file: Report = None,
    as_json: Json = False,
) -> None:
    """Make the devices what the inventory says."""
    confirmed = {
        "podwright_confirm_removal": confirm_removal,
        "podwright_confirm_lost_hypervisors": confirm_lost_hypervisors,
        "podwright_confirm_lost_storage_servers": confirm_lost_storage_servers,
        "podwright_confirm_lost_devices": confirm_lost_devices,
    }
    variables = {name: True for name, said in confirmed.items() if said}
    _run(Order(f"podwright.cloud.{stage}", cloud_file(inventory), check, diff, limit, variables), as_json, report_file)


@app.command()
def plan(
    inventory: CloudInventory = DEFAULT_INVENTORY,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REVISION",
            help="Show instead what differs on devices, in their own syntax, from the inventory at a git revision.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a deployment would plan differently from the last one; touches no device.

    Also renders every device's configuration, in its own syntax, below the state directory.
    """
    declaration = cloud_file(inventory)
    if against is not None:
        show_comparison(declaration, against, as_json)
    _run(
        Order("podwright.cloud.plan", declaration, check=True, diff=True),
        as_json,
        finish=lambda result: note_rendered(declaration, result),
    )


@app.command()
def verify(
    inventory: CloudInventory = DEFAULT_INVENTORY,
    limit: Limit = None,
    report_file: Report = None,
    as_json: Json = False,
) -> None:
    """Prove with packets that the cloud is what was planned; changes nothing."""
    _run(Order("podwright.cloud.verify", cloud_file(inventory), limit=limit), as_json, report_file)


@app.command()
def collect(
    inventory: CloudInventory = DEFAULT_INVENTORY,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY",
            help="Where to, a directory for each device; left out, `collected` below the state directory.",
        ),
    ] = None,
    limit: Limit = None,
    report_file: Report = None,
    as_json: Json = False,
) -> None:
    """Write down what every device runs with, for `podwright prove --configurations`; changes nothing."""
    variables = {} if to is None else {"podwright_collect_to": str(to.absolute())}
    _run(
        Order("podwright.cloud.collect", cloud_file(inventory), limit=limit, variables=variables), as_json, report_file
    )


def main() -> None:
    """Run the command; a mistake of the caller's or an error of ours is a message and an exit code, not a traceback."""
    try:
        sys.exit(app(standalone_mode=False))
    except TyperException as error:
        _complain(f"{error.format_message()} Try: podwright --help")
        sys.exit(ExitCode.INVALID)
    except Abort:
        sys.exit(ExitCode.FAILED)
    except PodwrightError as error:
        _complain(str(error))
        sys.exit(ExitCode.INVALID if error.is_invalid_input else ExitCode.FAILED)


def _complain(text: str) -> None:
    Console(stderr=True).print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def _run(
    order: Order, as_json: bool, report_file: Path | None = None, finish: Callable[[Run], None] | None = None
) -> None:
    """Run a playbook and, if it went well, what there is to `finish`; show what came of it, and exit."""
    _check(order.inventory, as_json)
    if as_json:
        result = run(order)
        _finish(result, finish)
        sys.stdout.write(result.to_json() + "\n")
    else:
        with report.progress() as on_progress:
            result = run(order, on_progress)
        _finish(result, finish)
        report.show(result)
    if report_file:
        report_file.write_text(result.to_json() + "\n")
    raise typer.Exit(result.exit_code)


def _finish(result: Run, finish: Callable[[Run], None] | None) -> None:
    if finish is not None and result.exit_code in (ExitCode.IN_SYNC, ExitCode.CHANGED):
        finish(result)


def _check(declaration: Path, as_json: bool) -> None:
    """Refuse a wrong declaration before Ansible starts, which would only say that it has no inventory."""
    with invalid_input_told(as_json):
        load(declaration)
