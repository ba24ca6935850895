"""Granting: from what is leased and what is asked for to who gets which value. Pure.

A holder keeps what it has. A new one gets the lowest value that no lease holds,
whatever the state of that lease: what is on its way out is still taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple

from podwright.allocation.free import FreeValues
from podwright.allocation.pools import SHARED, Pool, PoolName, scope_in_words, shown

State = Literal["held", "releasing", "quarantine"]


class Request(NamedTuple):
    """Someone wants a value of a pool; with `fixed`, only that one will do."""

    holder: str
    purpose: str
    fixed: int | None = None
    sections: tuple[str, ...] = (SHARED,)
    """Where the value may come from, the first choice first"""
    left: tuple[str, ...] = ()
    """Sections that the holder has moved away from: a value of one of them gives way to another"""
    is_fact: bool = False
    """Whether the fixed value is not given but noted: a holder that nobody fixes it to any more loses it at once"""


class Lease(NamedTuple):
    """A value and whose it is.

    `held` is in use. `releasing` is asked for by nobody, but devices may still
    carry it. `quarantine` was seen gone, and is free from `until` on. All of
    them keep the value from anyone else.
    """

    pool: PoolName
    scope: str
    value: int
    holder: str
    purpose: str
    cloud: str | None
    """The cloud whose inventory asks for it; None when a playbook or an operator does."""
    since: int
    """When it got into its state (Unix time, s)."""
    state: State = "held"
    until: int | None = None
    """When its quarantine is over (Unix time, s)."""
    superseded: int = 0
    """0; or the value, when its holder was renumbered and has another lease for the same purpose."""

    @property
    def shown(self) -> str:
        """The value as operators write it."""
        return shown(self.pool, self.value)

    @property
    def as_data(self) -> int | str:
        """The value as YAML has it: numbers are numbers."""
        return self.value if self.shown.isdecimal() else self.shown

    def __str__(self) -> str:
        """One line for a diff or a report."""
        state = "" if self.state == "held" else f" ({self.state})"
        return f"{self.pool} {self.scope} {self.shown} {self.holder} {self.purpose}{state}"


class LeaseChange(NamedTuple):
    """A lease before and after; None is no lease. Of two that are not None, value, holder and purpose are the same."""

    before: Lease | None
    after: Lease | None


@dataclass
class Granted:
    """What came of the requests on one pool."""

    pool: Pool
    leases: dict[tuple[str, str], Lease] = field(default_factory=dict)
    """{(holder, purpose): lease}, of every request that could be served"""
    changes: list[LeaseChange] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """A line for each reason but an empty pool why a request was not served"""
    unserved: list[Request] = field(default_factory=list)
    """Those for whom the pool has nothing left; see `exhausted`"""
    asked: set[tuple[str, str]] = field(default_factory=set)
    """(holder, purpose) of every request"""


def grant(
    pool: Pool, leases: Iterable[Lease], free: FreeValues, requests: Iterable[Request], cloud: str | None, now: int
) -> Granted:
    """Serve `requests` from `pool`, and take what they get from `free`.

    Requests are sorted first, so their order does not matter. Equal requests count once.

    What an inventory fixes is the operator's word: a holder that has another value gets the one that is fixed, and the
    one that it had is released like any other.

    Args:
        pool: what to lease from.
        leases: the leases there are, at least those of the asking holders and of the values that they fix.
        free: the values that no lease has.
        requests: who asks for what.
        cloud: whose inventory asks; None when a playbook or an operator does.
        now: the time to go by (Unix time, s).
    """
    granted = Granted(pool)
    requests = list(dict.fromkeys(requests))  # in their order: it is sorted in no time when it was before
    granted.asked = {request[:2] for request in requests}
    leases = _without_facts_of_old(granted, list(leases), free, requests, cloud)
    had = {(lease.holder, lease.purpose): lease for lease in leases if not lease.superseded}
    taken = {lease.value: lease for lease in leases}
    waiting = []
    fixed = sorted(request for request in requests if request.fixed is not None)
    others = sorted(request for request in requests if request.fixed is None)
    for request in (*fixed, *others):
        key = request[:2]
        lease = granted.leases.get(key)
        if lease is None and (before := had.get(key)) is not None:
            if _gives_way(pool, before, request, cloud):
                taken[before.value] = _let_go(granted, before, cloud, now)
            else:
                lease = before
        if lease is not None:
            _keep(granted, request, lease, cloud, now)
        elif request.fixed is not None:
            _grant_fixed(granted, request, taken, free, cloud, now)
        else:
            waiting.append(request)
    for sections, group in groupby(waiting, key=attrgetter("sections")):
        alike = list(group)
        values = free.take_lowest(sections, len(alike))
        _lease_all(granted, zip(alike, values, strict=False), cloud, now)
        granted.unserved += alike[len(values) :]
    return granted


def _without_facts_of_old(
    granted: Granted, leases: Sequence[Lease], free: FreeValues, requests: Iterable[Request], cloud: str | None
) -> list[Lease]:
    """The leases without those whose values are other holders' by now: two that swap addresses, or one renamed."""
    facts = sorted((request for request in requests if request.is_fact), key=lambda fact: (fact.holder, fact.purpose))
    holders = {fact.fixed: (fact.holder, fact.purpose) for fact in facts}
    outdated = {
        lease
        for lease in leases
        if lease.value in holders
        and holders[lease.value] != (lease.holder, lease.purpose)
        and (lease.purpose, lease.cloud) == (holders[lease.value][1], cloud)
    }
    for lease in sorted(outdated):
        granted.changes.append(LeaseChange(lease, None))
        free.give_back(lease.value)
    return [lease for lease in leases if lease not in outdated]


def _gives_way(pool: Pool, lease: Lease, request: Request, cloud: str | None) -> bool:
    """Whether a holder gets another value instead of the one that it has; else it keeps that, or is refused."""
    section = pool.section_of(lease.value)
    other = request.fixed not in (None, lease.value)
    if lease.state == "quarantine" and (other or section not in request.sections):
        return True
    if other:
        return cloud is not None
    return section in request.left or (section is None and pool.renumbers)


def _let_go(granted: Granted, lease: Lease, cloud: str | None, now: int) -> Lease:
    """Make room for another lease of the same holder; devices may still carry this one."""
    if lease.value not in granted.pool and (granted.pool.renumbers or lease.state == "quarantine"):
        granted.changes.append(LeaseChange(lease, None))
        return lease
    leaving = lease._replace(superseded=lease.value, cloud=lease.cloud or cloud)
    if lease.state == "held":
        leaving = leaving._replace(state="releasing", since=now)
    granted.changes.append(LeaseChange(lease, leaving))
    return leaving


def _keep(granted: Granted, request: Request, lease: Lease, cloud: str | None, now: int) -> None:
    pool = granted.pool
    if pool.section_of(lease.value) not in request.sections:
        granted.problems.append(
            f"{pool.declared_at}: {lease.shown} is no longer in it or is used otherwise, but "
            f"{described(pool.name, request.holder)} has it; put it back, or take the holder away first"
        )
    elif request.fixed not in (None, lease.value):
        granted.problems.append(
            f"{pool.declared_at}: {described(pool.name, request.holder)} has {lease.shown} and asks for "
            f"{shown(pool.name, request.fixed or 0)}; give up the one before asking for the other"
        )
    else:
        kept = lease
        if lease.state != "held" or (lease.cloud is None and cloud is not None):
            kept = lease._replace(state="held", since=now, until=None, cloud=cloud)
            granted.changes.append(LeaseChange(lease, kept))
        granted.leases[request.holder, request.purpose] = kept


def _grant_fixed(
    granted: Granted, request: Request, taken: dict[int, Lease], free: FreeValues, cloud: str | None, now: int
) -> None:
    pool, value = granted.pool, request.fixed
    assert value is not None
    section = pool.section_of(value)
    if section is None:
        granted.problems.append(
            f"{pool.declared_at}: {shown(pool.name, value)}, which {described(pool.name, request.holder)} asks for, "
            "is not in it; ask for one that is, or extend it"
        )
    elif section not in request.sections:
        granted.problems.append(
            f"{pool.declared_at}: {shown(pool.name, value)}, which {described(pool.name, request.holder)} asks for, "
            f"is kept for {section or 'others'}; ask for another"
        )
    elif (owner := taken.get(value)) and (owner.holder, owner.purpose) == (request.holder, request.purpose):
        # It had this value before the one that has just given way.
        back = owner._replace(state="held", since=now, until=None, superseded=0, cloud=cloud or owner.cloud)
        granted.changes.append(LeaseChange(owner, back))
        granted.leases[request.holder, request.purpose] = taken[value] = back
    elif owner:
        granted.problems.append(
            f"{pool.declared_at}: {owner.shown}, which {described(pool.name, request.holder)} asks for, "
            f"belongs to {described(pool.name, owner.holder)} ({owner.state}); ask for another"
        )
    else:
        if not free.take(value):
            raise AssertionError(f"{pool.name} {pool.scope}: {value} is neither leased nor free")
        _lease_all(granted, [(request, value)], cloud, now)
        taken[value] = granted.leases[request.holder, request.purpose]


def _lease_all(granted: Granted, given: Iterable[tuple[Request, int]], cloud: str | None, now: int) -> None:
    """Give each its value; there may be 100,000 of them."""
    name, scope, leases = granted.pool.name, granted.pool.scope, granted.leases
    for (holder, purpose, *_), value in given:
        leases[holder, purpose] = lease = Lease(name, scope, value, holder, purpose, cloud, now)
        granted.changes.append(LeaseChange(None, lease))


def exhausted(granted: Granted, leases: Iterable[Lease], given_up: Iterable[Lease] = ()) -> str:
    """Why the unserved requests were not served.

    Args:
        granted: what came of the requests; some are unserved.
        leases: every lease of the pool.
        given_up: those that this very run starts to release.
    """
    pool = granted.pool
    sections = sorted({section for request in granted.unserved for section in request.sections})
    leaving = set(given_up)
    states: Counter[str] = Counter(
        "releasing" if lease in leaving else lease.state for lease in leases if pool.section_of(lease.value) in sections
    )
    asking = [described(pool.name, request.holder) for request in granted.unserved]
    kept_for = f" for {', '.join(section or 'everybody' for section in sections)}" if sections != [SHARED] else ""
    places = {section.partition(":")[0] for section in sections}
    place = pool.declared_at.replace("*", places.pop()) if len(places) == 1 else pool.declared_at
    extend = "" if pool.name == "mac" else f"extend {place}, or "
    return (
        f"{place}: pool {pool.name} of {within(pool)} has no {pool.kind.noun} left for {listed(asking)}; "
        f"it has {pool.size_of(sections)} in all{kept_for}{_in_states(states)}; {extend}take holders away"
    )


def stranded(pool: Pool, outside: Iterable[Lease]) -> str | None:
    """Why a pool cannot be declared like this, which leaves leases outside; None when it can."""
    lost = [lease for lease in outside if lease.state == "held"]
    if not lost or pool.renumbers:
        return None
    holders = listed([f"{lease.shown} of {described(pool.name, lease.holder)}" for lease in lost])
    return (
        f"{pool.declared_at}: {holders} would no longer be in it, or is used otherwise; "
        "put it back, or take the holders away first"
    )


def _in_states(states: Mapping[str, int]) -> str:
    kept = {
        "releasing": "not yet seen gone (deploy the removal first)",
        "quarantine": "in quarantine",
    }
    return "".join(f", {states[state]} of them {words}" for state, words in kept.items() if states.get(state))


def listed(items: Sequence[str], at_most: int = 5) -> str:
    """The first of many, for people."""
    more = len(items) - at_most
    return ", ".join([*items[:at_most], *([f"and {more} more"] if more > 0 else [])])


def described(pool: PoolName, holder: str) -> str:
    """A holder in words."""
    if pool in ("guest_vlan", "guest_subnet", "vni"):
        account, _, network = holder.partition("/")
        return f"network {network} of account {account}"
    return holder


def within(pool: Pool) -> str:
    """A pool's scope in words."""
    return scope_in_words(pool.name, pool.scope)
