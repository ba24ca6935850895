from __future__ import annotations

from podwright.allocation.placement import Capacity, Placed, Placement, PlacementRequest, lost, place, refusal

SMALL, LARGE = Capacity(1, 100), Capacity(1, 200)
PAIR = {"h1": Capacity(4, 400), "h2": Capacity(4, 400)}


def on(domain: str, hypervisor: str, needs: Capacity = SMALL, **other: object) -> Placement:
    return Placement("z/p", domain, hypervisor, *needs, cloud="lab", since=0, **other)  # type: ignore[arg-type]


def run(hypervisors: dict[str, Capacity], placements: list[Placement], *requests: PlacementRequest) -> Placed:
    return place("z/p", hypervisors, placements, requests, "lab", 1)


def test_the_least_used_hypervisor_is_taken_and_the_first_of_equals() -> None:
    requests = [PlacementRequest(name, SMALL) for name in ("a", "b", "c")]
    assert run(PAIR, [], *requests).hypervisors == {"a": "h1", "b": "h2", "c": "h1"}
    wide = PAIR | {"h2": Capacity(4, 4000)}
    assert run(wide, [], *requests).hypervisors == {"a": "h1", "b": "h2", "c": "h2"}


def test_a_domain_stays_where_it_is_though_another_hypervisor_is_emptier() -> None:
    placed = run(PAIR, [on("a", "h1"), on("b", "h1")], PlacementRequest("a", SMALL), PlacementRequest("b", SMALL))
    assert (placed.hypervisors, placed.changes) == ({"a": "h1", "b": "h1"}, [])


def test_a_domain_moves_when_it_is_pinned_elsewhere() -> None:
    assert run(PAIR, [on("a", "h1")], PlacementRequest("a", SMALL, hypervisor="h2")).hypervisors == {"a": "h2"}


def test_the_domain_that_grows_moves_and_not_its_neighbour() -> None:
    full = {"h1": Capacity(4, 200), "h2": Capacity(4, 400)}
    placed = run(full, [on("a", "h1"), on("b", "h1")], PlacementRequest("a", LARGE), PlacementRequest("b", SMALL))
    assert placed.hypervisors == {"a": "h2", "b": "h1"}
    assert [(str(before), str(after)) for before, after in placed.changes] == [
        ("placement z/p h1 a", "placement z/p h1 a (releasing)"),
        ("None", "placement z/p h2 a"),
    ]


def test_a_domain_that_moves_back_is_held_where_it_was_and_leaves_where_it_went() -> None:
    moved = [on("a", "h1", state="releasing"), on("a", "h2")]
    placed = run(PAIR, moved, PlacementRequest("a", SMALL, hypervisor="h1"))
    assert [str(after) for _, after in placed.changes] == ["placement z/p h2 a (releasing)", "placement z/p h1 a"]


def test_a_domain_that_moved_stays_and_its_old_room_is_free() -> None:
    full = {"h1": Capacity(4, 100), "h2": Capacity(4, 100)}
    moved = [on("a", "h1", state="releasing"), on("a", "h2")]
    placed = run(full, moved, PlacementRequest("a", SMALL), PlacementRequest("b", SMALL))
    assert placed.hypervisors == {"a": "h2", "b": "h1"}


def test_only_the_clouds_own_hypervisors_are_lost_and_each_is_one_line() -> None:
    foreign = Placement("z/p", "x", "h9", 1, 100, cloud="other", since=0)
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
    full = {"h1": Capacity(4, 100), "h2": Capacity(4, 100)}
    placed = run(full, [on("b", "h1")], PlacementRequest("a", SMALL, hypervisor="h1"), PlacementRequest("b", SMALL))
    assert placed.hypervisors == {"b": "h1"}
    [problem] = placed.problems
    assert problem == (
        "zones.z.pods.p.hypervisors: a needs 1 vCPUs and 100 MiB on h1, where it is pinned, and finds no room in pod p "
        "in zone z; left: h1 15 vCPUs and 0 MiB; h2 16 vCPUs and 100 MiB; add a hypervisor, or take machines away"
    )


def test_what_is_on_its_way_out_still_takes_room() -> None:
    full = {"h1": Capacity(4, 100)}
    assert run(full, [on("old", "h1", state="releasing")], PlacementRequest("new", SMALL)).problems
    assert not run(full, [], PlacementRequest("new", SMALL)).problems
