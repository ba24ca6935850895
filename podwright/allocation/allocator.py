"""Allocation of a whole cloud: every lease that its inventory asks for, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from podwright.allocation.books import Books
from podwright.allocation.changes import Change, Record, diff
from podwright.allocation.database import Database, unix_time
from podwright.allocation.demand import (
    DEVICE_PURPOSE,
    GUEST_PURPOSE,
    MANAGEMENT_PURPOSE,
    PUBLIC_PURPOSE,
    VRRP_PURPOSE,
    PodDemand,
    demands,
    guest_address_demands,
    pod_demands,
    volume_demands,
)
from podwright.allocation.grant import Granted, Lease, LeaseChange
from podwright.allocation.history import this_run
from podwright.allocation.leases import Leases
from podwright.allocation.placement import Placed, Placement, PlacementChange, lost, place, refusal
from podwright.allocation.pools import PoolName, mac_address, subnet
from podwright.allocation.repository import Repository
from podwright.allocation.volumes import Stored, Volume, VolumeChange, VolumeRequest, store
from podwright.allocation.volumes import lost as lost_volumes
from podwright.allocation.volumes import refusal as refusal_of_lost_volumes
from podwright.errors import AllocationError, DatabaseError
from podwright.model.cloud import Cloud
from podwright.model.views import devices, guest_network_pods, guest_networks


@dataclass(frozen=True)
class Allocated:
    """What a cloud holds now, and what changed to get there."""

    at: int
    """When (Unix time, s)"""
    leases: Leases
    lease_changes: Sequence[LeaseChange]
    placement_changes: Sequence[PlacementChange]
    volume_changes: Sequence[VolumeChange] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return bool(self._changes())

    @property
    def new(self) -> list[Record]:
        """What was handed out: to new holders, or once more to those that had given it up; and moves."""
        return [after for _, after in self._changes() if after is not None and after.state == "held"]

    @property
    def releasing(self) -> list[Record]:
        """What the cloud stopped asking for."""
        return [after for _, after in self._changes() if after is not None and after.state == "releasing"]

    @property
    def diff(self) -> dict[str, str]:
        """The changes as Ansible shows them: {before, after}, a line each."""
        return diff(self._changes())

    def _changes(self) -> list[Change]:
        return [*self.lease_changes, *self.placement_changes, *self.volume_changes]


class Settled(NamedTuple):
    """What was released for good, and what stood in the way."""

    changes: Sequence[Change]
    lost: Sequence[str]
    """Devices that left the declaration and may still carry what is to be released; because of them nothing was"""


def allocate(
    cloud: Cloud,
    *,
    preview: bool,
    lost_hypervisors_confirmed: bool = False,
    lost_storage_servers_confirmed: bool = False,
    now: datetime | None = None,
) -> Allocated:
    """Lease all that `cloud` asks for, and start releasing what it no longer asks for.

    Asking again gives the same leases. A preview gives the leases that the run
    would give, and writes nothing, not even an empty database.

    Args:
        cloud: who asks for what.
        preview: find out what would change, and write nothing.
        lost_hypervisors_confirmed: a hypervisor that left the declaration is dead
            for good, and so is all that it ran.
        lost_storage_servers_confirmed: a storage server that left the declaration is
            dead for good, and so are the disks on it.
        now: the time to go by.

    Raises:
        AllocationError: a pool is empty, a machine finds no hypervisor or no room
            for its disk, a hypervisor or storage server left the declaration before
            its machines did, or the database cannot be used. The text has a line for
            every reason, and nothing was written.
    """
    moment = unix_time(now)
    confirmed = _Confirmed(lost_hypervisors_confirmed, lost_storage_servers_confirmed)

    def work(repository: Repository) -> Allocated:
        return _allocated(repository, cloud, confirmed, moment)

    with Database(cloud.database, this_run(f"plan {cloud.name}")) as database:
        return database.preview(work) if preview else database.write(work)


def preview_in_turn(clouds: Mapping[str, Cloud], database_url: str, now: datetime | None = None) -> dict[str, Leases]:
    """Find out what each cloud would hold if they were run one after the other; nothing is written.

    So what the first one was never run for, and what it would get, is not given to
    somebody else by the second. A hypervisor or storage server that is not declared counts as
    dead for good, for the machines on it may be of a later declaration.

    Args:
        clouds: the declarations, by what messages call them, in their order.
        database_url: the database of them all.
        now: the time to go by.

    Raises:
        AllocationError: as `allocate` does, for any of them; the text says for which.
    """
    moment = unix_time(now)

    def work(repository: Repository) -> dict[str, Leases]:
        return {name: preview(repository, name, cloud) for name, cloud in clouds.items()}

    def preview(repository: Repository, name: str, cloud: Cloud) -> Leases:
        try:
            return _allocated(repository, cloud, _Confirmed(True, True), moment).leases
        except DatabaseError:
            raise
        except AllocationError as error:
            raise AllocationError("\n".join(f"{name}: {line}" for line in str(error).splitlines())) from error

    with Database(database_url, this_run("preview")) as database:
        return database.preview(work)


def settle(
    cloud: Cloud,
    *,
    planned_at: int,
    left_behind: Mapping[str, Collection[str]] | None = None,
    lost_devices_confirmed: bool = False,
    preview: bool = False,
    now: datetime | None = None,
) -> Settled:
    """Finish the release of what no device carries any more.

    A lease in `releasing` goes to quarantine for the cloud's `quarantine_hours`, and a
    placement is gone at once. A volume is gone once its storage server was seen without
    it; until then its operations a second are free and its room is not. Call it only when
    every device of the cloud was brought to a plan: what was not looked at counts as gone,
    but for volumes.

    Args:
        cloud: whose leases.
        planned_at: when that plan was made (Unix time, s). What was given up later stays.
        left_behind: {storage server that was looked at: the domains that have volumes on it that nobody wants}
        lost_devices_confirmed: devices that left the declaration carry nothing any more.
        preview: find out what would change, and write nothing.
        now: the time to go by.
    """
    moment = unix_time(now)

    def work(repository: Repository) -> Settled:
        repository.lock_all()
        repository.expire(moment)
        until = moment + cloud.quarantine_hours * 3600
        leases = [
            LeaseChange(lease, lease._replace(state="quarantine", since=moment, until=until))
            for lease in repository.leases()
            if _is_leaving(lease, cloud, planned_at)
        ]
        placements = [
            PlacementChange(placement, None)
            for placement in repository.placements()
            if _is_leaving(placement, cloud, planned_at)
        ]
        volumes = list(_settled_volumes(cloud, repository.volumes(), planned_at, left_behind or {}))
        gone = repository.devices(cloud.name) - _devices(cloud)
        # A device that is gone carries no other's address, and nobody else carries its own.
        carried = [change for change in leases if change.before and change.before.purpose != DEVICE_PURPOSE]
        # A storage server may be gone without anybody having noted it, where leases were imported.
        names = {name for name, _ in gone} | {each.before.server for each in volumes if each.before} - _names(cloud)
        if names and not lost_devices_confirmed and (carried or placements or volumes):
            return Settled([], sorted(names))
        repository.save(leases, placements, moment, volumes)
        repository.forget_devices(cloud.name, gone)
        return Settled([*leases, *placements, *volumes], [])

    with Database(cloud.database, this_run(f"release {cloud.name}")) as database:
        return database.preview(work) if preview else database.write(work)


def _allocated(repository: Repository, cloud: Cloud, confirmed: _Confirmed, now: int) -> Allocated:
    """Decide at `now`, and write what was decided."""
    repository.lock_all()
    repository.expire(now)
    books = Books(repository.pools(), repository.leases(), repository.free_ranges())
    held = _Held(repository.placements(), repository.volumes(), repository.devices(cloud.name))
    allocated = _decide(cloud, books, held, confirmed, now)
    repository.declare(books.redeclared, books.declared, cloud.name, now)
    repository.save_free(books.free_values)
    repository.save(allocated.lease_changes, allocated.placement_changes, now, allocated.volume_changes)
    _note_devices(cloud, repository, held.devices, confirmed)
    return allocated


def _settled_volumes(
    cloud: Cloud, volumes: Iterable[Volume], planned_at: int, left_behind: Mapping[str, Collection[str]]
) -> Iterator[VolumeChange]:
    """What becomes of volumes that nobody wants; one on a storage server that is declared no more is gone with it."""
    names = _names(cloud)
    for volume in volumes:
        if not _is_leaving(volume, cloud, planned_at):
            continue
        if volume.server not in names or volume.domain not in left_behind.get(volume.server, (volume.domain,)):
            yield VolumeChange(volume, None)
        elif volume.server in left_behind and volume.storage_iops:
            yield VolumeChange(volume, replace(volume, storage_iops=0))


def _is_leaving(record: Record, cloud: Cloud, planned_at: int) -> bool:
    return record.state == "releasing" and record.cloud == cloud.name and record.since <= planned_at


def _note_devices(cloud: Cloud, repository: Repository, known: set[tuple[str, str]], confirmed: _Confirmed) -> None:
    """Remember who may come to carry leases, until `settle` or the operator says that it does not."""
    declared = _devices(cloud)
    repository.add_devices(cloud.name, declared - known)
    dead = {"hypervisor": confirmed.lost_hypervisors, "storage_server": confirmed.lost_storage_servers}
    repository.forget_devices(cloud.name, {(name, kind) for name, kind in known - declared if dead.get(kind)})


def _devices(cloud: Cloud) -> set[tuple[str, str]]:
    return {(device.name, device.kind) for device in devices(cloud)}


def _names(cloud: Cloud) -> set[str]:
    return {name for name, _ in _devices(cloud)}


class _Confirmed(NamedTuple):
    """What the operator says of devices that left the declaration."""

    lost_hypervisors: bool = False
    """Such hypervisors are dead for good, and so is all that they ran"""
    lost_storage_servers: bool = False
    """Such storage servers are dead for good, and so are the disks on them"""


class _Held(NamedTuple):
    """What domains have, beside leases, and which devices may carry it."""

    placements: Sequence[Placement]
    volumes: Sequence[Volume]
    devices: set[tuple[str, str]]


def _decide(cloud: Cloud, books: Books, held: _Held, confirmed: _Confirmed, now: int) -> Allocated:
    """What a run at `now` does about a cloud, given all that is leased. Pure."""
    granted = [books.serve(pool, requests, cloud.name, now) for pool, requests in demands(cloud)]
    subnets = _subnets(cloud, granted)
    granted += [
        books.serve(pool, requests, cloud.name, now) for pool, requests in guest_address_demands(cloud, subnets)
    ]
    given_up = _given_up(cloud, books.leases, granted, now)
    pods = list(pod_demands(cloud))
    gone = lost(held.placements, {pod.scope: pod.hypervisors for pod in pods}, cloud.name)
    placements = sorted(set(held.placements) - set(gone), key=str)
    placed = _place(cloud, pods, placements, now)
    stored, lost_disks = _store(cloud, held, confirmed, now)
    problems = [*books.problems(granted, given_up)]
    problems += [line for outcome in placed for line in outcome.problems]
    problems += [line for outcome in stored for line in outcome.problems]
    problems += [] if confirmed.lost_hypervisors else refusal(gone)
    problems += [] if confirmed.lost_storage_servers else refusal_of_lost_volumes(lost_disks)
    if problems:
        raise AllocationError("\n".join(problems))
    placement_changes = [
        *(PlacementChange(placement, None) for placement in gone),
        *(change for outcome in placed for change in outcome.changes),
        *_left(cloud, placements, placed, now),
    ]
    return Allocated(
        now,
        _leases(cloud, granted, subnets, placed, _leaving(placements, placement_changes), stored),
        [change for outcome in granted for change in outcome.changes] + given_up,
        placement_changes,
        [
            *(VolumeChange(volume, None) for volume in lost_disks),
            *(change for outcome in stored for change in outcome.changes),
            *_disks_left(cloud, held.volumes, stored, now),
        ],
    )


def _subnets(cloud: Cloud, granted: Iterable[Granted]) -> dict[tuple[str, str], IPv4Network]:
    leased = {lease.holder: subnet(lease.value) for lease in _of_pool("guest_subnet", granted)}
    subnets = {}
    for account, name, network, _, _ in guest_networks(cloud):
        its = leased.get(f"{account}/{name}") if network.subnet == "auto" else network.subnet
        if its is not None:  # None when the pool is empty, which is a problem already
            subnets[account, name] = its
    return subnets


def _place(cloud: Cloud, pods: Iterable[PodDemand], placements: Iterable[Placement], now: int) -> list[Placed]:
    had = defaultdict(list)
    for placement in placements:
        had[placement.scope].append(placement)
    return [
        place(scope, hypervisors, limits, had[scope], requests, cloud.name, now)
        for scope, hypervisors, limits, requests in pods
    ]


def _store(cloud: Cloud, held: _Held, confirmed: _Confirmed, now: int) -> tuple[list[Stored], list[Volume]]:
    """Where disks are; and those on storage servers that are no more."""
    pods = list(volume_demands(cloud))
    wanted = {(pod.scope, request.domain) for pod in pods for request in pod.requests}
    gone = lost_volumes(held.volumes, {pod.scope: pod.servers for pod in pods}, wanted, cloud.name)
    # Whoever is placed has a disk, also where no lease says so: it was made before volumes were leased.
    older = {(each.scope, each.domain) for each in held.placements}
    older -= {(each.scope, each.domain) for each in held.volumes}
    known = [name for name, kind in held.devices if kind == "storage_server"]
    had = defaultdict(list)
    for volume in held.volumes:
        if not (confirmed.lost_storage_servers and volume in gone):
            had[volume.scope].append(volume)
    return [
        store(scope, servers, had[scope], _marked(scope, requests, older), cloud.name, now, known)
        for scope, servers, requests in pods
    ], gone


def _marked(scope: str, requests: Iterable[VolumeRequest], older: Collection[tuple[str, str]]) -> list[VolumeRequest]:
    return [request._replace(is_older=(scope, request.domain) in older) for request in requests]


def _disks_left(cloud: Cloud, volumes: Iterable[Volume], stored: Sequence[Stored], now: int) -> list[VolumeChange]:
    """The volumes of domains that `cloud` no longer has, or has in another pod."""
    wanted = {(outcome.scope, domain) for outcome in stored for domain in outcome.servers}
    return [
        VolumeChange(volume, replace(volume, state="releasing", since=now))
        for volume in volumes
        if volume.cloud == cloud.name and volume.state == "held" and (volume.scope, volume.domain) not in wanted
    ]


def _given_up(cloud: Cloud, leases: Iterable[Lease], granted: Iterable[Granted], now: int) -> list[LeaseChange]:
    """The leases that `cloud` holds and does not ask for, without those that gave way to others of their holders."""
    wanted = {_key(lease) for outcome in granted for lease in outcome.leases.values()}
    wanted |= {_key(change.before) for outcome in granted for change in outcome.changes if change.before}
    return [
        LeaseChange(lease, lease._replace(state="releasing", since=now))
        for lease in leases
        if lease.cloud == cloud.name and lease.state == "held" and _key(lease) not in wanted
    ]


def _key(lease: Lease) -> tuple[str, str, int]:
    return (lease.pool, lease.scope, lease.value)


def _left(cloud: Cloud, placements: Iterable[Placement], placed: Sequence[Placed], now: int) -> list[PlacementChange]:
    """The placements of domains that `cloud` no longer has, or has in another pod."""
    wanted = {(outcome.scope, domain) for outcome in placed for domain in outcome.hypervisors}
    return [
        PlacementChange(placement, replace(placement, state="releasing", since=now))
        for placement in placements
        if placement.cloud == cloud.name
        and placement.state == "held"
        and (placement.scope, placement.domain) not in wanted
    ]


def _leaving(placements: Iterable[Placement], changes: Iterable[PlacementChange]) -> list[Placement]:
    """The placements that are `releasing` after the changes."""
    changed = list(changes)
    untouched = set(placements) - {before for before, _ in changed if before}
    after = [*untouched, *(after for _, after in changed if after)]
    return [placement for placement in after if placement.state == "releasing"]


def _leases(
    cloud: Cloud,
    granted: Sequence[Granted],
    subnets: Mapping[tuple[str, str], IPv4Network],
    placed: Iterable[Placed],
    leaving: Iterable[Placement],
    stored: Iterable[Stored],
) -> Leases:
    hypervisors = {domain: host for outcome in placed for domain, host in outcome.hypervisors.items()}
    left = defaultdict(set)
    for placement in leaving:
        if placement.domain in hypervisors:
            left[placement.domain].add(placement.hypervisor)
    return Leases(
        guest_vlans=dict(_guest_vlans(cloud, _of_pool("guest_vlan", granted))),
        guest_subnets=subnets,
        guest_addresses={
            (lease.holder, lease.scope.partition("/")[2]): IPv4Address(lease.value)
            for lease in _of_pool("guest_address", granted)
            if lease.purpose == GUEST_PURPOSE
        },
        management_addresses=_addresses("management_address", granted, MANAGEMENT_PURPOSE),
        public_addresses=_addresses("public_address", granted, PUBLIC_PURPOSE),
        macs={(lease.holder, lease.purpose): mac_address(lease.value) for lease in _of_pool("mac", granted)},
        placements=hypervisors,
        vnis={_network(lease): lease.value for lease in _of_pool("vni", granted)},
        console_ports={lease.holder: lease.value for lease in _of_pool("console_port", granted)},
        moved_from={domain: sorted(those) for domain, those in sorted(left.items())},
        volumes={domain: server for outcome in stored for domain, server in outcome.servers.items()},
        vrrp_ids={
            (lease.scope.partition("/")[0], lease.holder): lease.value
            for lease in _of_pool("vrrp_id", granted)
            if lease.purpose == VRRP_PURPOSE
        },
    )


def _guest_vlans(cloud: Cloud, leases: Iterable[Lease]) -> Iterator[tuple[tuple[str, str, str], int]]:
    """((account, network, pod), VLAN id); a zone's is for each pod that the network is in."""
    pods_of = guest_network_pods(cloud)
    for lease in leases:
        account, network = _network(lease)
        _, _, pod = lease.scope.partition("/")
        for name in [pod] if pod else pods_of[account, network]:
            yield (account, network, name), lease.value


def _network(lease: Lease) -> tuple[str, str]:
    account, _, network = lease.holder.partition("/")
    return account, network


def _addresses(pool: PoolName, granted: Iterable[Granted], purpose: str) -> dict[str, IPv4Address]:
    leases = _of_pool(pool, granted)
    return {lease.holder: IPv4Address(lease.value) for lease in leases if lease.purpose == purpose}


def _of_pool(pool: PoolName, granted: Iterable[Granted]) -> Iterator[Lease]:
    return (lease for outcome in granted for lease in outcome.leases.values() if lease.pool == pool)
