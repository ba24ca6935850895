"""Granting: from what is leased and what is asked for to who gets which value. Pure.

A holder keeps what it has. A new one gets the lowest value that no lease holds,
whatever the state of that lease: what is on its way out is still taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from podwright.allocation.pools import Pool, PoolName, shown

State = Literal["held", "releasing", "quarantine"]


class Request(NamedTuple):
    """Someone wants a value of a pool; with `fixed`, only that one will do."""

    holder: str
    purpose: str
    fixed: int | None = None


@dataclass(frozen=True, slots=True)
class Lease:
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
    """The cloud whose inventory asks for it; None when a playbook does."""
    since: int
    """When it got into its state (Unix time, s)."""
    state: State = "held"
    until: int | None = None
    """When its quarantine is over (Unix time, s)."""

    @property
    def shown(self) -> str:
        """The value as operators write it."""
        return shown(self.pool, self.value)

    def __str__(self) -> str:
        """One line for a diff or a report."""
        state = "" if self.state == "held" else f" ({self.state})"
        return f"{self.pool} {self.scope} {self.shown} {self.holder} {self.purpose}{state}"


class LeaseChange(NamedTuple):
    """A lease before and after; None is no lease. Of two that are not None, only state and owner differ."""

    before: Lease | None
    after: Lease | None


@dataclass
class Granted:
    """What came of the requests on one pool."""

    leases: dict[tuple[str, str], Lease] = field(default_factory=dict)
    """{(holder, purpose): lease}, of every request that could be served"""
    changes: list[LeaseChange] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """A line for each reason why a request was not served"""


def grant(pool: Pool, leases: Sequence[Lease], requests: Iterable[Request], cloud: str | None, now: int) -> Granted:
    """Serve `requests` from `pool`, of which `leases` are all the leases there are.

    Requests are sorted first, so their order does not matter. Equal requests count once.
    """
    granted = Granted()
    had = {(lease.holder, lease.purpose): lease for lease in leases}
    taken = {lease.value: lease for lease in leases}
    waiting = []
    for request in sorted(set(requests), key=lambda request: (request.fixed is None, request)):
        key = (request.holder, request.purpose)
        lease = granted.leases.get(key) or had.get(key)
        if lease is not None and lease.value not in pool and (pool.renumbers or lease.state == "quarantine"):
            granted.changes.append(LeaseChange(lease, None))
            lease = None
        if lease is not None:
            _keep(pool, request, lease, cloud, now, granted)
        elif request.fixed is not None:
            _grant_fixed(pool, request, taken, cloud, now, granted)
        else:
            waiting.append(request)
    _grant_lowest(pool, waiting, taken, cloud, now, granted)
    return granted


def _keep(pool: Pool, request: Request, lease: Lease, cloud: str | None, now: int, granted: Granted) -> None:
    if lease.cloud is not None and cloud is not None and lease.cloud != cloud:
        granted.problems.append(
            f"{pool.declared_at}: the lease of {described(pool.name, request.holder)} in {within(pool)} belongs to "
            f"cloud {lease.cloud}, and cloud {cloud} asks for it too; give each cloud its own database"
        )
    elif lease.value not in pool:
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
            kept = replace(lease, state="held", since=now, until=None, cloud=cloud)
            granted.changes.append(LeaseChange(lease, kept))
        granted.leases[request.holder, request.purpose] = kept


def _grant_fixed(
    pool: Pool, request: Request, taken: dict[int, Lease], cloud: str | None, now: int, granted: Granted
) -> None:
    value = request.fixed
    assert value is not None
    if value not in pool:
        granted.problems.append(
            f"{pool.declared_at}: {shown(pool.name, value)}, which {described(pool.name, request.holder)} asks for, "
            "is not in it; ask for one that is, or extend it"
        )
    elif owner := taken.get(value):
        granted.problems.append(
            f"{pool.declared_at}: {owner.shown}, which {described(pool.name, request.holder)} asks for, "
            f"belongs to {described(pool.name, owner.holder)} ({owner.state}); ask for another"
        )
    else:
        taken[value] = _lease(pool, request, value, cloud, now, granted)


def _grant_lowest(
    pool: Pool, requests: list[Request], taken: dict[int, Lease], cloud: str | None, now: int, granted: Granted
) -> None:
    free = (value for value in pool if value not in taken)
    for served, request in enumerate(requests):
        value = next(free, None)
        if value is None:
            granted.problems.append(_exhausted(pool, requests[served:], taken.values(), granted, cloud))
            return
        _lease(pool, request, value, cloud, now, granted)


def _lease(pool: Pool, request: Request, value: int, cloud: str | None, now: int, granted: Granted) -> Lease:
    lease = Lease(pool.name, pool.scope, value, request.holder, request.purpose, cloud, now)
    granted.leases[request.holder, request.purpose] = lease
    granted.changes.append(LeaseChange(None, lease))
    return lease


def _exhausted(
    pool: Pool, unserved: Sequence[Request], leases: Iterable[Lease], granted: Granted, cloud: str | None
) -> str:
    def state(lease: Lease) -> State:
        # What this very run would start to release is not to be called held.
        given_up = cloud is not None and lease.cloud == cloud and (lease.holder, lease.purpose) not in granted.leases
        return "releasing" if given_up and lease.state == "held" else lease.state

    states = Counter(state(lease) for lease in leases if lease.value in pool)
    asking = [described(pool.name, request.holder) for request in unserved]
    extend = "" if pool.name == "mac" else f"extend {pool.declared_at}, or "
    return (
        f"{pool.declared_at}: pool {pool.name} of {within(pool)} has no {_NOUN[pool.name]} left for {_listed(asking)}; "
        f"it has {pool.size} in all{_in_states(states)}; {extend}take holders away"
    )


def _in_states(states: Counter[State]) -> str:
    kept: dict[State, str] = {
        "releasing": "not yet seen gone (deploy the removal first)",
        "quarantine": "in quarantine",
    }
    return "".join(f", {states[state]} of them {words}" for state, words in kept.items() if states[state])


def _listed(items: Sequence[str], at_most: int = 5) -> str:
    more = len(items) - at_most
    return ", ".join([*items[:at_most], *([f"and {more} more"] if more > 0 else [])])


def described(pool: PoolName, holder: str) -> str:
    """A holder in words."""
    if pool in ("guest_vlan", "guest_subnet"):
        account, _, network = holder.partition("/")
        return f"network {network} of account {account}"
    return holder


def within(pool: Pool) -> str:
    """A pool's scope in words."""
    return " in ".join(f"{level} {name}" for level, name in reversed(list(_levels(pool))))


def _levels(pool: Pool) -> Iterator[tuple[str, str]]:
    levels: dict[str, tuple[str, ...]] = {
        "guest_subnet": ("zone",),
        "guest_address": ("account", "network"),
        "mac": ("cloud",),
    }
    return zip(levels.get(pool.name, ("zone", "pod")), pool.scope.split("/"), strict=True)


_NOUN: dict[PoolName, str] = {
    "guest_vlan": "VLAN id",
    "guest_subnet": "subnet",
    "guest_address": "address",
    "management_address": "address",
    "public_address": "address",
    "mac": "MAC address",
}
