"""How full pools, hypervisors and storage servers are, and when they will be. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from podwright.allocation.enquiry import current
from podwright.allocation.grant import Lease
from podwright.allocation.history import VOLUME_POOL, Event, size_gib_of
from podwright.allocation.placement import VCPU_OVERCOMMIT, Capacity, Placement
from podwright.allocation.pools import DeclaredPool, PoolName, scope_in_words
from podwright.allocation.room import pod_in_words
from podwright.allocation.volumes import Server, Volume

DAY_S = 24 * 3600
MONTH_S = 30 * DAY_S

# What grows so slowly does not grow.
_HORIZON_S = 100 * 365 * DAY_S


class Usage(NamedTuple):
    """How full a section of a pool is."""

    pool: PoolName
    scope: str
    section: str
    size: int
    held: int
    releasing: int
    quarantine: int
    empty_at: int | None
    """When it is empty at last month's rate (Unix time, s); None: not at that rate, or not in a century"""

    @property
    def used(self) -> int:
        """The values that nobody else can have."""
        return self.held + self.releasing + self.quarantine

    @property
    def free(self) -> int:
        """The values that can be had."""
        return self.size - self.used

    @property
    def percent(self) -> float:
        """The share of its values that are used."""
        return 100 * self.used / self.size


class Promised(NamedTuple):
    """What is promised of a hypervisor, and what there is to promise where that is known."""

    scope: str
    hypervisor: str
    domains: int
    vcpus: int
    memory_mib: int
    vcpus_of: int | None = None
    """Its CPUs, each as often as it may be promised"""
    memory_mib_of: int | None = None


class Filled(NamedTuple):
    """What is leased of a storage server, and what there is to lease where that is known."""

    scope: str
    server: str
    volumes: int
    size_gib: int
    """Of all volumes"""
    left_behind_gib: int
    """Of those whose domains were taken away"""
    storage_iops: int
    size_gib_of: int | None = None
    storage_iops_of: int | None = None
    empty_at: int | None = None
    """When it is full at last month's rate (Unix time, s); None: not known, not at that rate, or not in a century"""


def usage(
    pools: Iterable[DeclaredPool],
    leases: Iterable[Lease],
    events: Iterable[Event],
    begins: Mapping[tuple[str, str], int],
    now: int,
) -> Iterator[Usage]:
    """How full each section of each pool is.

    Args:
        pools: as they are declared.
        leases: all of theirs.
        events: what happened to them in the last `MONTH_S`, and maybe before.
        begins: {(pool, scope): when its history begins (Unix time, s)}
        now: the time to go by (Unix time, s).
    """
    leases = list(leases)
    of_pool: defaultdict[tuple[str, str], list[Lease]] = defaultdict(list)
    for lease in current(leases, now):
        of_pool[lease.pool, lease.scope].append(lease)
    taken = _taken(events, leases, now)
    for declared in sorted(pools):
        pool = declared.as_pool()
        key = (pool.name, pool.scope)
        counted = Counter((pool.section_of(lease.value), lease.state) for lease in of_pool[key])
        growth: Counter[str | None] = Counter()
        for value, count in taken[key].items():
            growth[pool.section_of(value)] += count
        over_s = _watched_s(begins.get(key, now), now)
        for section in sorted(pool.sections):
            size = pool.size_of({section})
            held, releasing, quarantine = (counted[section, state] for state in ("held", "releasing", "quarantine"))
            empty_at = empties_at(size - held - releasing - quarantine, growth[section], over_s, now)
            yield Usage(pool.name, pool.scope, section, size, held, releasing, quarantine, empty_at)


def _watched_s(begins_at: int, now: int) -> int:
    """How much of the last month there is a history of (s)."""
    return min(max(now - begins_at, DAY_S), MONTH_S)


def empties_at(free: int, growth: int, over_s: int, now: int) -> int | None:
    """When a pool is empty if it goes on as it did (Unix time, s); None if it does not, or not in a century.

    Args:
        free: the values that it has left.
        growth: the values taken less those given back.
        over_s: in which time (s).
        now: the time to go by (Unix time, s).
    """
    if free <= 0:
        return now
    if growth <= 0:
        return None
    left_s = -(-free * over_s // growth)
    return now + left_s if left_s <= _HORIZON_S else None


def _taken(events: Iterable[Event], leases: Iterable[Lease], now: int) -> Mapping[tuple[str, str], Counter[int]]:
    """{(pool, scope): {value: how often it was taken less how often it was given back}}, in the last month."""
    taken: defaultdict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for event in events:
        if event.value is not None and event.at > now - MONTH_S:
            taken[event.pool, event.scope][event.value] += (event.before is None) - (event.after is None)
    for lease in leases:
        if lease.until is not None and now - MONTH_S < lease.until <= now:  # nobody has written that down yet
            taken[lease.pool, lease.scope][lease.value] -= 1
    return taken


def promised(placements: Iterable[Placement], capacities: Mapping[tuple[str, str], Capacity]) -> Iterator[Promised]:
    """What is promised of each hypervisor, also to domains that are about to leave it.

    Args:
        placements: all of theirs.
        capacities: {(pod's scope, hypervisor): what it has}, as far as that is known.
    """
    on: defaultdict[tuple[str, str], list[Placement]] = defaultdict(list)
    for placement in placements:
        on[placement.scope, placement.hypervisor].append(placement)
    for key in sorted({*on, *capacities}):
        here = on[key]
        amounts = len(here), sum(each.vcpus for each in here), sum(each.memory_mib for each in here)
        has = capacities.get(key)
        yield Promised(*key, *amounts, *((has.vcpus * VCPU_OVERCOMMIT, has.memory_mib) if has else ()))


def filled(
    volumes: Iterable[Volume],
    servers: Mapping[tuple[str, str], Server],
    events: Iterable[Event],
    begins: Mapping[tuple[str, str], int],
    now: int,
) -> Iterator[Filled]:
    """What is leased of each storage server, also to domains that left their disks behind.

    Args:
        volumes: all of theirs.
        servers: {(pod's scope, storage server): what it has}, as far as that is known.
        events: what happened in the last `MONTH_S`, and maybe before, to volumes and others.
        begins: {(pool, scope): when its history begins (Unix time, s)}
        now: the time to go by (Unix time, s).
    """
    on: defaultdict[tuple[str, str], list[Volume]] = defaultdict(list)
    for volume in volumes:
        on[volume.scope, volume.server].append(volume)
    growth: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.pool == VOLUME_POOL and event.at > now - MONTH_S:
            growth[event.scope, event.purpose] += size_gib_of(event.after) - size_gib_of(event.before)
    for key in sorted({*on, *servers}):
        size_gib = sum(each.size_gib for each in on[key])
        left_behind_gib = sum(each.size_gib for each in on[key] if each.state != "held")
        counts = len(on[key]), size_gib, left_behind_gib, sum(each.storage_iops for each in on[key])
        has = servers.get(key)
        if has is None:
            yield Filled(*key, *counts)
        else:
            over_s = _watched_s(begins.get((VOLUME_POOL, key[0]), now), now)
            empty_at = empties_at(has.capacity_gib - size_gib, growth[key], over_s, now)
            yield Filled(*key, *counts, has.capacity_gib, has.storage_iops, empty_at)


def fuller(
    pools: Iterable[Usage], hypervisors: Iterable[Promised], servers: Iterable[Filled], percent: float
) -> Iterator[str]:
    """A line for each pool, each pod's vCPUs and memory, and each storage server, if more than `percent` is used.

    Disks stay where they are, so that room on one storage server is none on another.
    """
    for each in pools:
        if each.percent > percent:
            whose = f", for {each.section}" if each.section else ""
            place = scope_in_words(each.pool, each.scope)
            yield f"pool {each.pool} of {place}{whose}: {each.used} of {each.size} are used ({int(each.percent)}%)"
    pods: defaultdict[str, list[Promised]] = defaultdict(list)
    for hypervisor in hypervisors:
        pods[hypervisor.scope].append(hypervisor)
    for scope, those in sorted(pods.items()):
        yield from _more_than(
            percent,
            f"hypervisors of {pod_in_words(scope)}",
            "promised",
            ("vCPUs", sum(each.vcpus for each in those), sum(each.vcpus_of or 0 for each in those)),
            ("MiB", sum(each.memory_mib for each in those), sum(each.memory_mib_of or 0 for each in those)),
        )
    for server in servers:
        yield from _more_than(
            percent,
            f"storage server {server.server} of {pod_in_words(server.scope)}",
            "leased",
            ("GiB", server.size_gib, server.size_gib_of or 0),
            ("IOPS", server.storage_iops, server.storage_iops_of or 0),
        )


def _more_than(percent: float, where: str, done: str, *amounts: tuple[str, int, int]) -> Iterator[str]:
    for unit, used, has in amounts:
        if has and 100 * used / has > percent:
            yield f"{where}: {used} of {has} {unit} are {done} ({int(100 * used / has)}%)"
