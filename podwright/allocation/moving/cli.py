"""`podwright lease export`, `import` and `import-netbox`: moving leases."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from podwright import report
from podwright.allocation.changes import Change, diff
from podwright.allocation.database import Database
from podwright.allocation.history import this_run
from podwright.allocation.moving.netbox import import_netbox
from podwright.allocation.moving.transfer import export, import_
from podwright.errors import InvalidInput, Mistake
from podwright.options import Check, DatabaseOption, Inventory, database_of
from podwright.runner import ExitCode


def register(app: typer.Typer) -> None:
    """Add the commands to the app of `podwright lease`."""
    app.command(name="export")(export_command)
    app.command(name="import")(import_command)
    app.command(name="import-netbox")(import_netbox_command)


def export_command(
    inventory: Inventory = None,
    database: DatabaseOption = None,
    to: Annotated[Path | None, typer.Option(help="The file to write; standard output without it.")] = None,
) -> None:
    """Write all that a database holds as YAML that a person can review and `import` takes."""
    with Database(database_of(inventory, database)) as opened:
        text = export(opened)
    if to is None:
        sys.stdout.write(text)
    else:
        try:
            to.write_text(text, encoding="utf-8")
        except OSError as error:
            remedy = f"{error.strerror}: give a path that can be written"
            raise InvalidInput([Mistake("--to", None, "", str(to), "a file", remedy)]) from error


def import_command(
    file: Annotated[Path, typer.Argument(help="What `export` wrote.")],
    inventory: Inventory = None,
    database: DatabaseOption = None,
    check: Check = False,
) -> None:
    """Put exported leases into a database, all or none; what is there already is left alone."""
    text = _text(file)
    with Database(database_of(inventory, database), this_run(f"import {file.name}")) as opened:
        imported = import_(opened, text, preview=check, file=str(file))
    _show([*imported.leases, *imported.placements, *imported.volumes])
    counts = {
        "pools": len(imported.pools),
        "leases": len(imported.leases),
        "placements": len(imported.placements),
        "volumes": len(imported.volumes),
        "devices": len(imported.devices),
        "entries of the history": imported.history,
    }
    report.say(f"{_verb(check)} {', '.join(f'{count} {noun}' for noun, count in counts.items())}")
    if imported.history_left_out:
        report.say(f"left out {imported.history_left_out} entries of the history: the database has its own")
    raise typer.Exit(ExitCode.CHANGED if imported.changed else ExitCode.IN_SYNC)


def import_netbox_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="NetBox's VLANs and prefixes, CSV or JSON.")],
    places: Annotated[
        list[str],
        typer.Option("--map", metavar="PLACE=SCOPE", help="A VLAN group or site and where it is: dc1=east/p1."),
    ],
    inventory: Inventory = None,
    database: DatabaseOption = None,
    check: Check = False,
) -> None:
    """Lease to accounts what NetBox says that its tenants have, all or nothing."""
    texts = {str(file): _text(file) for file in files}
    scopes = {place: scope for place, _, scope in (each.rpartition("=") for each in places)}
    command = f"import-netbox {' '.join(file.name for file in files)}"
    with Database(database_of(inventory, database), this_run(command)) as opened:
        imported = import_netbox(opened, texts, scopes, preview=check)
    for skipped in imported.skipped:
        report.say(str(skipped))
    if imported.conflicts:
        raise InvalidInput(imported.conflicts)
    _show(imported.leases)
    report.say(f"{_verb(check)} {len(imported.leases)} leases, skipped {len(imported.skipped)}")
    raise typer.Exit(ExitCode.CHANGED if imported.leases else ExitCode.IN_SYNC)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput([Mistake(str(file), None, "", "this", "a readable file", f"{reason}: name one")]) from error


def _show(changes: Sequence[Change]) -> None:
    sys.stdout.write(diff(changes)["after"])


def _verb(check: bool) -> str:
    return "would import" if check else "imported"
