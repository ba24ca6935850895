"""What people read of leases: tables of eighty columns, and lines for what has a history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from rich import box
from rich.table import Table
from rich.text import Text

from podwright.allocation.changes import Record
from podwright.allocation.enquiry import Found, Holding
from podwright.allocation.grant import Lease, described
from podwright.allocation.history import DECLARED, Event, Recorded
from podwright.allocation.placement import Placement
from podwright.allocation.pools import KINDS, DeclaredPool, PoolName, pool_name, scope_in_words, shown
from podwright.allocation.room import pod_in_words
from podwright.allocation.usage import Filled, Promised, Usage
from podwright.allocation.volumes import Volume

RATE = "Empty on: at last month's rate (of what history there is); -: not at that rate."

_FEW = 8


class Listing(NamedTuple):
    """Rows of one kind, each with a text for each column."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def records_listings(records: Sequence[Record]) -> Iterator[Listing]:
    """One for each pool of leases, which come pool by pool, one of placements and one of volumes."""
    leases = (record for record in records if isinstance(record, Lease))
    for pool, those in groupby(leases, key=lambda lease: lease.pool):
        yield _leases_listing(pool, list(those))
    placements = [record for record in records if isinstance(record, Placement)]
    if placements:
        yield _placements_listing(placements)
    volumes = [record for record in records if isinstance(record, Volume)]
    if volumes:
        yield _volumes_listing(volumes)


def as_table(listing: Listing) -> Table:
    """What a person reads on a screen, folded to its width."""
    table = _table(listing.title, *listing.columns)
    for row in listing.rows:
        _add(table, *row)
    return table


def as_lines(listing: Listing) -> Iterator[str]:
    """The same for a file, another program or more rows than anybody reads: a line for each, however long it is."""
    cells = (listing.columns, *listing.rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    yield listing.title
    yield _aligned(listing.columns, widths)
    yield "─" * (sum(widths) + 2 * len(widths) - 1)
    for row in listing.rows:
        yield _aligned(row, widths)


def usage_tables(usages: Iterable[Usage]) -> Iterator[Table]:
    """A table for each pool's name."""
    for pool, those in groupby(usages, key=lambda usage: usage.pool):
        rows = list(those)
        parts = any(usage.section for usage in rows)
        table = _table(pool, "Scope", *(["For"] if parts else []))
        for column in ("Size", "Held", "Releasing", "Quarantine", "Free", "Used"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("Empty on", no_wrap=True)
        for usage in rows:
            counts = (usage.size, usage.held, usage.releasing, usage.quarantine, usage.free)
            empty_on = "-" if usage.empty_at is None else _local_date(usage.empty_at)
            part = [usage.section or "all"] if parts else []
            _add(table, usage.scope, *part, *counts, f"{int(usage.percent)}%", empty_on)
        yield table


def forecast(usage: Usage) -> str:
    """When a pool will be empty, in words."""
    if usage.free <= 0:
        return "it is empty"
    if usage.empty_at is None:
        return "not at last month's rate"
    return f"at last month's rate it is empty on {_local_date(usage.empty_at)}"


def promised_table(hypervisors: Iterable[Promised]) -> Table:
    """One row for each hypervisor."""
    table = _table("hypervisors: what is promised", "Pod", "Hypervisor")
    for column in ("Domains", "vCPUs", "Memory MiB"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in hypervisors:
        names = (each.scope, each.hypervisor, each.domains)
        _add(table, *names, _of(each.vcpus, each.vcpus_of), _of(each.memory_mib, each.memory_mib_of))
    return table


def filled_table(servers: Iterable[Filled]) -> Table:
    """One row for each storage server."""
    table = _table("storage servers: what is leased", "Pod", "Storage server")
    for column in ("Volumes", "GiB", "Left behind GiB", "IOPS"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Empty on", no_wrap=True)
    for each in servers:
        empty_on = "-" if each.empty_at is None else _local_date(each.empty_at)
        counts = (each.volumes, _of(each.size_gib, each.size_gib_of), each.left_behind_gib)
        _add(table, each.scope, each.server, *counts, _of(each.storage_iops, each.storage_iops_of), empty_on)
    return table


def explanation(found: Iterable[Found]) -> Iterator[str]:
    """What there is to say about a value: at length where somebody has or had it, in a line where not."""
    others: dict[str, list[str]] = {}
    for each in found:
        if each.lease is None and not each.history:
            others.setdefault(_standing(each), []).append(f"{each.pool} {each.scope}")
            continue
        yield _value_line(each.pool, each.scope, each.value)
        if each.lease is None:
            yield f"  {_standing(each)}"
        else:
            yield from _lease_lines(each.lease, each.history[-1] if each.history else None)
        yield from _history_lines(each.history)
    for standing, places in others.items():
        more = f" and {len(places) - _FEW} more" if len(places) > _FEW else ""
        yield f"{standing}: {', '.join(places[:_FEW])}{more}"


def holding_lines(holding: Holding) -> Iterator[str]:
    """What holders have, and every change of it."""
    for record in holding.records:
        if isinstance(record, Lease):
            yield _value_line(record.pool, record.scope, record.value)
            yield from _lease_lines(record, holding.run_of(record))
        else:
            yield f"{_whereabouts(record)} of {pod_in_words(record.scope)} ({record.pool})"
            yield from _state_lines(record, record.domain, None, holding.run_of(record))
    if not holding.records:
        yield "has nothing now"
    yield from _history_lines(holding.history)


def _whereabouts(record: Placement | Volume) -> str:
    if isinstance(record, Placement):
        return f"hypervisor {record.hypervisor}"
    return f"{record.size_gib} GiB on storage server {record.server}"


def history_lines(history: Iterable[Recorded], indent: str = "") -> Iterator[str]:
    """Every change below the run that made it."""
    for (number, run, at), changes in groupby(history, key=lambda each: (each.number, each.run, each.event.at)):
        yield f"{indent}{local_time(at)} run {number} by {run.operator}@{run.host}: {run.command}"
        yield from (f"{indent}  {_change(each.event)}" for each in changes)


def pool_lines(pools: Iterable[DeclaredPool]) -> Iterator[str]:
    """Where each pool is declared, and what it holds for whom."""
    for declared in pools:
        pool = declared.as_pool()
        by = f"cloud {declared.cloud}" if declared.cloud else "a playbook or an operator"
        yield f"{pool.name} {pool.scope}: declared by {by} at {pool.declared_at}"
        for section, ranges in sorted(pool.sections.items()):
            values = ", ".join(ranges_words(pool.name, ranges))
            yield f"  for {section or 'all'}: {values} ({pool.size_of({section})})"
        if not pool.sections:
            yield "  holds nothing"


def difference_lines(difference: Mapping[str, str]) -> Iterator[Text]:
    """Leases before and after, as a diff."""
    for sign, side, colour in (("-", "before", "red"), ("+", "after", "green")):
        for line in difference[side].splitlines():
            yield Text(f"{sign}{line}", style=colour)


def ranges_words(pool: PoolName, ranges: Iterable[range]) -> list[str]:
    """Ranges of values as operators write them."""
    return [_range_words(pool, each) for each in ranges]


def local_time(moment: int) -> str:
    """A moment (Unix time, s) in ISO 8601, on this machine's clock."""
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="seconds")


def _leases_listing(pool: str, leases: Sequence[Lease]) -> Listing:
    rests = any(lease.until for lease in leases)
    rows = []
    for lease in leases:
        until = [_local_date(lease.until) if lease.until else ""] if rests else []
        names = (lease.scope, lease.shown, lease.holder, lease.purpose)
        rows.append((*names, lease.state, _local_date(lease.since), *until))
    return Listing(pool, ("Scope", "Value", "Holder", "Purpose", "State", "Since", *(["Until"] if rests else [])), rows)


def _placements_listing(placements: Iterable[Placement]) -> Listing:
    rows = []
    for each in placements:
        names = (each.scope, each.hypervisor, each.domain, str(each.vcpus), str(each.memory_mib))
        rows.append((*names, each.state, _local_date(each.since)))
    return Listing(Placement.pool, ("Pod", "Hypervisor", "Domain", "vCPUs", "MiB", "State", "Since"), rows)


def _volumes_listing(volumes: Iterable[Volume]) -> Listing:
    rows = []
    for each in volumes:
        names = (each.scope, each.server, each.domain, str(each.size_gib), str(each.storage_iops))
        rows.append((*names, each.state, _local_date(each.since)))
    return Listing(Volume.pool, ("Pod", "Storage server", "Domain", "GiB", "IOPS", "State", "Since"), rows)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def _local_date(moment: int) -> str:
    return local_time(moment)[:10]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _add(table: Table, *cells: object) -> None:
    table.add_row(*(Text(str(cell)) for cell in cells))


def _of(used: int, has: int | None) -> str:
    return str(used) if has is None else f"{used} of {has}"


def _value_line(pool: PoolName, scope: str, value: int) -> str:
    return f"{KINDS[pool].noun} {shown(pool, value)} of {scope_in_words(pool, scope)} ({pool})"


def _standing(found: Found) -> str:
    if found.section is None:
        return "not in the pool"
    return f"free, for {found.section} alone" if found.section else "free"


def _lease_lines(lease: Lease, run: Recorded | None) -> Iterator[str]:
    whose = described(lease.pool, lease.holder)
    named = f" ({lease.holder})" if whose != lease.holder else ""
    yield from _state_lines(lease, f"{whose}{named} for {lease.purpose}", lease.until, run)
    if lease.superseded:
        yield "  its holder was renumbered and has another value now"


def _state_lines(record: Record, whose: str, until: int | None, run: Recorded | None) -> Iterator[str]:
    words = {"held": "held by", "releasing": "being released by", "quarantine": "in quarantine, given up by"}
    by = f"cloud {record.cloud}" if record.cloud else "a playbook or an operator"
    yield f"  {words[record.state]} {whose}, asked for by {by}"
    yield f"  since {local_time(record.since)}{f', until {local_time(until)}' if until else ''}"
    if run:
        yield f"  from run {run.number} by {run.run.operator}@{run.run.host}: {run.run.command}"
    else:
        yield "  from a run before there was a history"


def _history_lines(history: Sequence[Recorded]) -> Iterator[str]:
    if history:
        yield "  history:"
        yield from history_lines(history, "    ")


def _change(event: Event) -> str:
    is_of_domain = event.pool in (Placement.pool, Volume.pool)
    none = "nothing" if event.purpose == DECLARED or is_of_domain else "free"
    before, after = event.before or none, event.after or none
    place = f"{event.pool} {event.scope}"
    if is_of_domain:
        return f"{place} {event.purpose} {event.holder}: {before} -> {after}"
    if event.value is None:
        before, after = (_declared(event, text) or "nothing" for text in (event.before, event.after))
        return f"{place} {DECLARED}: {before} -> {after}"
    return f"{place} {event.shown} {event.holder} {event.purpose}: {before} -> {after}"


def _declared(event: Event, text: str | None) -> str:
    pool = DeclaredPool(pool_name(event.pool), event.scope, text or "", "", None).as_pool()
    return " ".join(
        (f"{section}=" if section else "") + ",".join(ranges_words(pool.name, ranges))
        for section, ranges in sorted(pool.sections.items())
    )


def _range_words(pool: PoolName, values: range) -> str:
    first, last = shown(pool, values[0]), shown(pool, values[-1])
    return first if first == last else f"{first}-{last}"
