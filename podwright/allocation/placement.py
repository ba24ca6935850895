"""Placement: which hypervisor of a pod runs which domain. Pure.

A domain stays where it is as long as it may stay there. A new one goes to the
hypervisor whose memory is used least (by share, then by name) among those that
have room for it and run no other machine of its anti-affinity group.

A domain that moves has two placements until its release is settled: the one that
is held, and one on its old hypervisor, which may still run it, that is `releasing`.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from podwright.allocation.grant import State

# Virtual CPUs promised per CPU of a hypervisor: machines seldom all compute at once. Memory is never promised twice.
VCPU_OVERCOMMIT = 4


class Capacity(NamedTuple):
    """What a hypervisor has, or what a domain needs."""

    vcpus: int
    memory_mib: int


class PlacementRequest(NamedTuple):
    """A domain that has to run somewhere in a pod."""

    domain: str
    needs: Capacity
    group: tuple[str, str] | None = None
    """(account, anti-affinity group): no two of one group share a hypervisor"""
    hypervisor: str | None = None
    """The only one that will do"""


@dataclass(frozen=True, slots=True)
class Placement:
    """A domain on a hypervisor; `releasing`, it should not be there, but may be."""

    scope: str
    """`<zone>/<pod>`"""
    domain: str
    hypervisor: str
    vcpus: int
    memory_mib: int
    cloud: str
    since: int
    """When it got there or into its state (Unix time, s)"""
    state: State = "held"

    def __str__(self) -> str:
        """One line for a diff or a report."""
        state = "" if self.state == "held" else f" ({self.state})"
        return f"placement {self.scope} {self.hypervisor} {self.domain}{state}"


class PlacementChange(NamedTuple):
    """A domain's placement on one hypervisor before and after; None is no placement."""

    before: Placement | None
    after: Placement | None


@dataclass
class Placed:
    """What came of the requests of one pod."""

    scope: str
    hypervisors: dict[str, str] = field(default_factory=dict)
    """{domain: hypervisor}, of every domain that found room"""
    changes: list[PlacementChange] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class _Room:
    """What is left of a hypervisor."""

    has: Capacity
    vcpus: int
    memory_mib: int
    groups: set[tuple[str, str]] = field(default_factory=set)

    def fits(self, request: PlacementRequest) -> bool:
        return (
            request.needs.vcpus <= self.vcpus
            and request.needs.memory_mib <= self.memory_mib
            and request.group not in self.groups
        )

    def take(self, needs: Capacity, group: tuple[str, str] | None = None) -> None:
        self.vcpus -= needs.vcpus
        self.memory_mib -= needs.memory_mib
        if group is not None:
            self.groups.add(group)

    @property
    def used(self) -> float:
        """The share of its memory that is used."""
        return 1 - self.memory_mib / self.has.memory_mib


def place(
    scope: str,
    hypervisors: Mapping[str, Capacity],
    placements: Iterable[Placement],
    requests: Sequence[PlacementRequest],
    cloud: str,
    now: int,
) -> Placed:
    """Find a hypervisor of the pod `scope` for every request; `placements` are all that the pod has."""
    placed = Placed(scope)
    rooms = {name: _Room(has, has.vcpus * VCPU_OVERCOMMIT, has.memory_mib) for name, has in sorted(hypervisors.items())}
    had = defaultdict(list)
    for placement in sorted(placements, key=_last):
        had[placement.domain].append(placement)
    _leave_room_for_the_leaving(rooms, had, requests)
    homeless = []
    for request in sorted(requests, key=lambda request: _precedence(request, had[request.domain])):
        before = had[request.domain]
        where = request.hypervisor or (before[-1].hypervisor if before else None)
        room = rooms.get(where) if where else None
        if where and room and room.fits(request):
            room.take(request.needs, request.group)
            _note(placed, before, scope, request, where, cloud, now)
        elif request.hypervisor:
            placed.problems.append(_no_room(scope, request, rooms))
        else:
            homeless.append(request)
    for request, where in _spread(scope, homeless, rooms, placed):
        _note(placed, had[request.domain], scope, request, where, cloud, now)
    return placed


def lost(placements: Iterable[Placement], hypervisors: Mapping[str, Collection[str]], cloud: str) -> list[Placement]:
    """The placements of `cloud` on hypervisors that their pods ({scope: hypervisors}) no longer have.

    Nobody can stop those domains: placed anew they would run twice.
    """
    return [
        placement
        for placement in placements
        if placement.cloud == cloud and placement.hypervisor not in hypervisors.get(placement.scope, ())
    ]


def refusal(placements: Iterable[Placement]) -> list[str]:
    """A line for each hypervisor that was `lost`."""
    domains = defaultdict(set)
    for placement in placements:
        domains[placement.scope, placement.hypervisor].add(placement.domain)
    return [
        f"{_path(scope)}: {hypervisor} is gone from the declaration but holds {_names(sorted(held))}; "
        "declare it again, deploy with memory_mib: 1 there, so that all of them move away, and take it out after that; "
        "or, if it is dead for good, deploy with -e podwright_confirm_lost_hypervisors=true"
        for (scope, hypervisor), held in sorted(domains.items())
    ]


def _last(placement: Placement) -> tuple[bool, int, str]:
    """Sorts the placement that a domain had last behind those that it left."""
    return (placement.state == "held", placement.since, placement.hypervisor)


def _leave_room_for_the_leaving(
    rooms: Mapping[str, _Room], placements: Mapping[str, Iterable[Placement]], requests: Iterable[PlacementRequest]
) -> None:
    """Domains that go keep their room; those that move give theirs up before others start in the same run."""
    for domain in placements.keys() - {request.domain for request in requests}:
        for placement in placements[domain]:
            if placement.hypervisor in rooms:
                rooms[placement.hypervisor].take(Capacity(placement.vcpus, placement.memory_mib))


def _precedence(request: PlacementRequest, before: Sequence[Placement]) -> tuple[bool, bool, bool, str]:
    """Who chooses first: whoever can stay as it is, so that neither a new nor a grown domain drives it away."""
    stays = bool(before) and request.hypervisor in (None, before[-1].hypervisor)
    grows = bool(before) and request.needs != (before[-1].vcpus, before[-1].memory_mib)
    return (not stays, grows, request.hypervisor is None, request.domain)


def _spread(
    scope: str, requests: Iterable[PlacementRequest], rooms: Mapping[str, _Room], placed: Placed
) -> Iterable[tuple[PlacementRequest, str]]:
    """Place each request on the least used hypervisor that has room, the largest first: small ones fit the gaps."""
    least_used = [(room.used, name) for name, room in rooms.items()]
    heapq.heapify(least_used)
    for request in sorted(requests, key=lambda request: (-request.needs.memory_mib, request.domain)):
        passed_over = []
        while least_used and not rooms[least_used[0][1]].fits(request):
            passed_over.append(heapq.heappop(least_used))
        if least_used:
            name = least_used[0][1]
            rooms[name].take(request.needs, request.group)
            heapq.heapreplace(least_used, (rooms[name].used, name))
            yield request, name
        else:
            placed.problems.append(_no_room(scope, request, rooms))
        for item in passed_over:
            heapq.heappush(least_used, item)


def _note(
    placed: Placed,
    before: Sequence[Placement],
    scope: str,
    request: PlacementRequest,
    hypervisor: str,
    cloud: str,
    now: int,
) -> None:
    after = Placement(scope, request.domain, hypervisor, *request.needs, cloud=cloud, since=now)
    placed.hypervisors[request.domain] = hypervisor
    here = next((placement for placement in before if placement.hypervisor == hypervisor), None)
    placed.changes += [  # first: a domain has only one placement that is held
        PlacementChange(placement, replace(placement, state="releasing", since=now))
        for placement in before
        if placement.hypervisor != hypervisor and placement.state == "held"
    ]
    if here is None or here != replace(after, since=here.since):
        placed.changes.append(PlacementChange(here, after))


def _no_room(scope: str, request: PlacementRequest, rooms: Mapping[str, _Room]) -> str:
    zone, _, pod = scope.partition("/")
    only = f" on {request.hypervisor}, where it is pinned," if request.hypervisor else ""
    left = defaultdict(list)
    for name, room in rooms.items():
        taken = " and a machine of its anti-affinity group" if request.group in room.groups else ""
        left[f"{room.vcpus} vCPUs and {room.memory_mib} MiB{taken}"].append(name)
    return (
        f"{_path(scope)}: {request.domain} needs {request.needs.vcpus} vCPUs and "
        f"{request.needs.memory_mib} MiB{only} and finds no room in pod {pod} in zone {zone}; "
        f"left: {'; '.join(f'{_names(names)} {room}' for room, names in left.items()) or 'no hypervisor'}; "
        "add a hypervisor, or take machines away"
    )


def _path(scope: str) -> str:
    zone, _, pod = scope.partition("/")
    return f"zones.{zone}.pods.{pod}.hypervisors"


def _names(names: Sequence[str], at_most: int = 8) -> str:
    more = len(names) - at_most
    return ", ".join([*names[:at_most], *([f"{more} more"] if more > 0 else [])])
