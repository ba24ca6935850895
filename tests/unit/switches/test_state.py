from __future__ import annotations

import pytest
from hypothesis import given

from podwright.errors import PodwrightError
from podwright.switches.state import (
    Port,
    PortForwarding,
    SwitchState,
    applied,
    as_data,
    astray,
    difference,
    from_data,
    ranges,
)

from .states import switch_states


@given(current=switch_states(), desired=switch_states())
def test_a_change_leads_from_any_state_to_any_other(current: SwitchState, desired: SwitchState) -> None:
    assert applied(difference(current, desired), current) == desired


@given(state=switch_states())
def test_a_state_differs_not_from_itself(state: SwitchState) -> None:
    assert not difference(state, state)


@given(state=switch_states())
def test_data_and_state_say_the_same(state: SwitchState) -> None:
    assert from_data(as_data(state)) == state


def test_what_is_not_declared_is_none() -> None:
    assert from_data({}) == SwitchState(vlans=None, ports=None, priority=None)


def test_native_vlan_of_a_trunk_is_not_tagged_too() -> None:
    state = from_data({"ports": {"swp1": {"mode": "trunk", "tagged": [10, 20], "untagged": 10}}})
    assert state.ports is not None
    assert state.ports["swp1"].tagged == {20}
    assert state.ports["swp1"].vlans == {10, 20}


def test_access_port_with_tagged_vlans_is_refused() -> None:
    with pytest.raises(PodwrightError) as refusal:
        from_data({"ports": {"swp1": {"mode": "access", "tagged": [20, 10], "untagged": 30}}})
    assert str(refusal.value) == (
        "ports.swp1: tagged VLANs [10, 20] on an access port, which has none; make its mode trunk"
    )


@pytest.mark.parametrize(
    ("vlans", "expected"),
    [
        ([], []),
        ([7], [(7, 7)]),
        ([3, 1, 2], [(1, 3)]),
        ([1, 3, 4, 6], [(1, 1), (3, 4), (6, 6)]),
        (range(1, 4095), [(1, 4094)]),
    ],
)
def test_ranges(vlans: list[int], expected: list[tuple[int, int]]) -> None:
    assert ranges(vlans) == expected


def test_ports_that_do_what_they_should_are_not_astray() -> None:
    state = SwitchState(
        vlans={10: "management", 20: "storage"},
        ports={
            "swp1": Port("trunk", frozenset({10, 20})),
            "swp2": Port("access", untagged=10),
            "swp3": Port("trunk"),
            "swp4": Port("trunk", frozenset({20, 999})),
        },
    )
    forwarding = {"swp1": forwards(10, 20), "swp2": forwards(untagged=10), "swp4": forwards(20)}
    assert astray(state, forwarding) == {}


def test_ports_astray() -> None:
    state = SwitchState(
        vlans=dict.fromkeys(range(10, 20), "any"),
        ports={
            "swp1": Port("trunk", frozenset({10, 12})),
            "swp2": Port("access", untagged=10),
            "swp3": Port("trunk", frozenset({15})),
        },
    )
    forwarding = {"swp1": forwards(10, 11, 12), "swp2": forwards(11), "swp9": forwards(untagged=19)}
    assert astray(state, forwarding) == {
        "swp1": "carries 10-12 instead of 10, 12",
        "swp2": "carries 11 instead of 10 untagged",
        "swp3": "carries nothing instead of 15",
        "swp9": "carries 19 untagged instead of nothing",
    }


def forwards(*tagged: int, untagged: int | None = None) -> PortForwarding:
    return PortForwarding(frozenset(tagged), untagged, True, "forwarding")
