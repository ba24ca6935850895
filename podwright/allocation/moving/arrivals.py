"""Leases that come from somewhere else, and whether there is room for them beside those that are there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from podwright.allocation.grant import Lease, described
from podwright.allocation.moving.contents import Key, Located, Source
from podwright.allocation.moving.fields import sections_text
from podwright.allocation.moving.plain_yaml import shown
from podwright.allocation.pools import DeclaredPool, scope_in_words
from podwright.errors import Mistake


class Arrived(NamedTuple):
    """What came of leases that arrived."""

    new: list[Lease]
    """Those that were not there"""
    conflicts: list[Mistake]


class Target:
    """What is there already."""

    def __init__(
        self, declared: Mapping[Key, DeclaredPool], leases: Iterable[Lease], undeclared: Iterable[Key] = ()
    ) -> None:
        """Look at a database.

        Args:
            declared: {(pool, scope): how it is declared there, or will be}
            leases: every lease there.
            undeclared: pools (name, scope) that leases may be from although they are not declared.
        """
        self.pools = {key: pool.as_pool() for key, pool in declared.items()}
        self.declared = declared
        self.undeclared = set(undeclared)
        self.leases = list(leases)

    @cached_property
    def by_value(self) -> dict[tuple[str, str, int], Lease]:
        """Leases by pool, scope and value."""
        return {lease[:3]: lease for lease in self.leases}

    @cached_property
    def by_holder(self) -> dict[tuple[str, str, str, str], Lease]:
        """Leases that are not superseded, by pool, scope, holder and purpose."""
        return {_of_holder(lease): lease for lease in self.leases if not lease.superseded}


def arrive(arriving: Iterable[Located[Lease]], target: Target) -> Arrived:
    """Put leases beside those that are there.

    One that is there already, whatever its state, is left alone.
    """
    arrived = Arrived([], [])
    values: dict[tuple[str, str, int], Located[Lease]] = {}
    holders: dict[tuple[str, str, str, str], Located[Lease]] = {}
    for each in arriving:
        lease = each.record
        conflicts = list(_conflicts_within(each, values, holders))
        there = target.by_value.get(lease[:3])
        if there is None or there[3:5] != lease[3:5]:
            conflicts += _conflicts(each, there, target)
            arrived.new.append(lease)
        arrived.conflicts.extend(conflicts)
        values.setdefault(lease[:3], each)
        if not lease.superseded:
            holders.setdefault(_of_holder(lease), each)
    return arrived


def _of_holder(lease: Lease) -> tuple[str, str, str, str]:
    return (lease.pool, lease.scope, lease.holder, lease.purpose)


def _conflicts_within(
    each: Located[Lease],
    values: Mapping[tuple[str, str, int], Located[Lease]],
    holders: Mapping[tuple[str, str, str, str], Located[Lease]],
) -> Iterator[Mistake]:
    lease, source, _ = each
    where = f"{lease.pool} of {scope_in_words(lease.pool, lease.scope)}"
    first = values.get(lease[:3])
    if first is not None:
        who = described(lease.pool, first.record.holder)
        remedy = f"{_place(first.source)} gives it to {who}: take one of them out"
        yield source.mistake("value", lease.shown, f"leased only once in {where}", remedy)
    if lease.superseded:
        return
    first = holders.get(_of_holder(lease))
    if first is not None and first.record.value != lease.value:
        remedy = f"{_place(first.source)} gives it {first.record.shown}: take one of them out"
        yield source.mistake("holder", lease.holder, f"without another value in {where} for {lease.purpose}", remedy)


def _place(source: Source) -> str:
    return f"{source}: {source.path}" if source.line is None and source.path else str(source)


def _conflicts(each: Located[Lease], there: Lease | None, target: Target) -> Iterator[Mistake]:
    lease, source, outside = each
    where = f"{lease.pool} of {scope_in_words(lease.pool, lease.scope)}"
    if there is not None:
        who = f"{described(there.pool, there.holder)} has it for {there.purpose} ({there.state})"
        remedy = "take it out of the file, or let that lease go first"
        yield source.mistake("value", lease.shown, f"free in {where}, where {who}", remedy)
    other = None if lease.superseded else target.by_holder.get(_of_holder(lease))
    if other is not None and other.value != lease.value:
        expected = f"without another value in {where}, where it has {other.shown} for {other.purpose} ({other.state})"
        remedy = "take it out of the file, or renumber the holder first"
        yield source.mistake("holder", lease.holder, expected, remedy)
    yield from _conflicts_with_the_pool(lease, source, outside, target)


def _conflicts_with_the_pool(lease: Lease, source: Source, outside: bool, target: Target) -> Iterator[Mistake]:
    key = (lease.pool, lease.scope)
    declared = target.declared.get(key)
    if declared is None:
        if key not in target.undeclared:
            remedy = "declare it first, or correct pool and scope"
            yield source.mistake("scope", f"{lease.pool} {lease.scope}", "a pool that was declared", remedy)
        return
    if lease.value not in target.pools[key] and not outside:
        values = shown(sections_text(declared.pool, declared.declared))
        expected = f"in pool {lease.pool} of {scope_in_words(*key)}, which has {values or 'nothing'}"
        yield source.mistake(
            "value", lease.shown, expected, f"extend {declared.declared_at}, or take it out of the file"
        )
    if None not in (lease.cloud, declared.cloud) and lease.cloud != declared.cloud:
        expected = f"the cloud of that pool: {declared.cloud} declares it at {declared.declared_at}"
        yield source.mistake("cloud", lease.cloud, expected, "give each cloud its own database")
