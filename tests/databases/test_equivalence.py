"""The same on every database: names are told apart by their bytes, a domain moves, texts are long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from podwright.allocation.database import Database
from podwright.allocation.grant import Request
from podwright.allocation.placement import Needs, Placement, PlacementChange
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.repository import Repository
from podwright.allocation.single_pool import give_up, opened, reserve
from podwright.allocation.volumes import DiskNeeds, Volume, VolumeChange

POOL = Pool("guest_vlan", "east/p1", {SHARED: (range(1, 4095),)}, "ranges")


@pytest.fixture(params=["sqlite", "mariadb", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/leases.db"
    found: str = request.getfixturevalue(request.param).new_database()
    return found


def test_holders_are_told_apart_by_every_byte(url: str) -> None:
    names = ["acme/default", "Acme/default", "acme/default ", "ácme/default", "%s/100%", "'; DROP TABLE lease; --\\"]
    requests = [Request(name, "guest_network") for name in names]
    with Database(url) as database:
        database.write(lambda repository: reserve(repository, opened(repository, POOL, 0), requests, None, 0))
        for name in names:
            request = [Request(name, "guest_network")]
            again = database.write(
                lambda repository, request=request: reserve(  # type: ignore[misc]
                    repository, opened(repository, POOL, 0), request, None, 0
                )
            )
            assert not again.changes
        found = database.read(lambda repository: repository.leases())
        database.write(lambda repository: give_up(repository, POOL, ["Acme/default"], "guest_network", 0, 0))
        left = database.read(lambda repository: [each.holder for each in repository.leases() if each.state == "held"])
    assert [(lease.value, lease.holder) for lease in found] == list(enumerate(sorted(names), start=1))
    assert sorted(left) == sorted(set(names) - {"Acme/default"})


def test_a_domain_that_moves_is_on_two_hypervisors(url: str) -> None:
    needs = Needs(1, 128, 100, 500)
    old, new = (
        Placement("east/p1", "acme-web1", hypervisor, *needs, cloud="lab", since=1, state=state)  # type: ignore[arg-type]
        for hypervisor, state in (("hv1", "releasing"), ("hv2", "held"))
    )

    def work(repository: Repository) -> list[Placement]:
        repository.save([], [PlacementChange(None, old), PlacementChange(None, new)], 1)
        return repository.placements()

    with Database(url) as database:
        assert database.write(work) == [old, new]
        assert database.read(lambda repository: repository.placements()) == [old, new]


def test_a_volume_is_kept_with_its_history(url: str) -> None:
    names = ["web1", "Web1", "web1 ", "wéb1"]
    needs = DiskNeeds(10, 500)
    new = [Volume("east/p1", name, "n1", *needs, account="acme", cloud="lab", since=1) for name in names]
    left = [replace(volume, state="releasing", since=2) for volume in new[:2]]
    changes = list(map(VolumeChange, new, left))
    with Database(url) as database:
        database.write(lambda repository: repository.save([], [], 1, [VolumeChange(None, each) for each in new]))
        database.write(lambda repository: repository.save([], [], 2, changes))
        database.write(lambda repository: repository.save([], [], 3, [VolumeChange(left[0], None)]))
        assert set(database.read(lambda repository: repository.volumes())) == {left[1], *new[2:]}
        history = database.read(lambda repository: [event for _, event in repository.history()])
    assert {event[1:6] for event in history} == {("volume", "east/p1", None, name, "n1") for name in names}
    assert [event[6:] for event in history if event.holder == "web1"] == [
        (None, "held 10 GiB"),
        ("held 10 GiB", "releasing 10 GiB"),
        ("releasing 10 GiB", None),
    ]


def test_a_pool_of_many_ranges_is_kept_whole(url: str) -> None:
    pool = Pool("vni", "east", {SHARED: tuple(range(2 * each, 2 * each + 1) for each in range(1, 20_000))}, "ranges")
    with Database(url) as database:
        database.write(lambda repository: opened(repository, pool, 0))
        assert database.read(lambda repository: repository.pools())["vni", "east"].as_pool() == pool
