"""Placement: which hypervisor of a pod runs which domain. Pure.

A domain stays where it is as long as it may stay there. A new one goes to the
hypervisor whose memory is used least (by share, then by name) among those that
have room for it and run no other machine of its anti-affinity group: first among
the hypervisors that are dedicated to its account, then among those that are for
all, never among those of another account. It stays on one that is for all when its
own gets room later.

Room is what is not promised of virtual CPUs, memory, Mbit/s and operations a second.
Memory alone says how much a hypervisor is used: every hypervisor declares it, and
it is never promised twice. New domains choose in the order of what they need, the
one that needs the largest share of anything first, so that small ones fit the gaps.

The limits of a pod hold for all of its domains together, also for those that are on
their way out: they still run. Whoever can stay as it is comes first there, too.

A domain that moves has two placements until its release is settled: the one that
is held, and one on its old hypervisor, which may still run it, that is `releasing`.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from operator import le, sub
from typing import ClassVar, NamedTuple

from podwright.allocation.grant import State
from podwright.allocation.room import amounts, left_in_words, pod_in_words, pod_path, share, some, unlimited

# Virtual CPUs promised per CPU of a hypervisor: machines seldom all compute at once. Memory is never promised twice.
VCPU_OVERCOMMIT = 4


# What hypervisors and pods have, in the words of people; a pod counts its machines, too.
_UNITS = ("vCPUs", "MiB", "Mbit/s", "IOPS")
_POD_UNITS = ("machines", *_UNITS)


class Needs(NamedTuple):
    """What a domain needs."""

    vcpus: int
    memory_mib: int
    network_mbit_s: int
    """Of all its NICs"""
    storage_iops: int


class Capacity(NamedTuple):
    """What a hypervisor has; None is not limited."""

    vcpus: int
    memory_mib: int
    network_mbit_s: int | None = None
    storage_iops: int | None = None


class Host(NamedTuple):
    """A hypervisor that domains can be placed on."""

    has: Capacity
    dedicated_to: str | None = None
    """The account that has it alone"""


class Limits(NamedTuple):
    """What all domains of a pod may have together; None is not limited."""

    machines: int | None = None
    vcpus: int | None = None
    memory_mib: int | None = None
    network_mbit_s: int | None = None
    storage_iops: int | None = None


class PlacementRequest(NamedTuple):
    """A domain that has to run somewhere in a pod."""

    domain: str
    account: str
    needs: Needs
    group: tuple[str, str] | None = None
    """(account, anti-affinity group): no two of one group share a hypervisor"""
    hypervisor: str | None = None
    """The only one that will do"""


@dataclass(frozen=True, slots=True)
class Placement:
    """A domain on a hypervisor; `releasing`, it should not be there, but may be."""

    pool: ClassVar[str] = "placement"

    scope: str
    """`<zone>/<pod>`"""
    domain: str
    hypervisor: str
    vcpus: int
    memory_mib: int
    network_mbit_s: int
    storage_iops: int
    cloud: str
    since: int
    """When it got there or into its state (Unix time, s)"""
    state: State = "held"

    @property
    def where(self) -> str:
        """What has it."""
        return self.hypervisor

    @property
    def needs(self) -> Needs:
        """What its domain was promised there."""
        return Needs(self.vcpus, self.memory_mib, self.network_mbit_s, self.storage_iops)

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

    host: Host
    left: tuple[float, ...]
    """In the order of `_UNITS`"""
    groups: set[tuple[str, str]] = field(default_factory=set)

    def fits(self, request: PlacementRequest) -> bool:
        return (
            all(map(le, request.needs, self.left))
            and request.group not in self.groups
            and self.host.dedicated_to in (None, request.account)
        )

    def take(self, needs: Needs, group: tuple[str, str] | None = None) -> None:
        self.left = tuple(map(sub, self.left, needs))
        if group is not None:
            self.groups.add(group)

    @property
    def used(self) -> float:
        """The share of its memory that is used."""
        return 1 - self.left[1] / self.host.has.memory_mib


def place(
    scope: str,
    hypervisors: Mapping[str, Host],
    limits: Limits,
    placements: Iterable[Placement],
    requests: Sequence[PlacementRequest],
    cloud: str,
    now: int,
) -> Placed:
    """Find a hypervisor of the pod `scope` for every request; `placements` are all that the pod has."""
    placed = Placed(scope)
    rooms = {name: _room(host) for name, host in sorted(hypervisors.items())}
    had = defaultdict(list)
    for placement in sorted(placements, key=_last):
        had[placement.domain].append(placement)
    leaving = sorted(had.keys() - {request.domain for request in requests})
    _leave_room_for_the_leaving(rooms, [placement for domain in leaving for placement in had[domain]])
    in_turn = sorted(requests, key=lambda request: _precedence(request, had[request.domain]))
    homeless = []
    for request in _admitted(limits, in_turn, [had[domain][-1] for domain in leaving], placed):
        before = had[request.domain]
        where = request.hypervisor or (before[-1].hypervisor if before else None)
        room = rooms.get(where) if where else None
        if where and room and room.fits(request):
            room.take(request.needs, request.group)
            _note(placed, before, request, where, cloud, now)
        elif request.hypervisor:
            placed.problems.append(_no_room(scope, request, before, rooms))
        else:
            homeless.append(request)
    for request, found in _spread(homeless, rooms):
        if found:
            _note(placed, had[request.domain], request, found, cloud, now)
        else:
            placed.problems.append(_no_room(scope, request, had[request.domain], rooms))
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
        f"{pod_path(scope)}.hypervisors: {hypervisor} is gone from the declaration but holds {some(sorted(held))}; "
        "declare it again, deploy with memory_mib: 1 there, so that all of them move away, and take it out after that; "
        "or, if it is dead for good, deploy with -e podwright_confirm_lost_hypervisors=true"
        for (scope, hypervisor), held in sorted(domains.items())
    ]


def _last(placement: Placement) -> tuple[bool, int, str]:
    """Sorts the placement that a domain had last behind those that it left."""
    return (placement.state == "held", placement.since, placement.hypervisor)


def _room(host: Host) -> _Room:
    has = host.has._replace(vcpus=host.has.vcpus * VCPU_OVERCOMMIT)
    return _Room(host, unlimited(has))


def _leave_room_for_the_leaving(rooms: Mapping[str, _Room], leaving: Iterable[Placement]) -> None:
    """Domains that go keep their room; those that move give theirs up before others start in the same run."""
    for placement in leaving:
        if placement.hypervisor in rooms:
            rooms[placement.hypervisor].take(placement.needs)


def _admitted(
    limits: Limits, requests: Iterable[PlacementRequest], leaving: Collection[Placement], placed: Placed
) -> Iterator[PlacementRequest]:
    """The requests, in turn, that the pod's limits allow beside the domains that go."""
    left = unlimited(limits)
    for placement in leaving:
        left = tuple(map(sub, left, (1, *placement.needs)))
    for request in requests:
        needs = (1, *request.needs)
        if all(map(le, needs, left)):
            left = tuple(map(sub, left, needs))
            yield request
        else:
            placed.problems.append(_over_limits(placed.scope, request, left, len(leaving)))


def _precedence(request: PlacementRequest, before: Sequence[Placement]) -> tuple[bool, bool, bool, str]:
    """Who chooses first: whoever can stay as it is, so that neither a new nor a grown domain drives it away."""
    stays = bool(before) and request.hypervisor in (None, before[-1].hypervisor)
    grows = bool(before) and request.needs != before[-1].needs
    return (not stays, grows, request.hypervisor is None, request.domain)


def _spread(
    requests: Sequence[PlacementRequest], rooms: Mapping[str, _Room]
) -> Iterator[tuple[PlacementRequest, str | None]]:
    """Place each request on the least used hypervisor that has room, the largest first."""
    least_used: dict[str | None, list[tuple[float, str]]] = defaultdict(list)
    for name, room in rooms.items():
        least_used[room.host.dedicated_to].append((room.used, name))
    for those in least_used.values():
        heapq.heapify(those)
    left = [max(sum(amounts), 1) for amounts in zip(*(room.left for room in rooms.values()), strict=True)]
    for request in sorted(requests, key=lambda request: (-share(request.needs, left), request.domain)):
        own, shared = least_used.get(request.account, []), least_used[None]
        yield request, _take_least_used(own, rooms, request) or _take_least_used(shared, rooms, request)


def _take_least_used(
    least_used: list[tuple[float, str]], rooms: Mapping[str, _Room], request: PlacementRequest
) -> str | None:
    """The first hypervisor of a heap that has room for the request, which it now has less; None if there is none."""
    found = None
    passed_over = []
    while least_used and not rooms[least_used[0][1]].fits(request):
        passed_over.append(heapq.heappop(least_used))
    if least_used:
        found = least_used[0][1]
        rooms[found].take(request.needs, request.group)
        heapq.heapreplace(least_used, (rooms[found].used, found))
    for item in passed_over:
        heapq.heappush(least_used, item)
    return found


def _note(
    placed: Placed,
    before: Sequence[Placement],
    request: PlacementRequest,
    hypervisor: str,
    cloud: str,
    now: int,
) -> None:
    after = Placement(placed.scope, request.domain, hypervisor, *request.needs, cloud=cloud, since=now)
    placed.hypervisors[request.domain] = hypervisor
    here = next((placement for placement in before if placement.hypervisor == hypervisor), None)
    placed.changes += [  # first: a domain has only one placement that is held
        PlacementChange(placement, replace(placement, state="releasing", since=now))
        for placement in before
        if placement.hypervisor != hypervisor and placement.state == "held"
    ]
    if here is None or here != replace(after, since=here.since):
        placed.changes.append(PlacementChange(here, after))


def _no_room(scope: str, request: PlacementRequest, before: Sequence[Placement], rooms: Mapping[str, _Room]) -> str:
    where = f" on {request.hypervisor}, where it is pinned," if request.hypervisor else ""
    if before and not request.hypervisor and _is_of_another(rooms.get(before[-1].hypervisor), request):
        stay = before[-1].hypervisor
        where = f", cannot stay on {stay}, which is dedicated to {rooms[stay].host.dedicated_to},"
    limited = [any(room.left[at] != inf for room in rooms.values()) or at < 2 for at, _ in enumerate(_UNITS)]
    left = defaultdict(list)
    for name, room in rooms.items():
        left[_offer(room, request)].append(name)
    return (
        f"{pod_path(scope)}.hypervisors: {request.domain} needs {amounts(request.needs, _UNITS, limited)}{where} "
        f"and finds no room in {pod_in_words(scope)}; "
        f"left: {'; '.join(f'{some(names)} {offer}' for offer, names in left.items()) or 'no hypervisor'}; "
        f"{_remedy(request, rooms)}"
    )


def _offer(room: _Room, request: PlacementRequest) -> str:
    """What is left of a hypervisor, and why that does not do."""
    if _is_of_another(room, request):
        return f"dedicated to {room.host.dedicated_to}"
    taken = " and a machine of its anti-affinity group" if request.group in room.groups else ""
    return left_in_words(room.left, request.needs, _UNITS) + taken


def _is_of_another(room: _Room | None, request: PlacementRequest) -> bool:
    return room is not None and room.host.dedicated_to not in (None, request.account)


def _remedy(request: PlacementRequest, rooms: Mapping[str, _Room]) -> str:
    if request.hypervisor:
        return "pin it to another or to none, or take machines away from there"
    if any(_is_of_another(room, request) for room in rooms.values()):
        return "add a hypervisor, dedicate one less, or take machines away"
    return "add a hypervisor, or take machines away"


def _over_limits(scope: str, request: PlacementRequest, left: Sequence[float], leaving: int) -> str:
    needs = (1, *request.needs)
    limited = [False, *(amount != inf for amount in left[1:])]
    words = f" needs {amounts(needs, _POD_UNITS, limited)} and" if any(limited) else ""
    going = f", beside {leaving} on the way out (deploy their removal first)" if leaving else ""
    return (
        f"{pod_path(scope)}.limits: {request.domain}{words} does not fit into the limits of {pod_in_words(scope)}; "
        f"left: {left_in_words(left, needs, _POD_UNITS)}{going}; raise the limits, or take machines away"
    )
