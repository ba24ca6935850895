"""hier_config is the judge: it predicts what a switch makes of the commands, and that must be what is wanted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.errors import PodwrightError
from podwright.switches.driver import find_platform
from podwright.switches.platforms import eos, ios, nxos
from podwright.switches.remediation import remediation
from podwright.switches.state import Port, SwitchState, applied, difference
from tests.devices.running import Running

from ..states import states_of

DRIVERS = {"eos": eos.Driver, "ios": ios.Driver, "nxos": nxos.Driver}
DIALECTS = {"eos": eos.DIALECT, "ios": ios.DIALECT, "nxos": nxos.DIALECT}
FEW = 20  # states are large, and there are three platforms
CLI = sorted(DRIVERS)


def commands(platform: str, before: SwitchState, after: SwitchState) -> list[str]:
    return remediation(DIALECTS[platform], DRIVERS[platform].platform, before, after).splitlines()


@pytest.mark.parametrize("platform", CLI)
@settings(max_examples=FEW, deadline=None)
@given(data=st.data())
def test_commands_make_the_switch_what_it_shall_be(platform: str, data: st.DataObject) -> None:
    before, desired = data.draw(states_of(platform)), data.draw(states_of(platform))
    after = applied(difference(before, desired), before)
    device = Running(DRIVERS[platform].platform, find_platform(platform).configuration(before))
    device.give(commands(platform, before, after))
    assert find_platform(platform).parse(device.text) == after


@pytest.mark.parametrize("platform", CLI)
@settings(max_examples=FEW, deadline=None)
@given(data=st.data())
def test_nothing_to_change_takes_no_command(platform: str, data: st.DataObject) -> None:
    state = data.draw(states_of(platform))
    assert commands(platform, state, state) == []


def test_vlans_are_sent_in_ranges() -> None:
    many = SwitchState(dict.fromkeys([10, 20, *range(101, 141)], ""), {})
    assert commands("eos", SwitchState({}, {}), many) == ["vlan 10,20,101-140", "exit"]
    assert commands("eos", many, SwitchState({10: ""}, {})) == ["no vlan 20,101-140"]


def test_vlans_with_names_have_a_line_each() -> None:
    named = SwitchState({101: "acme-default", 102: "", 103: ""}, {})
    assert commands("ios", SwitchState({}, {}), named) == [
        *("vlan 101", " name acme-default", "exit"),
        *("vlan 102-103", "exit"),
    ]


def trunk(*vlans: int) -> SwitchState:
    return SwitchState({}, {"GigabitEthernet1/0/1": Port("trunk", frozenset(vlans))})


def test_list_that_fits_is_sent_whole() -> None:
    assert commands("ios", trunk(10), trunk(10, 20, *range(101, 141))) == [
        *("interface GigabitEthernet1/0/1", " switchport trunk allowed vlan 10,20,101-140", "exit")
    ]


def test_of_a_long_list_only_what_differs_is_sent() -> None:
    """Sent whole, its first line would cut off the VLANs of the others."""
    long = range(10, 400, 2)
    assert commands("ios", trunk(*long), trunk(*long[1:], 501, 503)) == [
        "interface GigabitEthernet1/0/1",
        " switchport trunk allowed vlan remove 10",
        " switchport trunk allowed vlan add 501,503",
        "exit",
    ]


@pytest.mark.parametrize("platform", CLI)
@settings(max_examples=FEW, deadline=None)
@given(data=st.data())
def test_no_line_is_longer_than_the_platform_takes(platform: str, data: st.DataObject) -> None:
    before, after = data.draw(states_of(platform)), data.draw(states_of(platform))
    width = DIALECTS[platform].width
    lists = [line.strip() for line in commands(platform, before, after) if re.search(r"vlan [\d,-]+$", line)]
    assert width is None or all(len(line) <= width for line in lists)


def positions(lines: list[str], *beginnings: str) -> list[int]:
    return [next(number for number, line in enumerate(lines) if line.strip().startswith(each)) for each in beginnings]


@pytest.mark.parametrize("platform", CLI)
def test_nothing_leaks_while_a_port_changes(platform: str) -> None:
    name = DIALECTS[platform].example_port
    access = SwitchState({}, {name: Port("access", untagged=10)})
    wide = SwitchState({}, {name: Port("trunk", frozenset({20, 30}))})
    opened = commands(platform, access, wide)
    assert opened.count(f"interface {name}") == 1
    order = positions(
        opened, "switchport trunk allowed vlan 20,30", "switchport mode trunk", "no switchport access vlan"
    )
    assert order == sorted(order)
    narrowed = commands(platform, wide, access)
    becomes_access = "switchport mode access" if platform == "ios" else "no switchport mode"
    order = positions(narrowed, "switchport trunk allowed vlan none", becomes_access)
    order += positions(narrowed, becomes_access)
    assert order == sorted(order)


@pytest.mark.parametrize("platform", CLI)
def test_port_that_is_used_no_more_is_shut_first(platform: str) -> None:
    name = DIALECTS[platform].example_port
    lines = commands(platform, SwitchState({}, {name: Port("trunk", frozenset({10}))}), SwitchState({}, {}))
    assert lines[:2] == [f"interface {name}", " shutdown"]
    assert " no switchport trunk allowed vlan" in lines


@pytest.mark.parametrize("platform", CLI)
def test_port_that_is_used_from_now_on_opens_last(platform: str) -> None:
    name = DIALECTS[platform].example_port
    lines = commands(platform, SwitchState({}, {}), SwitchState({}, {name: Port("trunk", frozenset({10}))}))
    assert lines[-2:] == [" no shutdown", "exit"]


def test_port_is_made_a_switched_one_where_that_is_no_default() -> None:
    lines = commands("nxos", SwitchState({}, {}), SwitchState({}, {"Ethernet1/1": Port("access", untagged=10)}))
    assert lines[:2] == ["interface Ethernet1/1", " switchport"]
    gone = commands("nxos", SwitchState({}, {"Ethernet1/1": Port("access", untagged=10)}), SwitchState({}, {}))
    assert " no switchport" not in gone


def test_what_the_platform_cannot_be_is_not_rendered() -> None:
    with pytest.raises(PodwrightError, match=r"vlans\.1004: the switch has the VLANs 1,1002-1005 by itself"):
        commands("ios", SwitchState({}, {}), SwitchState({1004: "x"}, {}))
