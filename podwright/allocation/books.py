"""All pools of a database at once, so that a whole cloud is served without asking it again. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from podwright.allocation.free import FreeRange, FreeValues, free_values
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
from podwright.allocation.pools import DeclaredPool, Pool, scope_in_words

Key = tuple[str, str]


class Books:
    """What is leased and what is free, pool by pool, and what becomes of it."""

    def __init__(
        self, declared: Mapping[Key, DeclaredPool], leases: Sequence[Lease], free: Mapping[Key, Collection[FreeRange]]
    ) -> None:
        """Open the books.

        Args:
            declared: {(pool, scope): how it was last declared}
            leases: every lease.
            free: {(pool, scope): its free ranges}
        """
        self.declared = declared
        self.leases = leases
        self.redeclared: list[Pool] = []
        """Pools that hold other values than they did when they were last declared, or were not declared at all"""
        self.free_values: list[FreeValues] = []
        """What is free in each pool that was asked"""
        self._free = free
        self._leases: defaultdict[Key, list[Lease]] = defaultdict(list)
        for lease in leases:
            self._leases[lease.pool, lease.scope].append(lease)

    def serve(self, pool: Pool, requests: Iterable[Request], cloud: str, now: int) -> Granted:
        """Serve requests from a pool as it is declared now."""
        key = (pool.name, pool.scope)
        leases, before = self._leases[key], self._free.get(key, ())
        known = self.declared.get(key)
        if known is not None and known.cloud not in (None, cloud):
            return Granted(pool, problems=[_of_another_cloud(pool, known, cloud)])
        if known is not None and (known.declared, known.cloud) == (pool.declared, cloud):
            free = FreeValues(pool, before)
        else:
            free = FreeValues(pool, before, free_values(pool, (lease.value for lease in leases)))
            self.redeclared.append(pool)
        self.free_values.append(free)
        return grant(pool, leases, free, requests, cloud, now)

    def problems(self, granted: Iterable[Granted], given_up: Iterable[LeaseChange]) -> Iterator[str]:
        """A line for each reason why something was not granted; what is given up in this run counts as such."""
        leaving = {change.before for change in given_up if change.before}
        redeclared = {id(pool) for pool in self.redeclared}
        for outcome in granted:
            leases = self._leases[outcome.pool.name, outcome.pool.scope]
            yield from outcome.problems
            yield from self._scopes_that_meet(outcome.pool)
            if outcome.unserved:
                yield exhausted(outcome, leases, leaving)
            if id(outcome.pool) in redeclared:
                others = (lease for lease in leases if (lease.holder, lease.purpose) not in outcome.asked)
                outside = (lease for lease in others if lease not in leaving and lease.value not in outcome.pool)
                problem = stranded(outcome.pool, outside)
                yield from [problem] if problem else []

    def _scopes_that_meet(self, pool: Pool) -> Iterator[str]:
        """Why a zone's pool cannot be while pods have leases from pools of their own, or the other way round."""
        if pool.name != "guest_vlan":
            return
        scopes = [scope for name, scope in self._leases if name == pool.name]
        for scope in scopes:
            inner, outer = sorted((scope, pool.scope), key=len, reverse=True)
            if inner.startswith(f"{outer}/"):
                leases = self._leases[pool.name, scope]
                carried = [lease for lease in leases if lease.cloud is not None and lease.state != "quarantine"]
                if carried:
                    yield _carried_elsewhere(pool, carried)


def _carried_elsewhere(pool: Pool, leases: Sequence[Lease]) -> str:
    holders = listed([f"{lease.shown} of {described(lease.pool, lease.holder)}" for lease in leases])
    return (
        f"{pool.declared_at}: in {scope_in_words(pool.name, leases[0].scope)} it would meet {holders}; "
        "declare the VLAN ids there again, and deploy without these guest networks first"
    )


def _of_another_cloud(pool: Pool, known: DeclaredPool, cloud: str) -> str:
    return (
        f"{pool.declared_at}: pool {pool.name} of {within(pool)} belongs to cloud {known.cloud}, and cloud {cloud} "
        "declares it too; give each cloud its own database"
    )
