"""Moving all that a database of leases holds: out of it as a file, and from a file into another one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from podwright.allocation.database import Database, unix_time
from podwright.allocation.free import FreeRange, FreeValues, free_values
from podwright.allocation.grant import Lease, LeaseChange
from podwright.allocation.moving.arrivals import Target, arrive
from podwright.allocation.moving.contents import Contents, Device, Key, Located, PastEvent, PastRun, Read
from podwright.allocation.moving.reading import contents_of
from podwright.allocation.moving.writing import rendered
from podwright.allocation.placement import Placement, PlacementChange
from podwright.allocation.pools import DeclaredPool, Pool
from podwright.allocation.repository import Repository
from podwright.allocation.room import pod_in_words
from podwright.allocation.volumes import Volume, VolumeChange
from podwright.errors import InvalidInput, Mistake


class Imported(NamedTuple):
    """What was imported, or would be."""

    into_empty: bool
    """Whether the database was empty, and is now what the exported one was"""
    pools: Sequence[DeclaredPool]
    leases: Sequence[LeaseChange]
    placements: Sequence[PlacementChange]
    volumes: Sequence[VolumeChange]
    devices: Sequence[Device]
    history: int
    """How many entries of the history came along"""
    history_left_out: int
    """How many did not, because the database has a history of its own"""

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return bool(self.pools or self.leases or self.placements or self.volumes or self.devices or self.history)


def export(database: Database) -> str:
    """All that a database holds, as YAML: the same bytes for the same contents.

    Raises:
        AllocationError: the database cannot be used.
    """
    return rendered(database.preview(_contents))


def import_(
    database: Database, text: str, *, preview: bool, file: str = "leases.yml", now: datetime | None = None
) -> Imported:
    """Put what was exported into a database, all of it or nothing.

    An empty database becomes what the exported one was, history included, and nothing says that it was imported. In
    one that holds something, what is there already is left alone; the rest is one run of the database's `Run`, which
    therefore should name the file. Its leases keep their state and since when they are in it.

    Args:
        database: where to.
        text: what `export` gave.
        preview: find out what would change, and write nothing.
        file: how messages call the text.
        now: the time to go by.

    Raises:
        InvalidInput: the file is wrong or does not go with what is there; has every mistake.
        AllocationError: the database cannot be used.
    """
    moment = unix_time(now)
    found = contents_of(text, file)

    def work(repository: Repository) -> Imported:
        repository.lock_all()
        if repository.is_empty():
            return _restore(repository, found)
        repository.expire(moment)
        return _merge(repository, found, moment)

    return database.preview(work) if preview else database.write(work)


def _contents(repository: Repository) -> Contents:
    return Contents(
        list(repository.pools().values()),
        repository.leases(),
        repository.placements(),
        repository.volumes(),
        [Device(*device) for device in repository.all_devices()],
        [PastRun(*run) for run in repository.runs()],
        [PastEvent(*event) for event in repository.history()],
    )


def _restore(repository: Repository, found: Read) -> Imported:
    target = Target({_key(each.record): each.record for each in found.pools}, [], found.undeclared)
    _, conflicts = arrive(found.leases, target)
    placements, volumes = [each.record for each in found.placements], [each.record for each in found.volumes]
    misplaced = [*_misplaced(found.placements, []), *_misstored(found.volumes, [])]
    _refuse([*found.mistakes, *_pools_twice(found), *conflicts, *misplaced], found)
    pools, leases = [each.record for each in found.pools], [each.record for each in found.leases]
    runs, history = [each.record for each in found.runs], [each.record for each in found.history]
    repository.restore(pools, leases, placements, volumes, runs, history)
    devices = sorted({each.record for each in found.devices})
    _add_devices(repository, devices)
    repository.save_free(_free_now(target.pools.values(), leases))
    return Imported(
        True,
        pools,
        [LeaseChange(None, lease) for lease in leases],
        [PlacementChange(None, placement) for placement in placements],
        [VolumeChange(None, volume) for volume in volumes],
        devices,
        len(history),
        0,
    )


def _merge(repository: Repository, found: Read, now: int) -> Imported:
    known = repository.pools()
    pools = [each.record for each in found.pools if _key(each.record) not in known]
    target = Target(
        {**{_key(pool): pool for pool in pools}, **known},
        repository.leases(),
        [key for key in found.undeclared if key not in known],
    )
    arriving = [each._replace(outside=each.outside and _key(each.record) not in known) for each in found.leases]
    new, conflicts = arrive(arriving, target)
    there, stored = repository.placements(), repository.volumes()
    misplaced = [*_misplaced(found.placements, there), *_misstored(found.volumes, stored)]
    _refuse([*found.mistakes, *_pools_twice(found), *conflicts, *misplaced], found)
    leases = [LeaseChange(None, lease) for lease in new]
    known_placements = {_place_of(placement) for placement in there}
    placements = [
        PlacementChange(None, each.record)
        for each in found.placements
        if _place_of(each.record) not in known_placements
    ]
    known_volumes = {_place_of(volume) for volume in stored}
    volumes = [VolumeChange(None, each.record) for each in found.volumes if _place_of(each.record) not in known_volumes]
    _declare(repository, pools, now)
    repository.save(leases, placements, now, volumes)
    devices = sorted({each.record for each in found.devices} - repository.all_devices())
    _add_devices(repository, devices)
    note_taken(repository, target, new, pools)
    return Imported(False, pools, leases, placements, volumes, devices, 0, len(found.history))


def _key(record: DeclaredPool | Lease) -> Key:
    return (record.pool, record.scope)


def _place_of(record: Placement | Volume) -> tuple[str, str, str]:
    return (record.scope, record.domain, record.where)


def _refuse(mistakes: Iterable[Mistake], found: Read) -> None:
    # A pool that is wrong in the file is not one that is missing there.
    has_bad_pools = any(mistake.path.startswith("pools[") for mistake in found.mistakes)
    those = [mistake for mistake in mistakes if not (has_bad_pools and mistake.expected == "a pool that was declared")]
    if those:
        raise InvalidInput(sorted(those, key=lambda mistake: (mistake.line or 0, mistake.path)))


def _pools_twice(found: Read) -> Iterator[Mistake]:
    first: dict[Key, Located[DeclaredPool]] = {}
    for each in found.pools:
        before = first.setdefault(_key(each.record), each)
        if before is not each:
            pool = each.record
            remedy = f"{before.source} has it, too: take one of them out"
            yield each.source.mistake("scope", pool.scope, f"only once the scope of a pool {pool.pool}", remedy)


def _misplaced(arriving: Iterable[Located[Placement]], there: Sequence[Placement]) -> Iterator[Mistake]:
    known = {_place_of(placement) for placement in there}
    held = {(placement.scope, placement.domain): placement for placement in there if placement.state == "held"}
    places: dict[tuple[str, str, str], Located[Placement]] = {}
    first: dict[tuple[str, str], Located[Placement]] = {}
    for each in arriving:
        placement, source = each.record, each.source
        key = (placement.scope, placement.domain)
        who = f"{placement.domain} in {pod_in_words(placement.scope)}"
        before = places.setdefault(_place_of(placement), each)
        if placement.state == "held" and before is each:
            before = first.setdefault(key, each)
        if before is not each:
            remedy = f"{before.source} has it on {before.record.hypervisor}: take one of them out"
            yield source.mistake("domain", placement.domain, "only once in its pod", remedy)
        other = held.get(key)
        if placement.state == "held" and other and _place_of(placement) not in known:
            expected = f"where {who} is: that is held on {other.hypervisor}"
            remedy = "take it out of the file, or move the domain first"
            yield source.mistake("hypervisor", placement.hypervisor, expected, remedy)


def _misstored(arriving: Iterable[Located[Volume]], there: Sequence[Volume]) -> Iterator[Mistake]:
    """A domain has one volume in its pod, in whatever state."""
    known = {(volume.scope, volume.domain): volume for volume in there}
    first: dict[tuple[str, str], Located[Volume]] = {}
    for each in arriving:
        volume, source = each.record, each.source
        key = (volume.scope, volume.domain)
        before = first.setdefault(key, each)
        if before is not each:
            remedy = f"{before.source} has it on {before.record.server}: take one of them out"
            yield source.mistake("domain", volume.domain, "only once in its pod", remedy)
        other = known.get(key)
        if other and other.server != volume.server:
            who = f"{volume.domain} in {pod_in_words(volume.scope)}"
            expected = f"where the volume of {who} is: that is on {other.server} ({other.state})"
            yield source.mistake("server", volume.server, expected, "take it out of the file")


def _declare(repository: Repository, pools: Iterable[DeclaredPool], now: int) -> None:
    of_cloud: Mapping[str | None, list[Pool]] = defaultdict(list)
    for pool in pools:
        of_cloud[pool.cloud].append(pool.as_pool())
    for cloud, those in sorted(of_cloud.items(), key=lambda each: each[0] or ""):
        repository.declare(those, {}, cloud, now)


def _add_devices(repository: Repository, devices: Iterable[Device]) -> None:
    of_cloud = defaultdict(list)
    for cloud, name, kind in devices:
        of_cloud[cloud].append((name, kind))
    for cloud, those in sorted(of_cloud.items()):
        repository.add_devices(cloud, those)


def note_taken(
    repository: Repository, target: Target, new: Sequence[Lease], pools: Collection[DeclaredPool] = ()
) -> None:
    """Write down what is still free in pools after new leases, and in pools that are new themselves."""
    touched = {_key(pool) for pool in pools} | {_key(lease) for lease in new}
    wanted = [pool for key, pool in target.pools.items() if key in touched]
    leases = [lease for lease in (*target.leases, *new) if _key(lease) in touched]
    kept: dict[Key, Collection[FreeRange]] = {(pool.name, pool.scope): repository.all_free(pool) for pool in wanted}
    repository.save_free(_free_now(wanted, leases, kept))


def _free_now(
    pools: Iterable[Pool], leases: Iterable[Lease], kept: Mapping[Key, Collection[FreeRange]] | None = None
) -> list[FreeValues]:
    values = defaultdict(list)
    for lease in leases:
        values[_key(lease)].append(lease.value)
    return [
        FreeValues(pool, (kept or {}).get(key, ()), free_values(pool, values[key]))
        for pool in pools
        for key in [(pool.name, pool.scope)]
    ]
