from __future__ import annotations

import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings

from podwright.errors import DeviceError, PodwrightError
from podwright.switches.access import Access
from podwright.switches.platforms.sonic import TABLES, Driver, as_text, configuration, load, overlaid, parse, patch
from podwright.switches.state import Port, SwitchState, applied, difference

from ..states import states_of

HARDWARE = {"lanes": "1,2,3,4", "speed": "100000", "index": "1"}
"""Fields of a port that podwright has nothing to do with."""


def device(state: SwitchState) -> dict[str, Any]:
    """CONFIG_DB of a switch with 64 ports in a state, and with what is not ours."""
    tables: dict[str, Any] = {"PORT": {f"Ethernet{number}": dict(HARDWARE) for number in range(1, 65)}}
    return overlaid(tables, state) | {"DEVICE_METADATA": {"localhost": {"hostname": "sw1"}}}


@settings(max_examples=50, deadline=None)
@given(before=states_of("sonic"), desired=states_of("sonic"))
def test_patch_makes_the_switch_what_it_shall_be_and_touches_nothing_else(
    before: SwitchState, desired: SwitchState
) -> None:
    after = applied(difference(before, desired), before)
    now = device(before)
    assert parse(json.dumps(now)) == before
    then = jsonpatch.apply_patch(now, patch(load(json.dumps(now)), after))
    assert parse(json.dumps(then)) == after
    assert all(entry.items() >= HARDWARE.items() for entry in then["PORT"].values())
    assert then["DEVICE_METADATA"] == now["DEVICE_METADATA"]
    assert all(then.get(table) != {} for table in TABLES)


@settings(max_examples=50, deadline=None)
@given(state=states_of("sonic"))
def test_text_is_that_of_the_encoder_of_python(state: SwitchState) -> None:
    tables = overlaid({}, state)
    assert as_text(tables) == json.dumps(tables, indent=4, sort_keys=True) + "\n"


def test_text_holds_what_is_not_ours_as_it_was() -> None:
    """Some values that are equal in Python are not in JSON."""
    values = [1, True, 1.0, "1", ["10.0.0.1", "\u00e9"], [], None]
    tables: Any = {"PORT": {f"Ethernet{n}": {"field": value, "alias": '"x"'} for n, value in enumerate(values)}}
    assert json.dumps(json.loads(as_text(tables)), sort_keys=True) == json.dumps(tables, sort_keys=True)


def test_payload_is_what_differs(tmp_path: Any) -> None:
    access = Access("switch.example", 22, "admin", tmp_path, tmp_path)
    before = SwitchState({10: "management"}, {"Ethernet0": Port("trunk", frozenset({10}))}, 4096)
    after = SwitchState({10: "management", 101: "acme"}, {"Ethernet0": Port("trunk", frozenset({10, 101}))}, 8192)
    payload = json.loads(Driver(access).render(difference(before, after), before))
    assert payload == [
        {"op": "replace", "path": "/STP_MST_INST/MST_INSTANCE|0/bridge_priority", "value": "8192"},
        {"op": "add", "path": "/VLAN/Vlan101", "value": {"vlanid": "101", "description": "acme"}},
        {"op": "add", "path": "/VLAN_MEMBER/Vlan101|Ethernet0", "value": {"tagging_mode": "tagged"}},
    ]


def test_port_that_is_new_keeps_what_it_has(tmp_path: Any) -> None:
    access = Access("switch.example", 22, "admin", tmp_path, tmp_path)
    wanted = SwitchState({}, {"Ethernet0": Port("access", untagged=10)})
    payload = json.loads(Driver(access).render(difference(SwitchState({}, {}), wanted), SwitchState({}, {})))
    assert [one["path"] for one in payload if one["path"].startswith("/PORT")] == [
        "/PORT/Ethernet0/admin_status",
        "/PORT/Ethernet0/mode",
    ]


def test_port_of_an_older_sonic_has_its_mode_by_its_vlans() -> None:
    tables = {
        "PORT": {"Ethernet0": {"admin_status": "up"}, "Ethernet4": {"admin_status": "up"}},
        "VLAN": {"Vlan10": {"vlanid": "10"}},
        "VLAN_MEMBER": {"Vlan10|Ethernet0": {"tagging_mode": "tagged"}},
    }
    assert parse(json.dumps(tables)).ports == {"Ethernet0": Port("trunk", frozenset({10}))}


def test_priority_of_another_spanning_tree_is_not_ours() -> None:
    assert parse('{"STP": {"GLOBAL": {"mode": "pvst", "priority": "4096"}}}').priority is None
    assert parse('{"STP": {"GLOBAL": {"mode": "mst"}}}').priority == 32768


@pytest.mark.parametrize("text", ["", "% Invalid", "[]", '{"VLAN": 1}', '{"VLAN": {"Vlan10": null}}'])
def test_what_is_no_config_db_is_said(text: str) -> None:
    with pytest.raises(DeviceError, match="what should be CONFIG_DB in JSON"):
        parse(text)


def test_all_that_sonic_cannot_be_is_said_at_once() -> None:
    with pytest.raises(PodwrightError) as refusal:
        configuration(SwitchState({1: "x"}, {"swp1": Port("access", untagged=1)}))
    assert str(refusal.value).splitlines() == [
        "vlans.1: SONiC has VLANs 2 to 4094 (sonic-vlan.yang); take another id",
        "ports.swp1: not the name of a port; write it as the switch does: Ethernet0",
        "ports.swp1: VLAN 1 passes it, and SONiC has VLANs 2 to 4094 (sonic-vlan.yang); take another id",
    ]
