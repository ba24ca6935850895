from __future__ import annotations

from podwright.allocation.placement import Capacity, Placed, Placement, PlacementRequest, place

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


def test_a_domain_moves_when_its_hypervisor_is_gone_or_it_is_pinned_elsewhere() -> None:
    assert run(PAIR, [on("a", "h9")], PlacementRequest("a", SMALL)).hypervisors == {"a": "h1"}
    assert run(PAIR, [on("a", "h1")], PlacementRequest("a", SMALL, hypervisor="h2")).hypervisors == {"a": "h2"}


def test_the_domain_that_grows_moves_and_not_its_neighbour() -> None:
    full = {"h1": Capacity(4, 200), "h2": Capacity(4, 400)}
    placed = run(full, [on("a", "h1"), on("b", "h1")], PlacementRequest("a", LARGE), PlacementRequest("b", SMALL))
    assert placed.hypervisors == {"a": "h2", "b": "h1"}
    [change] = placed.changes
    assert (str(change.before), str(change.after)) == ("placement z/p h1 a", "placement z/p h2 a")


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
