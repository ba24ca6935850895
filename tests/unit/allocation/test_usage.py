from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from podwright.allocation.grant import Lease, State
from podwright.allocation.history import Event
from podwright.allocation.placement import Capacity, Placement
from podwright.allocation.pools import DeclaredPool
from podwright.allocation.told import forecast
from podwright.allocation.usage import DAY_S, MONTH_S, Usage, empties_at, filled, fuller, promised, usage
from podwright.allocation.volumes import Server, Volume

NOW = 2_000_000_000
YEAR_S = 365 * DAY_S


@pytest.fixture(autouse=True)
def in_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("free", "growth", "over_s", "in_s"),
    [
        pytest.param(10, 1, DAY_S, 10 * DAY_S, id="one a day"),
        pytest.param(10, 30, MONTH_S, 10 * DAY_S, id="one a day, seen for a month"),
        pytest.param(1, 3, DAY_S, DAY_S // 3, id="less than a day"),
        pytest.param(1, 7, DAY_S, 12343, id="a part of a second counts as one"),
        pytest.param(0, 1, DAY_S, 0, id="it is empty already"),
        pytest.param(0, -5, DAY_S, 0, id="it is empty, whatever was given back"),
        pytest.param(-3, 0, DAY_S, 0, id="a pool that shrank below its leases"),
        pytest.param(10, 0, DAY_S, None, id="as many given back as taken"),
        pytest.param(10, -1, DAY_S, None, id="more given back than taken"),
        pytest.param(36500, 1, DAY_S, 100 * YEAR_S, id="in a century"),
        pytest.param(36501, 1, DAY_S, None, id="later than in a century"),
        pytest.param(2**24, 1, MONTH_S, None, id="never in practice"),
    ],
)
def test_forecast(free: int, growth: int, over_s: int, in_s: int | None) -> None:
    assert empties_at(free, growth, over_s, NOW) == (None if in_s is None else NOW + in_s)


def lease(value: int, **other: Any) -> Lease:
    return Lease("guest_vlan", "east/p1", value, f"a{value}/default", "guest_network", "lab", NOW)._replace(**other)


def event(at: int, value: int | None, before: str | None, after: str | None) -> Event:
    return Event(at, "guest_vlan", "east/p1", value, "a/default", "guest_network", before, after)


def one(*leases: Lease, events: tuple[Event, ...] = (), begins: int = NOW - 10 * DAY_S) -> Usage:
    declared = DeclaredPool("guest_vlan", "east/p1", "101-110", "zones.east.pods.p1.guest_vlans", "lab")
    [found] = usage([declared], leases, events, {("guest_vlan", "east/p1"): begins}, NOW)
    return found


def test_every_state_but_free_is_used() -> None:
    found = one(
        lease(101),
        lease(102, state="releasing"),
        lease(103, state="quarantine", until=NOW + 1),
        lease(104, state="quarantine", until=NOW),  # over, though nobody has written that down yet
        lease(200),  # of before the pool shrank
    )
    assert (found.size, found.held, found.releasing, found.quarantine, found.free, found.percent) == (
        10,
        1,
        1,
        1,
        7,
        30,
    )


@pytest.mark.parametrize(
    ("events", "begins", "words"),
    [
        pytest.param((), NOW - 10 * DAY_S, "not at last month's rate", id="nothing was done"),
        pytest.param(
            ((NOW - DAY_S, None, "held"), (NOW - DAY_S, None, "held")),
            NOW - 10 * DAY_S,
            "at last month's rate it is empty on 2033-07-07",
            id="two in ten days",
        ),
        pytest.param(
            ((NOW - DAY_S, None, "held"), (NOW - DAY_S, None, "held")),
            NOW - 90 * DAY_S,
            "at last month's rate it is empty on 2033-10-15",
            id="two in the last month",
        ),
        pytest.param(
            ((NOW - 5, None, "held"),), NOW - 5, "at last month's rate it is empty on 2033-05-28", id="one in seconds"
        ),
        pytest.param(
            ((NOW - MONTH_S, None, "held"),), NOW - 90 * DAY_S, "not at last month's rate", id="a month and longer ago"
        ),
        pytest.param(
            ((NOW - 9, None, "held"), (NOW - 8, "held", "releasing"), (NOW - 7, "quarantine", None)),
            NOW - 10 * DAY_S,
            "not at last month's rate",
            id="taken and given back",
        ),
    ],
)
def test_a_pool_s_rate_is_what_was_taken_less_what_was_given_back(
    events: tuple[tuple[int, str | None, str | None], ...],
    begins: int,
    words: str,
) -> None:
    found = one(events=tuple(event(at, 101, before, after) for at, before, after in events), begins=begins)
    assert forecast(found) == words


def test_values_of_other_pools_and_declarations_do_not_count() -> None:
    events = (event(NOW - 5, None, None, "101-110"), event(NOW - 5, 999, None, "held"))
    assert one(events=events).empty_at is None


def test_sections_are_counted_apart() -> None:
    declared = DeclaredPool("guest_vlan", "east/p1", "101-103,107-110 acme:104-106", "guest_vlans", "lab")
    leases = [lease(104), lease(105), lease(106), lease(101)]
    found = list(usage([declared], leases, (), {}, NOW))
    assert [(each.section, each.size, each.held, forecast(each)) for each in found] == [
        ("", 7, 1, "not at last month's rate"),
        ("acme", 3, 3, "it is empty"),
    ]
    assert list(fuller(found, [], [], 99.9)) == [
        "pool guest_vlan of pod p1 in zone east, for acme: 3 of 3 are used (100%)",
    ]


def placement(domain: str, hypervisor: str, vcpus: int, memory_mib: int) -> Placement:
    return Placement("east/p1", domain, hypervisor, vcpus, memory_mib, 100, 100, "lab", NOW)


def test_what_is_promised_counts_against_what_there_is() -> None:
    placements = [placement("a-web1", "hv1", 8, 1000), placement("a-web2", "hv1", 7, 24), placement("b", "gone", 1, 1)]
    capacities = {("east/p1", "hv1"): Capacity(4, 1024), ("east/p1", "hv2"): Capacity(4, 1024)}
    found = list(promised(placements, capacities))
    assert found == [
        ("east/p1", "gone", 1, 1, 1, None, None),
        ("east/p1", "hv1", 2, 15, 1024, 16, 1024),
        ("east/p1", "hv2", 0, 0, 0, 16, 1024),
    ]
    assert list(fuller([], found, [], 50)) == [
        "hypervisors of pod p1 in zone east: 1025 of 2048 MiB are promised (50%)"
    ]
    assert list(fuller([], found, [], 51)) == []
    assert list(fuller([], promised(placements, {}), [], 0)) == []


def volume(domain: str, server: str, size_gib: int, state: State = "held") -> Volume:
    return Volume("east/p1", domain, server, size_gib, 100, "acme", "lab", NOW, state)


def grown(at: int, server: str, before: str | None, after: str | None) -> Event:
    return Event(at, "volume", "east/p1", None, "acme-web1", server, before, after)


def test_what_is_leased_of_storage_servers_counts_what_is_left_behind_and_when_they_are_full() -> None:
    volumes = [volume("a", "n1", 30), volume("b", "n1", 10, "releasing"), volume("c", "gone", 5)]
    servers = {("east/p1", "n1"): Server(100, 250), ("east/p1", "n2"): Server(50)}
    events = [
        grown(NOW - 10 * DAY_S, "n1", None, "held 20 GiB"),
        grown(NOW - 5 * DAY_S, "n1", "held 20 GiB", "held 30 GiB"),
        grown(NOW - 5 * DAY_S, "n1", "releasing 10 GiB", None),
        grown(NOW - 31 * DAY_S, "n1", None, "held 10 GiB"),
        event(NOW - 5, 104, None, "held"),
    ]
    found = list(filled(volumes, servers, events, {("volume", "east/p1"): NOW - 40 * DAY_S}, NOW))
    assert found == [
        ("east/p1", "gone", 1, 5, 0, 100, None, None, None),
        ("east/p1", "n1", 2, 40, 10, 200, 100, 250, NOW + 90 * DAY_S),  # 20 GiB in 30 days, and 60 are left
        ("east/p1", "n2", 0, 0, 0, 0, 50, None, None),
    ]
    assert list(fuller([], [], found, 39)) == [
        "storage server n1 of pod p1 in zone east: 40 of 100 GiB are leased (40%)",
        "storage server n1 of pod p1 in zone east: 200 of 250 IOPS are leased (80%)",
    ]
    assert list(fuller([], [], found, 80)) == []
