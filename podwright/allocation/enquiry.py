"""What is asked of the leases: who has a value and since when, what a holder has, and in which runs that came to be.

Leases whose quarantine is over count as gone, though they stand in the database until somebody leases something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, Literal, NamedTuple

from podwright.allocation.changes import Record
from podwright.allocation.grant import Lease, State
from podwright.allocation.history import PLACEMENT_POOL, VOLUME_POOL, Recorded
from podwright.allocation.placement import Placement
from podwright.allocation.pools import KINDS, DeclaredPool, PoolName, pool_name
from podwright.allocation.repository import Repository
from podwright.allocation.spoken import parsed_value
from podwright.allocation.volumes import Volume
from podwright.errors import AllocationError

AnyPool = Literal[PoolName, "placement", "volume"]
# Every pool, also those whose leases are no values.
ANY_POOL = (*KINDS, PLACEMENT_POOL, VOLUME_POOL)

_FEW = 5
_EXAMPLES = "214 (a VLAN id), 192.0.2.1, 10.1.1.0/24 or 02:70:77:00:00:01"


class Only(NamedTuple):
    """Which leases, placements and volumes, or changes of them, are wanted; None is any."""

    pool: str | None = None
    scope: str | None = None
    """A scope, or a pattern such as `east/*`"""
    holder: str | None = None
    """A part of a holder's name, or a pattern of all of it such as `acme/*`"""
    state: str | None = None

    def takes(self, pool: str, scope: str, holder: str, state: State | None = None) -> bool:
        """Whether this is one of them."""
        return (
            self.pool in (None, pool)
            and (self.scope is None or fnmatchcase(scope, self.scope))
            and (self.holder is None or _names(self.holder, holder))
            and self.state in (None, state)
        )


class Found(NamedTuple):
    """A value in one pool."""

    pool: PoolName
    scope: str
    value: int
    section: str | None
    """The section of the pool that it is in; None when the pool does not hold it"""
    lease: Lease | None
    history: Sequence[Recorded]
    """Every change of it, the newest last"""


@dataclass(frozen=True)
class Holding:
    """What holders have, and every change of it."""

    records: Sequence[Record]
    history: Sequence[Recorded]
    """The newest last"""

    def run_of(self, record: Record) -> Recorded | None:
        """What brought a record into its state; None when that was before there was a history."""
        return next((each for each in reversed(self.history) if _is_of(each, record)), None)


def records(repository: Repository, only: Only, now: int) -> list[Record]:
    """Leases by pool, scope and value, then placements and volumes by pod and domain."""
    leases = sorted(
        lease
        for lease in current(repository.leases(), now)
        if only.takes(lease.pool, lease.scope, lease.holder, lease.state)
    )
    of_domains = (
        record
        for record in _of_domains(repository)
        if only.takes(record.pool, record.scope, record.domain, record.state)
    )
    return [*leases, *sorted(of_domains, key=lambda record: (record.pool, record.scope, record.domain, record.where))]


def _of_domains(repository: Repository) -> list[Placement | Volume]:
    return [*repository.placements(), *repository.volumes()]


def current(leases: Iterable[Lease], now: int) -> Iterator[Lease]:
    """The leases whose quarantine is not over at `now` (Unix time, s)."""
    return (lease for lease in leases if lease.until is None or lease.until > now)


def explained(repository: Repository, text: str, pool: PoolName | None, scope: str | None, now: int) -> list[Found]:
    """What there is to say about a value, in every pool that could hold it.

    Raises:
        AllocationError: it is not a value, or there is no such pool.
    """
    only = Only(pool, scope)
    values = _values(text, pool)
    declared = {key: known for key, known in repository.pools().items() if key[0] in values and only.takes(*key, "")}
    leases: dict[tuple[str, str], Lease] = {
        (lease.pool, lease.scope): lease
        for lease in current(repository.leases(), now)
        if lease.value == values.get(lease.pool) and only.takes(lease.pool, lease.scope, "")
    }
    changes: dict[tuple[str, str], list[Recorded]] = {}
    for name, value in values.items():
        for each in repository.recorded(pool=name, value=value):
            if only.takes(name, each.event.scope, ""):
                changes.setdefault((name, each.event.scope), []).insert(0, each)
    keys = sorted({*declared, *leases, *changes})
    if not keys:
        place = f"pool {pool or 'at all'}{f' in {scope}' if scope else ''}"
        raise AllocationError(f"VALUE: there is no {place} that could hold {text}; podwright lease pools shows all")
    return [_found(key, values, declared, leases, changes) for key in keys]


def holding(repository: Repository, name: str, now: int) -> Holding:
    """What a holder (or all that match a pattern) has and had, placements and volumes included.

    Raises:
        AllocationError: it never had anything.
    """
    found = Holding(
        [record for record in records(repository, Only(), now) if fnmatchcase(_holder(record), name)],
        [each for each in repository.recorded() if fnmatchcase(each.event.holder, name)][::-1],
    )
    if not found.records and not found.history:
        raise AllocationError(
            f"--holder: {name} has nothing and never had; podwright lease list --holder with a part of its name "
            "shows whom there is"
        )
    return found


def history(repository: Repository, only: Only, *, since: int | None, run: int | None, at_most: int) -> list[Recorded]:
    """The last `at_most` changes of what is wanted, the newest last."""
    found = repository.recorded(pool=only.pool, since=since, run=run)
    wanted = (each for each in found if only.takes(each.event.pool, each.event.scope, each.event.holder))
    return list(islice(wanted, at_most))[::-1]


def held(
    repository: Repository, holder: str, pool: str, scope: str | None = None, purpose: str | None = None
) -> Record | None:
    """The one lease (or placement, or volume) that a holder holds; None when it holds none.

    Raises:
        AllocationError: it holds several.
    """
    records: list[Record] = [
        *repository.leases_of(holder, pool, scope),
        *(each for each in _of_domains(repository) if (each.pool, each.domain) == (pool, holder)),
    ]
    found = [
        record
        for record in records
        if record.state == "held" and scope in (None, record.scope) and purpose in (None, _purpose(record))
    ]
    if len(found) > 1:
        raise AllocationError(
            f"{pool}: {holder} holds {len(found)} values: {_listed(found)}; give the scope and purpose of one"
        )
    return found[0] if found else None


def nothing_held(
    repository: Repository, holder: str, pool: str, scope: str | None = None, purpose: str | None = None
) -> str:
    """Why `held` found nothing: what was asked for, and what there is."""
    place = f"{pool}{f' {scope}' if scope else ''}"
    what = f"nothing for {purpose}" if purpose else "nothing"
    there = records(repository, Only(pool, scope, None, "held"), 0)
    whose = [record for record in there if _holder(record) == holder] or there
    return f"{place}: {holder} holds {what}; there {'is ' + _listed(whose) if whose else 'is nothing that is held'}"


def as_data(record: Record) -> dict[str, Any]:
    """A record for machines; of a placement or volume, the value is what has it and the holder the domain."""
    value = record.as_data if isinstance(record, Lease) else record.where
    names = (record.pool, record.scope, value, _holder(record), _purpose(record))
    return {
        **dict(zip(("pool", "scope", "value", "holder", "purpose"), names, strict=True)),
        "state": record.state,
        "since": utc(record.since),
        "until": utc(record.until) if isinstance(record, Lease) and record.until is not None else None,
        "cloud": record.cloud,
        **({"size_gib": record.size_gib} if isinstance(record, Volume) else {}),
    }


def change_as_data(recorded: Recorded) -> dict[str, Any]:
    """A change for machines."""
    event = recorded.event
    return {
        "at": utc(event.at),
        "run": recorded.number,
        **recorded.run._asdict(),
        "pool": event.pool,
        "scope": event.scope,
        "value": event.value if event.shown.isdecimal() else event.shown or None,
        "holder": event.holder,
        "purpose": event.purpose,
        "before": event.before,
        "after": event.after,
    }


def utc(moment: int) -> str:
    """A moment (Unix time, s) for machines: the same on every controller."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _names(wanted: str, holder: str) -> bool:
    return fnmatchcase(holder, wanted) if any(sign in wanted for sign in "*?[") else wanted in holder


def _holder(record: Record) -> str:
    return record.holder if isinstance(record, Lease) else record.domain


def _purpose(record: Record) -> str:
    return record.purpose if isinstance(record, Lease) else ""


def _listed(records: Sequence[Record]) -> str:
    more = f" and {len(records) - _FEW} more" if len(records) > _FEW else ""
    data = map(as_data, records[:_FEW])
    return ", ".join(" ".join(filter(None, map(str, list(each.values())[1:5]))) for each in data) + more


def _is_of(recorded: Recorded, record: Record) -> bool:
    event = recorded.event
    if isinstance(record, Lease):
        return event[1:6] == record[:5]
    named = (record.pool, record.scope, record.domain, record.where)
    return (event.pool, event.scope, event.holder, event.purpose) == named


def _values(text: str, pool: PoolName | None) -> dict[str, int]:
    """{pool: the value that the text is there}."""
    if pool is not None:
        return {pool: parsed_value(pool, text, "VALUE")}
    values: dict[str, int] = {}
    for name, kind in KINDS.items():
        try:
            value = kind.parsed(text)
        except ValueError:
            continue
        if value in kind.values:
            values[name] = value
    if not values:
        raise AllocationError(f"VALUE: {text} is not a value of any pool; give one such as {_EXAMPLES}")
    return values


def _found(
    key: tuple[str, str],
    values: Mapping[str, int],
    declared: Mapping[tuple[str, str], DeclaredPool],
    leases: Mapping[tuple[str, str], Lease],
    changes: Mapping[tuple[str, str], Sequence[Recorded]],
) -> Found:
    pool, scope = key
    value = values[pool]
    section = declared[key].as_pool().section_of(value) if key in declared else None
    return Found(pool_name(pool), scope, value, section, leases.get(key), changes.get(key, ()))
