"""`podwright lease`: who has what, for how long still, and to have or to give up something by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from rich.table import Table

from podwright import report
from podwright.allocation import enquiry, told
from podwright.allocation import usage as usages
from podwright.allocation.changes import Record, diff
from podwright.allocation.database import Database, unix_time
from podwright.allocation.demand import pod_demands, usual_purpose, volume_demands
from podwright.allocation.enquiry import AnyPool, Only
from podwright.allocation.grant import Lease, State
from podwright.allocation.history import this_run
from podwright.allocation.placement import Capacity
from podwright.allocation.pools import KINDS, DeclaredPool, Pool, PoolName, divided
from podwright.allocation.repository import Repository
from podwright.allocation.single_pool import Asked, ask, ask_for_another
from podwright.allocation.spoken import parsed_value, ranges
from podwright.allocation.volumes import Server
from podwright.errors import AllocationError
from podwright.model import Cloud, load
from podwright.options import Check, DatabaseOption, Inventory, Json, database_of, declared_file
from podwright.runner import ExitCode

Result = TypeVar("Result")

app = typer.Typer(
    help="Who has which VLAN id, subnet, address or place, since when and from which run; and leases by hand.",
    epilog="Exit codes: 0 unchanged, 2 changed (usage --warn: fuller), 3 the database cannot be used, 4 refused.",
    no_args_is_help=True,
)

_POOLS = ", ".join(KINDS)

# More are listed as plain lines.
_ROWS_IN_TABLES = 500

OnlyPool = Annotated[
    AnyPool | None, typer.Option("--pool", metavar="POOL", help=f"Only this pool: {_POOLS}, placement, volume.")
]
OnlyLeases = Annotated[PoolName | None, typer.Option("--pool", metavar="POOL", help=f"Only this pool: {_POOLS}.")]
OnlyScope = Annotated[str | None, typer.Option("--scope", help="Only this scope, or a pattern such as 'east/*'.")]
OnlyHolder = Annotated[
    str | None, typer.Option("--holder", help="Only holders with this in their name, or a pattern such as 'acme/*'.")
]
OnePool = Annotated[PoolName, typer.Argument(metavar="POOL", help=f"One of {_POOLS}.")]
Scope = Annotated[
    str, typer.Argument(metavar="SCOPE", help="Where values are unique: <zone>/<pod>, <zone>, <account>/<network>.")
]
Holder = Annotated[
    str, typer.Argument(metavar="HOLDER", help="Who: <account>/<network> for networks, or the name of a domain.")
]
Purpose = Annotated[
    str | None, typer.Option(help="What for, where a holder has several; left out, what clouds use the pool for.")
]
Quarantine = Annotated[int, typer.Option(min=0, help="How many hours a value rests before another holder gets it.")]


@app.command("list")
def list_leases(
    pool: OnlyPool = None,
    scope: OnlyScope = None,
    holder: OnlyHolder = None,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    inventory: Inventory = None,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """List leases, placements and volumes, pool by pool."""
    only = Only(pool, scope, holder, state)
    records = _read(inventory, database, lambda repository: enquiry.records(repository, only, unix_time(None)))
    if as_json:
        _print_json({"leases": [enquiry.as_data(record) for record in records]})
    elif not records:
        report.console.print("no lease is like that")
    else:
        _print_records(records)


@app.command()
def explain(
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="A VLAN id, address, subnet, MAC address or other number.")
    ] = None,
    pool: OnlyLeases = None,
    scope: OnlyScope = None,
    holder: Annotated[
        str | None, typer.Option(help="Instead of a value: a holder by its whole name, or a pattern.")
    ] = None,
    inventory: Inventory = None,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """Tell who has a value, since when and from which run, and who had it; or what a holder has and had."""
    if (value is None) == (holder is None):
        raise typer.BadParameter("give a VALUE or --holder NAME, and not both")
    now = unix_time(None)
    if value is not None:
        found = _read(inventory, database, lambda each: enquiry.explained(each, value, pool, scope, now))
        data = {"values": [_found_as_data(each) for each in found]}
        lines = told.explanation(found)
    else:
        if pool or scope:
            raise typer.BadParameter("--holder looks in every pool; leave --pool and --scope out")
        holding = _read(inventory, database, lambda each: enquiry.holding(each, holder or "", now))
        data = {
            "leases": [enquiry.as_data(record) for record in holding.records],
            "history": [enquiry.change_as_data(each) for each in holding.history],
        }
        lines = told.holding_lines(holding)
    if as_json:
        _print_json(data)
    else:
        _print(lines)


@app.command()
def usage(
    pool: OnlyLeases = None,
    scope: OnlyScope = None,
    warn: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="Exit with 2 if a pool (with -i, a pod's hypervisors, a storage server) is fuller, percent.",
        ),
    ] = None,
    inventory: Inventory = None,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """Tell how full pools, hypervisors and storage servers are, and when at last month's rate they will be full.

    What hypervisors and storage servers have is known from the inventory.
    """
    now = unix_time(None)
    declared = None if pool or (database and not inventory) else load(declared_file(inventory))
    found = _read(inventory, database, lambda repository: _usage(repository, Only(pool, scope), declared, now))
    warnings = [] if warn is None else list(usages.fuller(*found, warn))
    if as_json:
        _print_json(
            {
                "pools": [_usage_as_data(each) for each in found.pools],
                "hypervisors": [each._asdict() for each in found.hypervisors],
                "storage_servers": [_filled_as_data(each) for each in found.servers],
                "warnings": warnings,
            }
        )
    else:
        _print_tables(told.usage_tables(found.pools))
        _print(["", told.RATE] if found.pools else [])
        tables = [told.promised_table(found.hypervisors)] if found.hypervisors else []
        tables += [told.filled_table(found.servers)] if found.servers else []
        _print_tables(tables, after=bool(found.pools))
        _print(warnings, style="yellow")
    raise typer.Exit(ExitCode.CHANGED if warnings else ExitCode.IN_SYNC)


@app.command()
def history(
    pool: OnlyPool = None,
    scope: OnlyScope = None,
    holder: OnlyHolder = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"], help="Only what was done then or later."
        ),
    ] = None,
    run: Annotated[int | None, typer.Option(help="Only what the run with this number did.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Only so many, the last ones.")] = 100,
    inventory: Inventory = None,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """Tell what was leased and given up, by whom and in which run, the newest last."""
    only = Only(pool, scope, holder)
    from_then = unix_time(since) if since else None
    found = _read(
        inventory,
        database,
        lambda repository: enquiry.history(repository, only, since=from_then, run=run, at_most=limit),
    )
    if as_json:
        _print_json({"history": [enquiry.change_as_data(each) for each in found]})
    else:
        _print(told.history_lines(found) if found else ["nothing was done that is like that"])


@app.command()
def pools(
    pool: OnlyLeases = None,
    scope: OnlyScope = None,
    inventory: Inventory = None,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """List pools as they were last declared: where, by which cloud, and what is kept for whom."""
    found = _read(inventory, database, lambda repository: _pools(repository, Only(pool, scope)))
    if as_json:
        _print_json({"pools": [_pool_as_data(each) for each in found]})
    else:
        _print(told.pool_lines(found) if found else ["no pool is like that"])


@app.command()
def reserve(
    pool: OnePool,
    scope: Scope,
    holder: Holder,
    purpose: Purpose = None,
    value: Annotated[str | None, typer.Option(help="The only value that will do.")] = None,
    declared: Annotated[
        list[str] | None,
        typer.Option(
            "--ranges", help="What the pool holds, where no cloud's inventory declares it: 101-199. Repeatable."
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--for", help="Take first from what is kept for this account or pod; see podwright lease pools."),
    ] = None,
    check: Check = False,
    inventory: Inventory = None,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """Lease a value to a holder, which keeps the one that it has: the lowest free value, or the one of --value."""
    wanted = Pool(pool, _checked_scope(pool, scope), divided(ranges(pool, declared or (), "--ranges")), "--ranges")
    fixed = {} if value is None else {holder: parsed_value(pool, value, "--value")}
    with _writable(inventory, database, "reserve") as opened:
        asked = ask(
            opened,
            wanted,
            [holder],
            purpose=purpose or usual_purpose(pool),
            state="present",
            fixed=fixed,
            quarantine_hours=0,
            preview=check,
            sections=[part] if part else [],
            named_by="HOLDER",
        )
    lease = asked.leases[holder]
    _finish(
        asked, check, as_json, f"{holder} {'has' if not asked.changes else _would(check, 'has')} {lease.shown}", lease
    )


@app.command()
def release(
    pool: OnePool,
    scope: Scope,
    holder: Holder,
    purpose: Purpose = None,
    quarantine_hours: Quarantine = 24,
    check: Check = False,
    inventory: Inventory = None,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """Give up a lease that a playbook or an operator asked for, once no device carries its value."""
    wanted = Pool(pool, _checked_scope(pool, scope), {}, "SCOPE")
    with _writable(inventory, database, "release") as opened:
        asked = ask(
            opened,
            wanted,
            [holder],
            purpose=purpose or usual_purpose(pool),
            state="absent",
            fixed={},
            quarantine_hours=quarantine_hours,
            preview=check,
            named_by="HOLDER",
        )
    rests = [after for _, after in asked.changes if after]
    words = f"{holder} holds nothing there"
    if rests:
        until = told.local_time(rests[0].until or 0)
        words = f"{rests[0].shown} {_would(check, 'rests')} until {until}, unless {holder} asks for it before"
    _finish(asked, check, as_json, words)


@app.command()
def renumber(
    pool: OnePool,
    scope: Scope,
    holder: Holder,
    purpose: Purpose = None,
    to: Annotated[str | None, typer.Option(help="The only value that will do; left out, the lowest free one.")] = None,
    quarantine_hours: Quarantine = 24,
    check: Check = False,
    inventory: Inventory = None,
    database: DatabaseOption = None,
    as_json: Json = False,
) -> None:
    """Give a holder another value. What it had is nobody's until no device carries it any more."""
    wanted = Pool(pool, _checked_scope(pool, scope), {}, "SCOPE")
    fixed = None if to is None else parsed_value(pool, to, "--to")
    with _writable(inventory, database, "renumber") as opened:
        asked = ask_for_another(
            opened,
            wanted,
            holder,
            purpose=purpose or usual_purpose(pool),
            fixed=fixed,
            quarantine_hours=quarantine_hours,
            preview=check,
        )
    if not asked.changes:
        _finish(asked, check, as_json, f"{holder} has {to} already")
    lease = asked.leases[holder]
    [before] = [after for _, after in asked.changes if after and after.superseded]
    if before.cloud is None:
        rest = f"{before.shown} rests until {told.local_time(before.until or 0)}"
    else:
        rest = f"{before.shown} stays taken until the next podwright deploy has seen every device without it"
    _finish(asked, check, as_json, f"{holder} {_would(check, 'has')} {lease.shown}; {rest}", lease)


def _read(inventory: Path | None, database: str | None, work: Callable[[Repository], Result]) -> Result:
    with Database(database_of(inventory, database)) as opened:
        return opened.read(work)


def _writable(inventory: Path | None, database: str | None, command: str) -> Database:
    return Database(database_of(inventory, database), this_run(f"lease {command}"))


def _checked_scope(pool: PoolName, scope: str) -> str:
    levels, names = KINDS[pool].levels, scope.split("/")
    if not all(names) or len(names) > len(levels):
        form = "/".join(f"<{level}>" for level in levels)
        raise AllocationError(f"SCOPE: {scope} is not a place of pool {pool}; give {form}")
    return scope


class _Usage(NamedTuple):
    """How full everything is."""

    pools: list[usages.Usage]
    hypervisors: list[usages.Promised]
    servers: list[usages.Filled]


def _usage(repository: Repository, only: Only, declared: Cloud | None, now: int) -> _Usage:
    changes = repository.recorded(pool=only.pool, since=now - usages.MONTH_S)
    events = [each.event for each in changes if only.takes(each.event.pool, each.event.scope, "")]
    leases = [lease for lease in repository.leases() if only.takes(lease.pool, lease.scope, "")]
    begins = repository.history_begins()
    pools = list(usages.usage(_pools(repository, only), leases, events, begins, now))
    if only.pool:
        return _Usage(pools, [], [])
    placements = [each for each in repository.placements() if only.takes(each.pool, each.scope, "")]
    volumes = [each for each in repository.volumes() if only.takes(each.pool, each.scope, "")]
    hypervisors = list(usages.promised(placements, _capacities(declared, only)))
    return _Usage(pools, hypervisors, list(usages.filled(volumes, _servers(declared, only), events, begins, now)))


def _pools(repository: Repository, only: Only) -> list[DeclaredPool]:
    return [declared for key, declared in sorted(repository.pools().items()) if only.takes(*key, "")]


def _capacities(declared: Cloud | None, only: Only) -> dict[tuple[str, str], Capacity]:
    return {
        (pod.scope, name): host.has
        for pod in (pod_demands(declared) if declared else ())
        for name, host in pod.hypervisors.items()
        if only.takes("", pod.scope, "")
    }


def _servers(declared: Cloud | None, only: Only) -> dict[tuple[str, str], Server]:
    return {
        (pod.scope, name): server
        for pod in (volume_demands(declared) if declared else ())
        for name, server in pod.servers.items()
        if only.takes("", pod.scope, "")
    }


def _filled_as_data(each: usages.Filled) -> dict[str, Any]:
    return {**each._asdict(), "empty_at": None if each.empty_at is None else enquiry.utc(each.empty_at)}


def _usage_as_data(each: usages.Usage) -> dict[str, Any]:
    return {
        **each._asdict(),
        "free": each.free,
        "percent": round(each.percent, 1),
        "empty_at": None if each.empty_at is None else enquiry.utc(each.empty_at),
        "forecast": told.forecast(each),
    }


def _pool_as_data(declared: DeclaredPool) -> dict[str, Any]:
    pool = declared.as_pool()
    sections = {section: told.ranges_words(pool.name, values) for section, values in sorted(pool.sections.items())}
    return {
        "pool": pool.name,
        "scope": pool.scope,
        "cloud": declared.cloud,
        "declared_at": declared.declared_at,
        "sections": sections,
    }


def _found_as_data(found: enquiry.Found) -> dict[str, Any]:
    return {
        "pool": found.pool,
        "scope": found.scope,
        "in_pool": found.section is not None,
        "dedicated_to": found.section or None,
        "lease": enquiry.as_data(found.lease) if found.lease else None,
        "history": [enquiry.change_as_data(each) for each in found.history],
    }


def _would(check: bool, verb: str) -> str:
    return f"would {'have' if verb == 'has' else verb.removesuffix('s')}" if check else verb


def _finish(asked: Asked, check: bool, as_json: bool, words: str, lease: Lease | None = None) -> None:
    """Say what changed, and exit with what that means."""
    difference = diff(asked.changes)
    if as_json:
        _print_json(
            {
                "changed": bool(asked.changes),
                "check": check,
                "message": words,
                "lease": enquiry.as_data(lease) if lease else None,
                "diff": difference,
            }
        )
    else:
        for line in told.difference_lines(difference):
            report.console.print(line, soft_wrap=True)
        _print([words])
    raise typer.Exit(ExitCode.CHANGED if asked.changes else ExitCode.IN_SYNC)


def _print(lines: Iterable[str], style: str | None = None) -> None:
    for line in lines:
        report.console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _print_tables(tables: Iterable[Table], after: bool = False) -> None:
    """Print tables with an empty line between each two, and before the first where it comes `after` something."""
    for number, table in enumerate(tables):
        _print([""] if number or after else [])
        report.console.print(table)


def _print_records(records: Sequence[Record]) -> None:
    """Print tables for a screen; or plain lines, for Rich takes a millisecond for each row."""
    listings = told.records_listings(records)
    if report.console.is_terminal and len(records) <= _ROWS_IN_TABLES:
        _print_tables(map(told.as_table, listings))
        return
    for number, listing in enumerate(listings):
        sys.stdout.write("\n" if number else "")
        sys.stdout.writelines(f"{line}\n" for line in told.as_lines(listing))


def _print_json(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, indent=2) + "\n")
