from __future__ import annotations

from pathlib import Path

import pytest

from podwright.allocation import allocate
from podwright.allocation.placement import (
    Capacity,
    Host,
    Limits,
    Needs,
    Placed,
    Placement,
    PlacementRequest,
    lost,
    place,
    refusal,
)
from podwright.errors import AllocationError
from tests.unit.allocation.declaration import NOW, account, cloud, records

SMALL, LARGE = Needs(1, 100, 10, 50), Needs(1, 200, 10, 50)
ROOMY = Host(Capacity(4, 400))
PAIR = {"h1": ROOMY, "h2": ROOMY}
FULL = Host(Capacity(4, 100))
UNLIMITED = Limits()


def want(
    domain: str,
    needs: Needs = SMALL,
    account: str = "acme",
    group: tuple[str, str] | None = None,
    hypervisor: str | None = None,
) -> PlacementRequest:
    return PlacementRequest(domain, account, needs, group, hypervisor)


def on(domain: str, hypervisor: str, needs: Needs = SMALL, **other: object) -> Placement:
    return Placement("z/p", domain, hypervisor, *needs, cloud="lab", since=0, **other)  # type: ignore[arg-type]


def run(
    hypervisors: dict[str, Host], placements: list[Placement], *requests: PlacementRequest, limits: Limits = UNLIMITED
) -> Placed:
    return place("z/p", hypervisors, limits, placements, requests, "lab", 1)


def test_the_least_used_hypervisor_is_taken_and_the_first_of_equals() -> None:
    requests = [want(name) for name in ("a", "b", "c")]
    assert run(PAIR, [], *requests).hypervisors == {"a": "h1", "b": "h2", "c": "h1"}
    wide = PAIR | {"h2": Host(Capacity(4, 4000))}
    assert run(wide, [], *requests).hypervisors == {"a": "h1", "b": "h2", "c": "h2"}


def test_a_domain_stays_where_it_is_though_another_hypervisor_is_emptier() -> None:
    placed = run(PAIR, [on("a", "h1"), on("b", "h1")], want("a"), want("b"))
    assert (placed.hypervisors, placed.changes) == ({"a": "h1", "b": "h1"}, [])


def test_a_domain_moves_when_it_is_pinned_elsewhere() -> None:
    assert run(PAIR, [on("a", "h1")], want("a", hypervisor="h2")).hypervisors == {"a": "h2"}


def test_the_domain_that_grows_moves_and_not_its_neighbour() -> None:
    full = {"h1": Host(Capacity(4, 200)), "h2": ROOMY}
    placed = run(full, [on("a", "h1"), on("b", "h1")], want("a", LARGE), want("b"))
    assert placed.hypervisors == {"a": "h2", "b": "h1"}
    assert [(str(before), str(after)) for before, after in placed.changes] == [
        ("placement z/p h1 a", "placement z/p h1 a (releasing)"),
        ("None", "placement z/p h2 a"),
    ]


def test_a_domain_that_moves_back_is_held_where_it_was_and_leaves_where_it_went() -> None:
    moved = [on("a", "h1", state="releasing"), on("a", "h2")]
    placed = run(PAIR, moved, want("a", hypervisor="h1"))
    assert [str(after) for _, after in placed.changes] == ["placement z/p h2 a (releasing)", "placement z/p h1 a"]


def test_a_domain_that_moved_stays_and_its_old_room_is_free() -> None:
    full = {"h1": FULL, "h2": FULL}
    moved = [on("a", "h1", state="releasing"), on("a", "h2")]
    placed = run(full, moved, want("a"), want("b"))
    assert placed.hypervisors == {"a": "h2", "b": "h1"}


def test_only_the_clouds_own_hypervisors_are_lost_and_each_is_one_line() -> None:
    foreign = Placement("z/p", "x", "h9", *SMALL, cloud="other", since=0)
    placements = [on("a", "h1"), on("b", "h9"), on("c", "h9", state="releasing"), foreign]
    gone = lost(placements, {"z/p": PAIR}, "lab")
    assert [placement.domain for placement in gone] == ["b", "c"]
    assert lost(placements, {}, "lab") == placements[:3]  # the whole pod is gone
    [line] = refusal(gone)
    assert line == (
        "zones.z.pods.p.hypervisors: h9 is gone from the declaration but holds b, c; declare it again, deploy with "
        "memory_mib: 1 there, so that all of them move away, and take it out after that; or, if it is dead for good, "
        "deploy with -e podwright_confirm_lost_hypervisors=true"
    )


def test_a_new_pinned_domain_drives_nobody_away() -> None:
    full = {"h1": FULL, "h2": FULL}
    placed = run(full, [on("b", "h1")], want("a", hypervisor="h1"), want("b"))
    assert placed.hypervisors == {"b": "h1"}
    [problem] = placed.problems
    assert problem == (
        "zones.z.pods.p.hypervisors: a needs 1 vCPUs and 100 MiB on h1, where it is pinned, and finds no room in pod p "
        "in zone z; left: h1 15 vCPUs and 0 MiB (100 MiB too few); h2 16 vCPUs and 100 MiB; pin it to another or to "
        "none, or take machines away from there"
    )


def test_what_is_on_its_way_out_still_takes_room() -> None:
    full = {"h1": FULL}
    assert run(full, [on("old", "h1", state="releasing")], want("new")).problems
    assert not run(full, [], want("new")).problems


def test_whatever_is_scarce_is_told_with_what_is_left_and_what_is_missing() -> None:
    hypervisors = {
        "h1": Host(Capacity(1, 1000, 1000, 1000)),
        "h2": Host(Capacity(9, 99, 1000, 1000)),
        "h3": Host(Capacity(9, 1000, 9, 1000)),
        "h4": Host(Capacity(9, 1000, 1000, 49)),
        "h5": Host(Capacity(9, 1000, None, 1)),
    }
    large = Needs(5, 100, 10, 50)
    [problem] = run(hypervisors, [], want("a", large)).problems
    assert problem == (
        "zones.z.pods.p.hypervisors: a needs 5 vCPUs, 100 MiB, 10 Mbit/s and 50 IOPS and finds no room in pod p in "
        "zone z; left: "
        "h1 4 vCPUs, 1000 MiB, 1000 Mbit/s and 1000 IOPS (1 vCPUs too few); "
        "h2 36 vCPUs, 99 MiB, 1000 Mbit/s and 1000 IOPS (1 MiB too few); "
        "h3 36 vCPUs, 1000 MiB, 9 Mbit/s and 1000 IOPS (1 Mbit/s too few); "
        "h4 36 vCPUs, 1000 MiB, 1000 Mbit/s and 49 IOPS (1 IOPS too few); "
        "h5 36 vCPUs, 1000 MiB and 1 IOPS (49 IOPS too few); "
        "add a hypervisor, or take machines away"
    )
    for enough in (Capacity(2, 100, 10, 50), Capacity(2, 100)):
        assert run(hypervisors | {"h6": Host(enough)}, [], want("a", large)).hypervisors == {"a": "h6"}


def test_links_and_disks_are_promised_once() -> None:
    for has in (Capacity(4, 400, 20, None), Capacity(4, 400, None, 100)):
        placed = run({"h1": Host(has)}, [], want("a"), want("b"), want("c"))
        assert placed.hypervisors == {"a": "h1", "b": "h1"}
        assert len(placed.problems) == 1


def test_the_domain_whose_network_needs_grow_moves_and_not_its_neighbour() -> None:
    hypervisors = {"h1": Host(Capacity(4, 400, 20)), "h2": ROOMY}
    placed = run(hypervisors, [on("a", "h1"), on("b", "h1")], want("a", SMALL._replace(network_mbit_s=11)), want("b"))
    assert placed.hypervisors == {"a": "h2", "b": "h1"}


def test_needs_that_change_where_there_is_room_are_noted_in_place() -> None:
    busier = SMALL._replace(storage_iops=60)
    placed = run(PAIR, [on("a", "h1")], want("a", busier))
    [(before, after)] = placed.changes
    assert before == on("a", "h1")
    assert after
    assert (after.hypervisor, after.needs) == ("h1", busier)


def test_the_one_that_needs_the_largest_share_of_anything_chooses_first() -> None:
    hypervisors = {"h1": Host(Capacity(4, 1000, 100)), "h2": Host(Capacity(4, 1000, 100))}
    busy, large = Needs(1, 100, 100, 50), Needs(1, 300, 10, 50)
    placed = run(hypervisors, [], want("a", large), want("b", large), want("c", busy))
    assert placed.hypervisors == {"c": "h1", "a": "h2", "b": "h2"}


OWN = {"h1": ROOMY, "h2": Host(Capacity(4, 200), "acme"), "h3": Host(Capacity(4, 200), "acme")}


def test_an_account_fills_its_own_hypervisors_first_and_then_those_for_all() -> None:
    placed = run(OWN, [], *(want(name) for name in "abcde"))
    assert placed.hypervisors == {"a": "h2", "b": "h3", "c": "h2", "d": "h3", "e": "h1"}
    apart = [want(name, group=("acme", "web")) for name in "abc"]
    assert run(OWN, [], *apart).hypervisors == {"a": "h2", "b": "h3", "c": "h1"}


def test_nobody_else_gets_on_a_dedicated_hypervisor() -> None:
    placed = run(OWN, [], *(want(name, account="globex") for name in "abcde"))
    assert set(placed.hypervisors.values()) == {"h1"}
    [problem] = placed.problems
    assert problem == (
        "zones.z.pods.p.hypervisors: e needs 1 vCPUs and 100 MiB and finds no room in pod p in zone z; left: h1 12 "
        "vCPUs and 0 MiB (100 MiB too few); h2, h3 dedicated to acme; add a hypervisor, dedicate one less, or take "
        "machines away"
    )


def test_nobody_is_pinned_to_a_hypervisor_of_another_account() -> None:
    [problem] = run(OWN, [], want("a", account="globex", hypervisor="h2")).problems
    assert problem == (
        "zones.z.pods.p.hypervisors: a needs 1 vCPUs and 100 MiB on h2, where it is pinned, and finds no room in pod p "
        "in zone z; left: h1 16 vCPUs and 400 MiB; h2, h3 dedicated to acme; pin it to another or to none, or take "
        "machines away from there"
    )
    assert run(OWN, [], want("a", hypervisor="h1")).hypervisors == {"a": "h1"}  # an account may use those for all


def test_a_domain_stays_on_a_hypervisor_for_all_though_its_account_has_one_now() -> None:
    placed = run(OWN, [on("a", "h1")], want("a"))
    assert (placed.hypervisors, placed.changes) == ({"a": "h1"}, [])


def test_a_domain_leaves_a_hypervisor_that_became_another_accounts() -> None:
    placed = run(OWN, [on("a", "h2"), on("b", "h2")], want("a", account="globex"), want("b"))
    assert placed.hypervisors == {"a": "h1", "b": "h2"}
    assert [(str(before), str(after)) for before, after in placed.changes] == [
        ("placement z/p h2 a", "placement z/p h2 a (releasing)"),
        ("None", "placement z/p h1 a"),
    ]


def test_a_domain_that_must_leave_and_has_nowhere_to_go_is_told() -> None:
    hypervisors = {"h1": FULL, "h2": Host(Capacity(4, 200), "acme")}
    placed = run(hypervisors, [on("a", "h2"), on("b", "h1")], *(want(name, account="globex") for name in "ab"))
    [problem] = placed.problems
    assert problem == (
        "zones.z.pods.p.hypervisors: a needs 1 vCPUs and 100 MiB, cannot stay on h2, which is dedicated to acme, and "
        "finds no room in pod p in zone z; left: h1 15 vCPUs and 0 MiB (100 MiB too few); h2 dedicated to acme; add a "
        "hypervisor, dedicate one less, or take machines away"
    )


def test_a_pod_has_limits_of_everything() -> None:
    for limits, missing in {
        Limits(machines=1): "b does not fit into the limits of pod p in zone z; left: 0 machines (1 machines too few)",
        Limits(vcpus=1): "b needs 1 vCPUs and does not fit into the limits of pod p in zone z; left: 0 vCPUs (1 vCPUs "
        "too few)",
        Limits(memory_mib=150): "b needs 100 MiB and does not fit into the limits of pod p in zone z; left: 50 MiB (50 "
        "MiB too few)",
        Limits(network_mbit_s=19): "b needs 10 Mbit/s and does not fit into the limits of pod p in zone z; left: 9 "
        "Mbit/s (1 Mbit/s too few)",
        Limits(
            5, 5, 500, 50, 99
        ): "b needs 1 vCPUs, 100 MiB, 10 Mbit/s and 50 IOPS and does not fit into the limits of "
        "pod p in zone z; left: 4 machines, 4 vCPUs, 400 MiB, 40 Mbit/s and 49 IOPS (1 IOPS too few)",
    }.items():
        placed = run(PAIR, [], want("a"), want("b"), limits=limits)
        assert placed.hypervisors == {"a": "h1"}
        assert placed.problems == [f"zones.z.pods.p.limits: {missing}; raise the limits, or take machines away"]
    assert not run(PAIR, [], want("a"), want("b"), limits=Limits(2, 2, 200, 20, 100)).problems


def test_what_is_on_its_way_out_counts_for_the_limits_once() -> None:
    moved = [on("old", "h1", state="releasing"), on("old", "h2", state="releasing")]
    [problem] = run(PAIR, moved, want("new"), limits=Limits(machines=1)).problems
    assert problem == (
        "zones.z.pods.p.limits: new does not fit into the limits of pod p in zone z; left: 0 machines (1 machines too "
        "few), beside 1 on the way out (deploy their removal first); raise the limits, or take machines away"
    )
    assert not run(PAIR, moved, want("new"), limits=Limits(machines=2)).problems


def test_a_domain_that_moves_counts_for_the_limits_once() -> None:
    placed = run(PAIR, [on("a", "h1")], want("a", hypervisor="h2"), limits=Limits(1, 1, 100, 10, 50))
    assert (placed.hypervisors, placed.problems) == ({"a": "h2"}, [])


def test_new_domains_take_the_limits_from_nobody() -> None:
    placed = run(PAIR, [on("z", "h1")], want("a"), want("b", hypervisor="h1"), want("z"), limits=Limits(machines=1))
    assert placed.hypervisors == {"z": "h1"}
    assert len(placed.problems) == 2


def test_limits_that_shrink_below_what_is_there_are_told() -> None:
    placed = run(PAIR, [on("a", "h1"), on("b", "h2")], want("a"), want("b"), limits=Limits(machines=1))
    [problem] = placed.problems
    assert problem == (
        "zones.z.pods.p.limits: b does not fit into the limits of pod p in zone z; left: 0 machines (1 machines too "
        "few); raise the limits, or take machines away"
    )


def test_dedicating_a_hypervisor_moves_what_others_have_there_and_nothing_else(tmp_path: Path) -> None:
    accounts = {"acme": account("web1", "web2", anti_affinity="web"), "globex": account("web1", "web2")}
    declared = cloud(tmp_path, accounts)
    before = allocate(declared, preview=False, now=NOW).leases.placements
    hypervisors = declared.zones["east"].pods["p1"].model_dump()["hypervisors"]
    hypervisors["p1-hv2"]["dedicated_to"] = "acme"
    dedicated = cloud(tmp_path, accounts, hypervisors=hypervisors)

    after = allocate(dedicated, preview=False, now=NOW).leases

    driven_out = sorted(name for name, on in before.items() if on == "p1-hv2" and name.startswith("globex-"))
    assert driven_out
    assert after.placements == before | dict.fromkeys(driven_out, "p1-hv1")
    assert after.moved_from == {name: ["p1-hv2"] for name in driven_out}
    assert not allocate(dedicated, preview=False, now=NOW).changed


def test_a_pod_over_its_limits_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    declared = cloud(tmp_path, {"acme": account("web1")}, limits={"network_mbit_s": 399})
    with pytest.raises(AllocationError) as raised:
        allocate(declared, preview=False, now=NOW)
    assert str(raised.value) == (
        "zones.east.pods.p1.limits: acme-web1 needs 100 Mbit/s and does not fit into the limits of pod p1 in zone "
        "east; left: 99 Mbit/s (1 Mbit/s too few); raise the limits, or take machines away"
    )
    assert records(declared) == []


def test_what_a_placement_was_promised_is_remembered(tmp_path: Path) -> None:
    declared = cloud(tmp_path, {"acme": account("web1")})
    allocate(declared, preview=False, now=NOW)
    promised = {record.domain: record.needs for record in records(declared) if isinstance(record, Placement)}
    assert promised == {"acme-east-router": Needs(1, 128, 300, 500), "acme-web1": Needs(1, 128, 100, 500)}
