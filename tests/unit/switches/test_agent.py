"""The agent of the lab's pod switch: from a running configuration to Open vSwitch's columns."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given

from podwright.switches.platforms.openconfig_netconf import render
from podwright.switches.state import Port, SwitchState, difference

from .programs import load
from .states import switch_states

agent = load("agent")


def bridge_of(state: SwitchState) -> object:
    payload = render(difference(SwitchState({}, {}, None), state))
    return agent.bridge_of(ElementTree.fromstring(payload))  # noqa: S314  # it is ours


@given(state=switch_states())
def test_a_port_carries_what_is_configured_and_the_switch_has(state: SwitchState) -> None:
    assert state.vlans is not None
    assert state.ports is not None
    expected = {}
    for name, port in state.ports.items():
        tagged = tuple(sorted(port.tagged & state.vlans.keys()))
        untagged = port.untagged if port.untagged in state.vlans else None
        if tagged or untagged:
            expected[name] = agent.Port(tagged, untagged, port.edge, port.path_cost)
    assert bridge_of(state) == agent.Bridge(state.priority, expected)


def test_switch_without_configuration_forwards_nothing() -> None:
    assert bridge_of(SwitchState({}, {}, None)) == agent.Bridge(32768, {})


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (Port("trunk", frozenset({30, 10})), ["vlan_mode=trunk", "trunks=10,30"]),
        (Port("access", untagged=10), ["vlan_mode=access", "tag=10"]),
        (Port("trunk", frozenset({20}), untagged=10), ["vlan_mode=native-untagged", "tag=10", "trunks=10,20"]),
    ],
)
def test_columns_of_a_port(port: Port, expected: list[str]) -> None:
    row = agent.Port(tuple(sorted(port.tagged)), port.untagged, False, None)
    assert agent.columns(row) == ["other_config:rstp-port-admin-edge=false", *expected]


def test_transaction_removes_what_is_not_configured() -> None:
    bridge = agent.Bridge(4096, {"swp1": agent.Port((), 10, True, 2000000)})
    commands = " ".join(agent.transaction(bridge, {"swp1", "swp2"})).split(" -- ")
    assert commands == [
        "--may-exist add-br br0",
        "set bridge br0 datapath_type=netdev rstp_enable=true",
        "set bridge br0 other_config:rstp-priority=4096",
        "del-port br0 swp2",
        "--may-exist add-port br0 swp1",
        "clear port swp1 tag trunks vlan_mode other_config",
        (
            "set port swp1 other_config:rstp-port-admin-edge=true other_config:rstp-port-path-cost=2000000 "
            "vlan_mode=access tag=10"
        ),
    ]
