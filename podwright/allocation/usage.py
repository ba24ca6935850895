"""How full pools and hypervisors are, and when pools will be empty. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from podwright.allocation.enquiry import current
from podwright.allocation.grant import Lease
from podwright.allocation.history import Event
from podwright.allocation.placement import VCPU_OVERCOMMIT, Capacity, Placement
from podwright.allocation.pools import DeclaredPool, PoolName, scope_in_words

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
        over_s = min(max(now - begins.get(key, now), DAY_S), MONTH_S)
        for section in sorted(pool.sections):
            size = pool.size_of({section})
            held, releasing, quarantine = (counted[section, state] for state in ("held", "releasing", "quarantine"))
            empty_at = empties_at(size - held - releasing - quarantine, growth[section], over_s, now)
            yield Usage(pool.name, pool.scope, section, size, held, releasing, quarantine, empty_at)


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


def fuller(pools: Iterable[Usage], hypervisors: Iterable[Promised], percent: float) -> Iterator[str]:
    """A line for each pool, and each pod's vCPUs and memory, of which more than `percent` is used."""
    for each in pools:
        if each.percent > percent:
            whose = f", for {each.section}" if each.section else ""
            place = scope_in_words(each.pool, each.scope)
            yield f"pool {each.pool} of {place}{whose}: {each.used} of {each.size} are used ({int(each.percent)}%)"
    pods: defaultdict[str, list[Promised]] = defaultdict(list)
    for hypervisor in hypervisors:
        pods[hypervisor.scope].append(hypervisor)
    for scope, those in sorted(pods.items()):
        for unit, used, has in (
            ("vCPUs", sum(each.vcpus for each in those), sum(each.vcpus_of or 0 for each in those)),
            ("MiB", sum(each.memory_mib for each in those), sum(each.memory_mib_of or 0 for each in those)),
        ):
            if has and 100 * used / has > percent:
                place = scope_in_words("guest_vlan", scope)
                yield f"hypervisors of {place}: {used} of {has} {unit} are promised ({int(100 * used / has)}%)"
