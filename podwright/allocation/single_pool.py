"""Leases of one pool that a playbook or an operator asks for, without a declared cloud.

What it costs does not depend on how much is leased already: only the rows that matter are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from podwright.allocation.database import Database, unix_time
from podwright.allocation.demand import NETWORK_PURPOSE
from podwright.allocation.free import FreeValues, free_values
from podwright.allocation.grant import (
    Granted,
    Lease,
    LeaseChange,
    Request,
    described,
    exhausted,
    grant,
    listed,
    stranded,
    within,
)
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.repository import Repository
from podwright.errors import AllocationError


def reserve(repository: Repository, pool: Pool, requests: Sequence[Request], cloud: str | None, now: int) -> Granted:
    """Lease what is asked for from a pool as it is declared, one or thousands at once.

    Raises:
        AllocationError: not all of it can be had; roll back.
    """
    leases, free = repository.what_matters(pool, requests)
    granted = grant(pool, leases, free, requests, cloud, now)
    problems = list(granted.problems)
    if granted.unserved:
        problems.append(_of_others(granted) or exhausted(granted, repository.leases(pool.name, pool.scope)))
    if problems:
        raise AllocationError("\n".join(problems))
    repository.save_free([free])
    repository.save(granted.changes, [], now)
    return granted


def _of_others(granted: Granted) -> str | None:
    """Why the unserved requests were not served, where the pool has other parts than they asked for; else None."""
    pool = granted.pool
    if not pool.sections or pool.size_of({section for request in granted.unserved for section in request.sections}):
        return None
    asking = listed([described(pool.name, request.holder) for request in granted.unserved])
    return (
        f"{pool.declared_at}: pool {pool.name} of {within(pool)} is divided among {listed(sorted(pool.sections))} "
        f"and has nothing for {asking}; say whose part to take from, or extend it"
    )


def opened(repository: Repository, wanted: Pool, now: int, holders: Sequence[str] = ()) -> Pool:
    """A pool for this transaction alone: declared, or as it is declared already when `wanted` holds nothing.

    It may hold more than it did, or less where no lease is in what goes.

    Args:
        repository: the transaction.
        wanted: the pool as it shall be, or the name and scope of one.
        now: the time to go by (Unix time, s).
        holders: who will ask; known already, one alone costs fewer messages.

    Raises:
        AllocationError: it holds nothing, belongs to a cloud that declares it otherwise, or would shrink below a lease.
    """
    declared = repository.enter(wanted.name, wanted.scope, now, holders[0] if len(holders) == 1 else "")
    if declared is not None and declared == wanted.declared:
        return wanted
    known = None if declared is None else repository.pool(wanted.name, wanted.scope)
    if known is not None and not wanted.sections:
        return known.as_pool()
    if not wanted.sections:
        raise AllocationError(
            f"{wanted.declared_at}: pool {wanted.name} of {within(wanted)} was never declared; say what it holds"
        )
    if known is not None and known.cloud is not None:
        raise AllocationError(
            f"{wanted.declared_at}: pool {wanted.name} of {within(wanted)} is declared by cloud {known.cloud} at "
            f"{known.declared_at}; change it there, and leave {wanted.declared_at} out here"
        )
    leases = repository.leases(wanted.name, wanted.scope)
    outside = (lease for lease in leases if wanted.section_of(lease.value) not in _sections(wanted, lease.holder))
    if problem := stranded(wanted, outside):
        raise AllocationError(problem)
    free = FreeValues(wanted, repository.all_free(wanted), free_values(wanted, (lease.value for lease in leases)))
    repository.declare([wanted], {(wanted.name, wanted.scope): known} if known else {}, None, now)
    repository.save_free([free])
    return wanted


def give_up(
    repository: Repository,
    pool: Pool,
    holders: Collection[str],
    purpose: str,
    now: int,
    until: int,
    named_by: str = "accounts",
) -> list[LeaseChange]:
    """Let leases go that no device carries any more; they are in quarantine until `until` (Unix time, s).

    A refusal says that `named_by` names the holders.

    Raises:
        AllocationError: one belongs to a cloud.
    """
    requests = [Request(holder, purpose) for holder in sorted(holders)]
    given_up = [
        lease
        for lease in repository.leases_for(pool, requests)
        if lease.holder in holders and lease.purpose == purpose and lease.state == "held"
    ]
    _refuse_those_of_clouds(given_up, named_by)
    changes = [LeaseChange(lease, lease._replace(state="quarantine", since=now, until=until)) for lease in given_up]
    repository.save(changes, [], now)
    return changes


def renumber(repository: Repository, pool: Pool, request: Request, now: int, until: int) -> list[LeaseChange]:
    """Give a holder another value: the one that it fixes, or the lowest free one.

    The value that it had stays taken. One that a cloud asked for is released like any other, once devices were seen
    without it; one that a playbook asked for is in quarantine until `until` (Unix time, s).

    Raises:
        AllocationError: the holder has none, or the other value cannot be had; roll back.
    """
    had = [
        lease
        for lease in repository.leases_for(pool, [request])
        if (lease.holder, lease.purpose, lease.state) == (request.holder, request.purpose, "held")
    ]
    if not had:
        raise AllocationError(
            f"{pool.name} {pool.scope}: {request.holder} {request.purpose} holds nothing; "
            "podwright lease list shows who does"
        )
    (before,) = had
    if request.fixed == before.value:
        return []
    leaving = before._replace(superseded=before.value, since=now)
    leaving = (
        leaving._replace(state="quarantine", until=until)
        if before.cloud is None
        else leaving._replace(state="releasing")
    )
    change = LeaseChange(before, leaving)
    repository.save([change], [], now)
    granted = reserve(repository, pool, [request], before.cloud, now)
    return [change, *granted.changes]


def _refuse_those_of_clouds(leases: Iterable[Lease], named_by: str) -> None:
    problems = [
        f"{named_by}: {lease.shown} of {described(lease.pool, lease.holder)} belongs to cloud {lease.cloud}; "
        f"take {'the guest network' if lease.purpose == NETWORK_PURPOSE else 'that'} out of its inventory instead"
        for lease in leases
        if lease.cloud is not None
    ]
    if problems:
        raise AllocationError("\n".join(problems))


def ask(
    database: Database,
    wanted: Pool,
    holders: Sequence[str],
    *,
    purpose: str,
    state: Literal["present", "absent"],
    fixed: Mapping[str, int],
    quarantine_hours: int,
    preview: bool,
    sections: Sequence[str] = (),
    named_by: str = "accounts",
    now: datetime | None = None,
) -> Asked:
    """Hold, or give up, a lease for each of `holders`, in one transaction.

    Args:
        database: where leases are kept.
        wanted: what to lease from; with nothing in it, what it was last declared to hold.
        holders: who needs one.
        purpose: what each of them needs it for.
        state: whether to hold leases or to give them up.
        fixed: {holder: the only value that will do}
        quarantine_hours: how long a value that was given up rests before another holder gets it.
        preview: find out what would change, and write nothing.
        sections: the sections of the pool to take from first, before what is dedicated to nobody; empty means what is
            dedicated to the holder's account.
        named_by: what names the holders, for a refusal.
        now: the time to go by.

    Raises:
        AllocationError: a lease cannot be had or given up; nothing was changed.
    """
    moment = unix_time(now)

    def work(repository: Repository) -> Asked:
        if state == "absent":
            repository.enter(wanted.name, wanted.scope, moment)
            until = moment + quarantine_hours * 3600
            return Asked({}, give_up(repository, wanted, holders, purpose, moment, until, named_by))
        pool = opened(repository, wanted, moment, holders)
        requests = [
            Request(holder, purpose, fixed.get(holder), _sections_for(repository, pool, holder, purpose, sections))
            for holder in holders
        ]
        granted = reserve(repository, pool, requests, None, moment)
        return Asked({lease.holder: lease for lease in granted.leases.values()}, granted.changes)

    return database.preview(work) if preview else database.write(work)


def ask_for_another(
    database: Database,
    wanted: Pool,
    holder: str,
    *,
    purpose: str,
    fixed: int | None,
    quarantine_hours: int,
    preview: bool,
    now: datetime | None = None,
) -> Asked:
    """Renumber a holder in one transaction, within what its lease was from; see `renumber`.

    Args:
        database: where leases are kept.
        wanted: which pool; its values are those that it was last declared to hold.
        holder: who needs another value.
        purpose: what it needs it for.
        fixed: the only value that will do; None is the lowest free one.
        quarantine_hours: how long the value that it had rests, if no cloud asked for it.
        preview: find out what would change, and write nothing.
        now: the time to go by.

    Raises:
        AllocationError: the holder has none, or the other value cannot be had; nothing was changed.
    """
    moment = unix_time(now)

    def work(repository: Repository) -> Asked:
        if repository.pool(wanted.name, wanted.scope) is None:
            raise AllocationError(
                f"{wanted.declared_at}: pool {wanted.name} of {within(wanted)} was never declared; "
                "podwright lease pools shows which were"
            )
        pool = opened(repository, wanted, moment)
        sections = _sections_for(repository, pool, holder, purpose)
        request = Request(holder, purpose, fixed, sections)
        changes = renumber(repository, pool, request, moment, moment + quarantine_hours * 3600)
        return Asked({after.holder: after for _, after in changes if after and after.state == "held"}, changes)

    return database.preview(work) if preview else database.write(work)


class Asked(NamedTuple):
    """What came of asking for leases or giving them up."""

    leases: Mapping[str, Lease]
    """{holder: lease}; empty when they were given up"""
    changes: Sequence[LeaseChange]


def _sections_for(
    repository: Repository, pool: Pool, holder: str, purpose: str, first: Sequence[str] = ()
) -> tuple[str, ...]:
    """Where a holder's value may come from: as `_sections`, or `first`; and whatever it holds, it keeps."""
    sections = (*first, SHARED) if first else _sections(pool, holder)
    if pool.sections.keys() <= set(sections):
        return sections
    held = (
        pool.section_of(lease.value)
        for lease in repository.leases_for(pool, [Request(holder, purpose)])
        if (lease.holder, lease.purpose, lease.state) == (holder, purpose, "held")
    )
    return (*sections, *(section for section in held if section is not None and section not in sections))


def _sections(pool: Pool, holder: str) -> tuple[str, ...]:
    """What is dedicated to the holder's account first, then what is for everybody."""
    account = holder.partition("/")[0]
    return (account, SHARED) if account in pool.sections else (SHARED,)
