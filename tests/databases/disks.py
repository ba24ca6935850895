"""Disks that controllers of tests want and leave at random, on storage servers that have too little room for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from podwright.allocation.history import VOLUME_POOL
from podwright.allocation.repository import Repository
from podwright.allocation.volumes import DiskNeeds, Server, Volume, VolumeChange, VolumeRequest, store

CLOUD = "lab"
SERVERS = {"n1": Server(900, 8000), "n2": Server(600, 6000)}
NEEDS = DiskNeeds(10, 50)


def want(repository: Repository, scope: str, domain: str, now: int) -> str | None:
    """Have a domain get a disk in its pod, and keep the one that it has.

    Returns:
        Its storage server; None where the pod has no room for it.
    """
    repository.lock_all()
    volumes = [volume for volume in repository.volumes() if volume.scope == scope]
    request = VolumeRequest(domain, domain, NEEDS, "disks")
    stored = store(scope, SERVERS, volumes, [request], CLOUD, now)
    if not stored.problems:
        repository.save([], [], now, stored.changes)
    return stored.servers.get(domain)


def leave(repository: Repository, scope: str, domain: str, now: int) -> None:
    """Have a domain leave its disk behind; one that it left before was removed since."""
    repository.lock_all()
    its = [volume for volume in repository.volumes() if (volume.scope, volume.domain) == (scope, domain)]
    left = [replace(volume, state="releasing", since=now) if volume.state == "held" else None for volume in its]
    repository.save([], [], now, [VolumeChange(*change) for change in zip(its, left, strict=True)])


def audit(repository: Repository) -> list[Volume]:
    """Every volume, once none is doubled, lost or leaked: servers, history and what is written down agree."""
    volumes = repository.volumes()
    promised: defaultdict[tuple[str, str], list[DiskNeeds]] = defaultdict(list)
    for volume in volumes:
        promised[volume.scope, volume.server].append(volume.needs)
    for (_, server), needs in promised.items():
        assert sum(each.size_gib for each in needs) <= SERVERS[server].capacity_gib
        assert sum(each.storage_iops for each in needs) <= (SERVERS[server].storage_iops or 0)
    assert told(repository) == {
        (volume.scope, volume.domain): (volume.server, f"{volume.state} {volume.size_gib} GiB") for volume in volumes
    }
    return volumes


def told(repository: Repository) -> Mapping[tuple[str, str], tuple[str, str]]:
    """What history comes to, when each change follows the one before: {(scope, domain): (server, state and size)}."""
    states: dict[tuple[str, str], tuple[str, str]] = {}
    for _, event in repository.history():
        if event.pool == VOLUME_POOL:
            key = (event.scope, event.holder)
            before = None if event.before is None else (event.purpose, event.before)
            assert states.pop(key, None) == before, f"{event} does not follow"
            if event.after is not None:
                states[key] = (event.purpose, event.after)
    return states
