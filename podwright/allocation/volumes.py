"""Volumes: which storage server of a pod has the disk of which domain. Pure.

A volume stays on its server, with what is on it: it never moves by itself. It may
grow there, and never shrinks. A new one goes to the server of whose capacity the
least share is leased (then to the first by name) among those that have room for
it, the one that needs the largest share of anything first. Servers that were
filled one after the other would be full of disks that cannot grow, while others
of the pod are empty and idle.

Room is what a server declares less all that is leased of it. A volume whose domain
was taken away is `releasing`, and counts, until its server was seen without it.
From when no hypervisor runs the domain any more, its operations a second are free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import sub
from typing import ClassVar, NamedTuple

from podwright.allocation.grant import State
from podwright.allocation.room import amounts, left_in_words, pod_in_words, pod_path, share, some, unlimited

_UNITS = ("GiB", "IOPS")
_KEYS = ("capacity_gib", "storage_iops")


class DiskNeeds(NamedTuple):
    """What a disk needs of its storage server."""

    size_gib: int
    storage_iops: int


class Server(NamedTuple):
    """What a storage server has; None is not limited."""

    capacity_gib: int
    storage_iops: int | None = None


class VolumeRequest(NamedTuple):
    """A domain that has to have a disk on a storage server of its pod."""

    domain: str
    account: str
    needs: DiskNeeds
    declared_at: str
    """Where its size is declared: a path in the inventory"""
    is_older: bool = False
    """Whether it has a disk from before volumes were leased, on the only server that its pod had then"""


@dataclass(frozen=True, slots=True)
class Volume:
    """A domain's disk on a storage server; `releasing`, it should not be there, but may be."""

    pool: ClassVar[str] = "volume"

    scope: str
    """`<zone>/<pod>`"""
    domain: str
    server: str
    size_gib: int
    storage_iops: int
    """0 when nobody uses it any more"""
    account: str
    """Whose data is on it"""
    cloud: str
    since: int
    """When it got into its state (Unix time, s)"""
    state: State = "held"

    @property
    def where(self) -> str:
        """What has it."""
        return self.server

    @property
    def needs(self) -> DiskNeeds:
        """What it takes of its server."""
        return DiskNeeds(self.size_gib, self.storage_iops)

    def __str__(self) -> str:
        """One line for a diff or a report."""
        state = "" if self.state == "held" else f" ({self.state})"
        return f"volume {self.scope} {self.server} {self.domain} {self.size_gib} GiB{state}"


class VolumeChange(NamedTuple):
    """A domain's volume before and after; None is no volume."""

    before: Volume | None
    after: Volume | None


@dataclass
class Stored:
    """What came of the requests of one pod."""

    scope: str
    servers: dict[str, str] = field(default_factory=dict)
    """{domain: storage server}, of every domain whose disk found room"""
    changes: list[VolumeChange] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass
class _Room:
    """What is left of a storage server."""

    server: Server
    left: tuple[float, ...]
    """In the order of `_UNITS`; below 0 where more is leased than there is"""
    volumes: list[Volume] = field(default_factory=list)
    """Those that it has"""

    def fits(self, needs: DiskNeeds) -> bool:
        return all(need <= max(left, 0) for need, left in zip(needs, self.left, strict=True))

    def take(self, needs: DiskNeeds) -> None:
        self.left = tuple(map(sub, self.left, needs))

    @property
    def used(self) -> float:
        """The share of its capacity that is leased."""
        return 1 - self.left[0] / self.server.capacity_gib


def store(
    scope: str,
    servers: Mapping[str, Server],
    volumes: Iterable[Volume],
    requests: Sequence[VolumeRequest],
    cloud: str,
    now: int,
    older_servers: Collection[str] = (),
) -> Stored:
    """Find a storage server of the pod `scope` for the disk of every request.

    Args:
        scope: the pod.
        servers: {storage server: what it has}
        volumes: all that the pod has.
        requests: which domains need a disk.
        cloud: whose domains.
        now: the time to go by (Unix time, s).
        older_servers: the servers that were there before this run; matters where a request `is_older`.
    """
    stored = Stored(scope)
    written = {volume.domain: volume for volume in volumes}
    older = [request for request in requests if request.is_older and request.domain not in written]
    here = _only_one(sorted(set(servers) & set(older_servers)))
    if older and here is None:
        stored.problems.append(_somewhere(scope, older))
        return stored
    there = {
        request.domain: Volume(scope, request.domain, here, *request.needs, request.account, cloud, now)
        for request in older
        if here is not None
    } | written
    wanted = {request.domain: request for request in requests}
    rooms = _rooms(servers, there, wanted)
    stored.problems += [line for name, room in rooms.items() for line in _overfull(scope, name, room)]
    for domain in sorted(wanted.keys() & there.keys()):
        _keep(stored, rooms, there[domain], written.get(domain), wanted[domain], cloud, now)
    for request in _largest_first([wanted[domain] for domain in wanted.keys() - there.keys()], rooms):
        fitting = [name for name, room in rooms.items() if room.fits(request.needs)]
        if fitting:
            found = min(fitting, key=lambda name: (rooms[name].used, name))
            rooms[found].take(request.needs)
            rooms[found].volumes.append(_note(stored, None, request, found, cloud, now))
        else:
            stored.problems.append(_no_room(scope, request, rooms))
    return stored


def _only_one(candidates: Sequence[str]) -> str | None:
    return candidates[0] if len(candidates) == 1 else None


def _rooms(
    servers: Mapping[str, Server], there: Mapping[str, Volume], wanted: Mapping[str, VolumeRequest]
) -> dict[str, _Room]:
    """What is left beside the volumes that are there, as large as they are."""
    rooms = {name: _Room(server, unlimited(server)) for name, server in sorted(servers.items())}
    for domain, volume in sorted(there.items()):
        if volume.server in rooms:
            iops = volume.storage_iops
            if domain in wanted:  # less may be promised at any time
                iops = min(iops, wanted[domain].needs.storage_iops)
            rooms[volume.server].take(DiskNeeds(volume.size_gib, iops))
            rooms[volume.server].volumes.append(volume)
    return rooms


def _keep(
    stored: Stored,
    rooms: Mapping[str, _Room],
    there: Volume,
    written: Volume | None,
    request: VolumeRequest,
    cloud: str,
    now: int,
) -> None:
    """Let a domain have the volume that it has, or that it left behind."""
    if written is not None and _is_as_wanted(written, request, cloud):  # nearly all, nearly always
        stored.servers[request.domain] = written.server
        return
    growth = DiskNeeds(*(max(new - old, 0) for new, old in zip(request.needs, there.needs, strict=True)))
    room = rooms.get(there.server)
    if there.account != request.account:
        stored.problems.append(_of_another(stored.scope, there, request))
    elif request.needs.size_gib < there.size_gib:
        stored.problems.append(
            f"{request.declared_at}: the disk of {there.domain} has {there.size_gib} GiB on {there.server} and would "
            f"have {request.needs.size_gib}, but a disk never shrinks; take an offering with disk_gib {there.size_gib} "
            "or more, or take the machine away and deploy with -e podwright_confirm_removal=true before it comes back"
        )
    elif room is not None and any(growth) and not room.fits(growth):
        stored.problems.append(_no_room_to_grow(stored.scope, there, request, growth, room))
    else:
        if room is not None:
            room.take(growth)
        _note(stored, written, request, there.server, cloud, now)


def _is_as_wanted(volume: Volume, request: VolumeRequest, cloud: str) -> bool:
    has = (volume.state, volume.size_gib, volume.storage_iops, volume.account, volume.cloud)
    return has == ("held", *request.needs, request.account, cloud)


def _note(stored: Stored, written: Volume | None, request: VolumeRequest, server: str, cloud: str, now: int) -> Volume:
    since = written.since if written is not None and written.state == "held" else now
    after = Volume(stored.scope, request.domain, server, *request.needs, request.account, cloud, since)
    stored.servers[request.domain] = server
    stored.changes.append(VolumeChange(written, after))
    return after


def _largest_first(requests: Iterable[VolumeRequest], rooms: Mapping[str, _Room]) -> list[VolumeRequest]:
    """The requests in the order in which they choose, so that small ones fit the gaps."""
    left = [max(sum(each), 1) for each in zip(*(room.left for room in rooms.values()), strict=True)]
    return sorted(requests, key=lambda request: (-share(request.needs, left), request.domain))


def lost(
    volumes: Iterable[Volume], servers: Mapping[str, Collection[str]], wanted: Collection[tuple[str, str]], cloud: str
) -> list[Volume]:
    """The volumes of `cloud` that are wanted, on storage servers that their pods no longer have.

    Args:
        volumes: all that there are.
        servers: {scope of a pod: its storage servers}
        wanted: every (scope, domain) that has to have a disk.
        cloud: whose declaration that is.
    """
    return [
        volume
        for volume in volumes
        if volume.cloud == cloud
        and (volume.scope, volume.domain) in wanted
        and volume.server not in servers.get(volume.scope, ())
    ]


def refusal(volumes: Iterable[Volume]) -> list[str]:
    """A line for each storage server that was `lost`."""
    domains = defaultdict(list)
    for volume in volumes:
        domains[volume.scope, volume.server].append(volume.domain)
    return [
        f"{pod_path(scope)}.storage_servers: {server} is gone from the declaration but has the disks of "
        f"{some(sorted(those))}; declare it again; to do without it, take these machines away first; or, if it is dead "
        "for good, deploy with -e podwright_confirm_lost_storage_servers=true, and their disks are made anew elsewhere"
        for (scope, server), those in sorted(domains.items())
    ]


def _somewhere(scope: str, older: Sequence[VolumeRequest]) -> str:
    domains = some(sorted(request.domain for request in older))
    return (
        f"{pod_path(scope)}.storage_servers: the disks of {domains} are on the storage server that "
        f"{pod_in_words(scope)} had before volumes were leased, and none or several of those declared may be that; "
        "declare it alone, deploy, and add others after that"
    )


def _of_another(scope: str, volume: Volume, request: VolumeRequest) -> str:
    return (
        f"{pod_path(scope)}.storage_servers.{volume.server}: the volume of {volume.domain} is that of account "
        f"{volume.account}, and account {request.account} has a machine that is called so now; take that away, deploy "
        "with -e podwright_confirm_removal=true, which removes the volume, and add the machine after that"
    )


def _overfull(scope: str, server: str, room: _Room) -> Iterator[str]:
    """A line for each thing of which a server was promised more than it has by now."""
    for key, unit, has, left in zip(_KEYS, _UNITS, room.server, room.left, strict=True):
        if left < 0 and has is not None:
            need = has - int(left)
            yield (
                f"{pod_path(scope)}.storage_servers.{server}.{key}: {has} {unit} is less than the {need} {unit} that "
                f"are leased of it in {pod_in_words(scope)}: {_holders(room)}; give {need} or more, or "
                f"{_removal([room])}take machines away"
            )


def _no_room_to_grow(scope: str, volume: Volume, request: VolumeRequest, growth: DiskNeeds, room: _Room) -> str:
    grows = [amount > 0 for amount in growth]
    return (
        f"{pod_path(scope)}.storage_servers.{volume.server}: the disk of {volume.domain} would grow from "
        f"{amounts(volume.needs, _UNITS, grows)} to {amounts(request.needs, _UNITS, grows)}, and has to stay there; "
        f"{pod_in_words(scope)} has left: {_left(volume.server, room, growth)}; {_ways_out(growth, [room])}, or change "
        f"{request.declared_at} back"
    )


def _no_room(scope: str, request: VolumeRequest, rooms: Mapping[str, _Room]) -> str:
    limited = [any(room.left[at] != inf for room in rooms.values()) or at == 0 for at, _ in enumerate(_UNITS)]
    left = "; ".join(_left(name, room, request.needs) for name, room in rooms.items())
    return (
        f"{pod_path(scope)}.storage_servers: the disk of {request.domain} needs "
        f"{amounts(request.needs, _UNITS, limited)} and finds no room in {pod_in_words(scope)}; left: "
        f"{left or 'no storage server'}; {_ways_out(request.needs, rooms.values())}, add a storage server, or take "
        "machines away"
    )


def _left(name: str, room: _Room, needs: DiskNeeds) -> str:
    """`n1 9 GiB (1 GiB too few) of 29 GiB: acme-web1 20 GiB`."""
    limited = [left != inf for left in room.left]
    has = amounts([amount or 0 for amount in room.server], _UNITS, limited)
    return f"{name} {left_in_words(room.left, needs, _UNITS)} of {has}: {_holders(room)}"


def _holders(room: _Room) -> str:
    """What is on a server, the largest first."""
    limited = [left != inf for left in room.left]
    return some(
        [
            f"{volume.domain} {amounts(volume.needs, _UNITS, limited)}"
            + ("" if volume.state == "held" else " (left behind)")
            for volume in sorted(room.volumes, key=lambda volume: (-volume.size_gib, volume.domain))
        ]
    )


def _ways_out(needs: DiskNeeds, rooms: Collection[_Room]) -> str:
    """What gives servers the room that they lack."""
    short = [key for at, key in enumerate(_KEYS) if any(needs[at] > room.left[at] for room in rooms)]
    return f"{_removal(rooms)}raise {' and '.join(short) or _KEYS[0]}"


def _removal(rooms: Collection[_Room]) -> str:
    if any(volume.state != "held" for room in rooms for volume in room.volumes):
        return "remove what is left behind (deploy with -e podwright_confirm_removal=true), "
    return ""
