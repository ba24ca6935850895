from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.allocation import Volume, allocate, settle
from podwright.allocation.database import unix_time
from podwright.allocation.volumes import DiskNeeds, Server, Stored, VolumeRequest, lost, refusal, store
from podwright.errors import AllocationError
from tests.unit.allocation.declaration import LATER, NOW, account, cloud, volumes

SMALL, LARGE = DiskNeeds(10, 50), DiskNeeds(20, 50)
PAIR = {"n1": Server(100), "n2": Server(100)}


def want(domain: str, needs: DiskNeeds = SMALL, account: str = "acme", **other: Any) -> VolumeRequest:
    return VolumeRequest(domain, account, needs, f"accounts.{account}.machines.{domain}.offering", **other)


def on(domain: str, server: str, needs: DiskNeeds = SMALL, account: str = "acme", **other: Any) -> Volume:
    return Volume("z/p", domain, server, *needs, account=account, cloud="lab", since=0, **other)


def run(
    servers: Mapping[str, Server], there: list[Volume], *requests: VolumeRequest, older: Iterable[str] = ()
) -> Stored:
    return store("z/p", servers, there, requests, "lab", 1, list(older))


def said(stored: Stored) -> list[tuple[str, str]]:
    return [(str(before), str(after)) for before, after in stored.changes]


def test_the_server_with_the_least_share_taken_is_chosen_and_the_first_of_equals() -> None:
    requests = [want(name) for name in "abc"]
    assert run(PAIR, [], *requests).servers == {"a": "n1", "b": "n2", "c": "n1"}
    assert run(PAIR | {"n2": Server(1000)}, [], *requests).servers == {"a": "n1", "b": "n2", "c": "n2"}


def test_a_disk_stays_where_it_is_though_another_server_is_emptier() -> None:
    stored = run(PAIR, [on("a", "n2"), on("b", "n2")], want("a"), want("b"))
    assert (stored.servers, stored.changes) == ({"a": "n2", "b": "n2"}, [])


def test_the_largest_disk_chooses_first_so_that_all_fit() -> None:
    stored = run({"n1": Server(20), "n2": Server(20)}, [], want("a"), want("b"), want("z", LARGE))
    assert stored.servers == {"z": "n1", "a": "n2", "b": "n2"}


def test_a_disk_grows_where_it_is() -> None:
    stored = run(PAIR, [on("a", "n2")], want("a", LARGE))
    assert said(stored) == [("volume z/p n2 a 10 GiB", "volume z/p n2 a 20 GiB")]


def test_a_disk_that_finds_no_room_to_grow_is_refused_though_another_server_has_some() -> None:
    servers = {"n1": Server(29), "n2": Server(100)}
    stored = run(
        servers,
        [on("a", "n1"), on("b", "n1"), on("c", "n1", DiskNeeds(1, 0), state="releasing")],
        want("a", LARGE),
        want("b"),
    )
    assert stored.servers == {"b": "n1"}
    assert stored.problems == [
        (
            "zones.z.pods.p.storage_servers.n1: the disk of a would grow from 10 GiB to 20 GiB, and has to stay "
            "there; pod p in zone z has left: n1 8 GiB (2 GiB too few) of 29 GiB: a 10 GiB, b 10 GiB, c 1 GiB "
            "(left behind); remove what is left behind (deploy with -e podwright_confirm_removal=true), raise "
            "capacity_gib, or change accounts.acme.machines.a.offering back"
        )
    ]


def test_a_disk_never_shrinks() -> None:
    stored = run(PAIR, [on("a", "n1", LARGE)], want("a"))
    assert (stored.servers, stored.changes) == ({}, [])
    assert stored.problems == [
        (
            "accounts.acme.machines.a.offering: the disk of a has 20 GiB on n1 and would have 10, but a disk "
            "never shrinks; take an offering with disk_gib 20 or more, or take the machine away and deploy with "
            "-e podwright_confirm_removal=true before it comes back"
        )
    ]


def test_capacity_below_what_is_leased_is_refused_and_moves_nobody() -> None:
    stored = run({"n1": Server(19), "n2": Server(100)}, [on("a", "n1"), on("b", "n1")], want("a"), want("b"))
    assert stored.problems == [
        (
            "zones.z.pods.p.storage_servers.n1.capacity_gib: 19 GiB is less than the 20 GiB that are leased of "
            "it in pod p in zone z: a 10 GiB, b 10 GiB; give 20 or more, or take machines away"
        )
    ]
    assert (stored.servers, stored.changes) == ({"a": "n1", "b": "n1"}, [])


def test_a_disk_without_room_says_what_every_server_has_left_and_why() -> None:
    servers = {"n1": Server(19), "n2": Server(100, 99)}
    there = [on("a", "n1"), on("b", "n2"), on("gone", "n1", DiskNeeds(5, 0), state="releasing")]
    stored = run(servers, there, want("a"), want("b"), want("c"))
    assert stored.problems == [
        (
            "zones.z.pods.p.storage_servers: the disk of c needs 10 GiB and 50 IOPS and finds no room in pod p "
            "in zone z; left: n1 4 GiB (6 GiB too few) of 19 GiB: a 10 GiB, gone 5 GiB (left behind); n2 90 GiB "
            "and 49 IOPS (1 IOPS too few) of 100 GiB and 99 IOPS: b 10 GiB and 50 IOPS; remove what is left "
            "behind (deploy with -e podwright_confirm_removal=true), raise capacity_gib and storage_iops, add a "
            "storage server, or take machines away"
        )
    ]
    assert run({}, [], want("a")).problems == [
        (
            "zones.z.pods.p.storage_servers: the disk of a needs 10 GiB and finds no room in pod p in zone z; "
            "left: no storage server; raise capacity_gib, add a storage server, or take machines away"
        )
    ]


def test_what_is_left_behind_takes_room_and_comes_back_to_whoever_left_it() -> None:
    left = on("a", "n2", DiskNeeds(10, 0), state="releasing")
    only = {"n2": Server(10)}
    assert run(only, [left], want("b")).problems
    back = run(PAIR, [left], want("a"))
    assert said(back) == [("volume z/p n2 a 10 GiB (releasing)", "volume z/p n2 a 10 GiB")]
    assert not run(only, [left], want("a")).problems


def test_what_an_account_left_behind_is_not_given_to_another() -> None:
    for state in ("held", "releasing"):
        stored = run(PAIR, [on("a-b-c", "n1", account="a", state=state)], want("a-b-c", account="a-b"))
        assert stored.servers == {}
        assert stored.problems == [
            (
                "zones.z.pods.p.storage_servers.n1: the volume of a-b-c is that of account a, and account a-b "
                "has a machine that is called so now; take that away, deploy with -e "
                "podwright_confirm_removal=true, which removes the volume, and add the machine after that"
            )
        ]


def test_operations_a_second_are_promised_once_where_they_are_declared() -> None:
    stored = run({"n1": Server(100, 100), "n2": Server(100)}, [], *(want(name) for name in "abcdef"))
    assert sorted(stored.servers.values()) == ["n1", "n1", "n2", "n2", "n2", "n2"]
    busier = run({"n1": Server(100, 60)}, [on("a", "n1")], want("a", DiskNeeds(10, 70)))
    assert busier.problems == [
        (
            "zones.z.pods.p.storage_servers.n1: the disk of a would grow from 50 IOPS to 70 IOPS, and has to "
            "stay there; pod p in zone z has left: n1 90 GiB and 10 IOPS (10 IOPS too few) of 100 GiB and 60 "
            "IOPS: a 10 GiB and 50 IOPS; raise storage_iops, or change accounts.acme.machines.a.offering back"
        )
    ]
    calmer = run({"n1": Server(100, 60)}, [on("a", "n1")], want("a", DiskNeeds(10, 30)), want("b", DiskNeeds(10, 30)))
    assert (calmer.servers, calmer.problems) == ({"a": "n1", "b": "n1"}, [])


def test_who_is_there_comes_before_who_is_new() -> None:
    stored = run({"n1": Server(20)}, [on("z", "n1")], want("a"), want("z", LARGE))
    assert stored.servers == {"z": "n1"}
    assert len(stored.problems) == 1


def test_only_what_is_wanted_of_the_clouds_own_is_lost_and_each_server_is_one_line() -> None:
    foreign = Volume("z/p", "x", "n9", *SMALL, account="acme", cloud="other", since=0)
    there = [on("a", "n1"), on("b", "n9"), on("c", "n9", state="releasing"), on("d", "n9"), foreign]
    gone = lost(there, {"z/p": PAIR}, {("z/p", name) for name in "abcx"}, "lab")
    assert [volume.domain for volume in gone] == ["b", "c"]
    assert refusal(gone) == [
        (
            "zones.z.pods.p.storage_servers: n9 is gone from the declaration but has the disks of b, c; declare "
            "it again; to do without it, take these machines away first; or, if it is dead for good, deploy with "
            "-e podwright_confirm_lost_storage_servers=true, and their disks are made anew elsewhere"
        )
    ]


def test_a_disk_from_before_volumes_were_leased_is_on_the_server_that_was_there() -> None:
    requests = [want("b", is_older=True), want("a", is_older=True), want("c")]
    assert run({"n2": Server(100)}, [], *requests, older=["n2"]).servers == dict.fromkeys("abc", "n2")
    added = run({"n1": Server(1000), "n2": Server(100)}, [], *requests, older=["n2", "n7"])
    assert added.servers == {"a": "n2", "b": "n2", "c": "n1"}
    assert len(added.changes) == 3
    for older in ([], ["n1", "n2"]):
        assert run(PAIR, [], *requests, older=older).problems == [
            (
                "zones.z.pods.p.storage_servers: the disks of a, b are on the storage server that pod p in zone "
                "z had before volumes were leased, and none or several of those declared may be that; declare it "
                "alone, deploy, and add others after that"
            )
        ]


NEEDS = st.builds(DiskNeeds, st.integers(1, 6), st.integers(0, 6))
SERVERS = st.dictionaries(
    st.sampled_from(["n1", "n2", "n3"]),
    st.builds(Server, st.integers(1, 20), st.none() | st.integers(0, 20)),
    min_size=1,
)
REQUESTS = st.dictionaries(st.sampled_from("abcdefgh"), NEEDS).map(
    lambda needs: [want(domain, each) for domain, each in needs.items()]
)


@settings(max_examples=150, deadline=None)
@given(SERVERS, REQUESTS, REQUESTS, st.randoms(use_true_random=False))
def test_nothing_is_promised_twice_and_no_disk_moves_or_shrinks(
    servers: dict[str, Server], first: list[VolumeRequest], second: list[VolumeRequest], random: Any
) -> None:
    before = [after for _, after in run(servers, [], *first).changes if after]
    stored = run(servers, before, *second)
    shuffled = random.sample(second, len(second))
    assert run(dict(sorted(servers.items(), reverse=True)), before[::-1], *shuffled) == stored

    after = {volume.domain: volume for volume in before} | {each.domain: each for _, each in stored.changes if each}
    for volume in before:
        assert after[volume.domain].server == volume.server
        assert after[volume.domain].size_gib >= volume.size_gib
    if stored.problems:  # nothing of it is written down
        return
    assert stored.servers.keys() == {request.domain for request in second}
    for name, server in servers.items():
        here = [volume for volume in after.values() if volume.server == name]
        assert sum(volume.size_gib for volume in here) <= server.capacity_gib
        assert server.storage_iops is None or sum(volume.storage_iops for volume in here) <= server.storage_iops
    assert not run(servers, list(after.values()), *second).changes


def two_servers(directory: Path, accounts: Mapping[str, Any], *names: str, capacity_gib: int = 3) -> Any:
    """A cloud whose first pod has these storage servers."""
    servers = cloud(directory, {}).zones["east"].pods["p1"].model_dump()["storage_servers"]
    [server] = servers.values()
    declared = {
        name: server | {"capacity_gib": capacity_gib, "management_address": f"192.168.1.2{name[-1]}"} for name in names
    }
    return cloud(directory, accounts, storage_servers=declared)


def test_a_volume_takes_room_until_its_storage_server_was_seen_without_it(tmp_path: Path) -> None:
    both = two_servers(tmp_path, {"acme": account("web1", "web2")}, "p1-n1")
    assert allocate(both, preview=False, now=NOW).leases.volumes == dict.fromkeys(
        ("acme-east-router", "acme-web1", "acme-web2"), "p1-n1"
    )
    one = two_servers(tmp_path, {"acme": account("web1")}, "p1-n1")
    other = two_servers(tmp_path, {"acme": account("web1", "web3")}, "p1-n1")
    removed = allocate(one, preview=False, now=NOW)
    assert "volume east/p1 p1-n1 acme-web2 1 GiB (releasing)" in map(str, removed.releasing)

    at = unix_time(NOW)
    settle(one, planned_at=at, now=NOW)  # which nobody told what is on the servers
    assert [str(each) for each in volumes(one) if each.storage_iops == 500 and each.state == "releasing"]
    assert settle(one, planned_at=at - 1, left_behind={"p1-n1": []}, now=NOW).changes == []
    left = settle(one, planned_at=at, left_behind={"p1-n1": ["acme-web2"]}, now=NOW)
    assert [
        (each.before.storage_iops, each.after and each.after.storage_iops)
        for each in left.changes
        if each.before and isinstance(each.before, Volume)
    ] == [(500, 0)]
    assert settle(one, planned_at=at, left_behind={"p1-n1": ["acme-web2"]}, now=NOW).changes == []
    with pytest.raises(AllocationError, match=r"acme-web2 1 GiB \(left behind\)"):
        allocate(other, preview=False, now=LATER)

    gone = settle(one, planned_at=at, left_behind={"p1-n1": []}, now=NOW)
    assert [(str(before), after) for before, after in gone.changes] == [
        ("volume east/p1 p1-n1 acme-web2 1 GiB (releasing)", None)
    ]
    assert allocate(other, preview=False, now=LATER).leases.volumes["acme-web3"] == "p1-n1"


def test_a_second_storage_server_takes_the_next_disks_and_no_others(tmp_path: Path) -> None:
    before = allocate(two_servers(tmp_path, {"acme": account("web1")}, "p1-n2"), preview=False, now=NOW).leases
    after = allocate(
        two_servers(tmp_path, {"acme": account("web1", "web2")}, "p1-n1", "p1-n2"), preview=False, now=NOW
    ).leases
    assert after.volumes == {**before.volumes, "acme-web2": "p1-n1"}


def test_a_storage_server_that_is_gone_with_disks_is_refused_until_it_is_confirmed_lost(tmp_path: Path) -> None:
    accounts = {"acme": account("web1")}
    allocate(two_servers(tmp_path, accounts, "p1-n1"), preview=False, now=NOW)
    without = two_servers(tmp_path, accounts, "p1-n2")
    with pytest.raises(AllocationError) as raised:
        allocate(without, preview=False, now=NOW)
    assert str(raised.value).startswith(
        "zones.east.pods.p1.storage_servers: p1-n1 is gone from the declaration but has the disks of acme-east-router, "
        "acme-web1; declare it again; "
    )
    anew = allocate(without, preview=False, lost_storage_servers_confirmed=True, now=NOW)
    assert set(anew.leases.volumes.values()) == {"p1-n2"}
    assert not allocate(without, preview=False, now=NOW).changed
    assert settle(without, planned_at=unix_time(NOW), now=NOW).lost == []  # it is forgotten


def test_a_storage_server_may_go_with_its_machines_and_is_waited_for(tmp_path: Path) -> None:
    allocate(two_servers(tmp_path, {"acme": account("web1")}, "p1-n1"), preview=False, now=NOW)
    without = two_servers(tmp_path, {}, "p1-n2")
    allocate(without, preview=False, now=NOW)
    seen = {"p1-n2": []}
    assert settle(without, planned_at=unix_time(NOW), left_behind=seen, now=NOW).lost == ["p1-n1"]
    assert len(volumes(without)) == 2
    settle(without, planned_at=unix_time(NOW), left_behind=seen, lost_devices_confirmed=True, now=NOW)
    assert volumes(without) == []


def test_a_machine_that_moves_to_another_pod_leaves_its_disk_behind(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account("web1")}), preview=False, now=NOW)
    moved = allocate(cloud(tmp_path, {"acme": account("web1", pod="p2")}), preview=False, now=NOW)
    assert moved.leases.volumes["acme-web1"] == "p2-n1"
    assert "volume east/p1 p1-n1 acme-web1 1 GiB (releasing)" in map(str, moved.releasing)
