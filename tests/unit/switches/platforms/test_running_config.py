from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.errors import DeviceError, PodwrightError
from podwright.switches.driver import find_platform
from podwright.switches.platforms import eos, ios, nxos
from podwright.switches.running_config import folded, managed, ports_of, vlan_ids, vlan_list
from podwright.switches.state import ALL_VLANS, Port, SwitchState

from ..states import states_of

GOLDEN = Path(__file__).parents[3] / "cases" / "switches" / "platforms"
POD_SWITCH = SwitchState(
    vlans={10: "management", 20: "storage", 30: "", 101: "acme-default"},
    ports={},
    priority=4096,
)
PORTS = {
    1: Port("trunk", frozenset({10, 30}), description="east-zsw1 swp1"),
    2: Port("trunk", frozenset({10, 101, *range(200, 260, 2)}), untagged=20, edge=True),
    3: Port("access", untagged=10, description="management", edge=True, path_cost=2000000),
    4: Port("trunk", description="between pods"),
    5: Port("access"),
    10: Port("trunk", ALL_VLANS - {1}, untagged=1),
}
PORT_NAMES = {"eos": "Ethernet{}", "ios": "GigabitEthernet1/0/{}", "nxos": "Ethernet1/{}", "sonic": "Ethernet{}"}
DIALECTS = {"eos": eos.DIALECT, "ios": ios.DIALECT, "nxos": nxos.DIALECT}
FEW = 20  # states are large, and there are three platforms
CLI = sorted(DIALECTS)


def pod_switch(platform: str) -> SwitchState:
    ports = {PORT_NAMES[platform].format(number): port for number, port in PORTS.items()}
    if platform == "sonic":
        del ports["Ethernet10"]
    return SwitchState(POD_SWITCH.vlans, ports, POD_SWITCH.priority)


@pytest.mark.parametrize("platform", sorted(PORT_NAMES))
def test_configuration_is_the_reviewed_one(platform: str) -> None:
    written = next(GOLDEN.glob(f"pod-switch.{platform}.*")).read_text()
    assert find_platform(platform).configuration(pod_switch(platform)) == written


@pytest.mark.parametrize("platform", sorted(PORT_NAMES))
def test_reviewed_configuration_reads_back(platform: str) -> None:
    written = next(GOLDEN.glob(f"pod-switch.{platform}.*")).read_text()
    assert find_platform(platform).parse(written) == pod_switch(platform)


@pytest.mark.parametrize("platform", CLI)
@settings(max_examples=FEW, deadline=None)
@given(data=st.data())
def test_nothing_of_ours_is_lost_on_the_way(platform: str, data: st.DataObject) -> None:
    state = data.draw(states_of(platform))
    text = find_platform(platform).configuration(state)
    assert find_platform(platform).parse(managed(DIALECTS[platform], text)) == state


def port_of(platform: str, *lines: str, before: str = "") -> Port | None:
    name = PORT_NAMES[platform].format(7)
    ports = (
        find_platform(platform).parse("\n".join([before, f"interface {name}", *(f" {line}" for line in lines)])).ports
    )
    return (ports or {}).get(name)


@pytest.mark.parametrize("platform", CLI)
@pytest.mark.parametrize(
    "lines", [[], ["shutdown"], ["no switchport", "ip address 192.0.2.1/24"], ["channel-group 1 mode active"]]
)
def test_port_that_is_unused_or_something_else_is_not_ours(platform: str, lines: list[str]) -> None:
    assert port_of(platform, *lines) is None


@pytest.mark.parametrize("platform", CLI)
def test_lists_of_allowed_vlans_add_up(platform: str) -> None:
    port = port_of(
        platform,
        "switchport mode trunk",
        "switchport trunk allowed vlan 10,20-22",
        "switchport trunk allowed vlan add 30,101-103",
    )
    assert port == Port("trunk", frozenset({10, 20, 21, 22, 30, 101, 102, 103}))


@pytest.mark.parametrize(
    ("list_of_vlans", "expected"), [("none", frozenset()), ("all", ALL_VLANS - {1}), ("except 2-4094", frozenset())]
)
def test_words_for_allowed_vlans(list_of_vlans: str, expected: frozenset[int]) -> None:
    port = port_of("eos", "switchport mode trunk", f"switchport trunk allowed vlan {list_of_vlans}")
    assert port is not None
    assert port.tagged == expected


def test_trunk_allows_all_unless_told() -> None:
    assert port_of("nxos", "switchport mode trunk") == Port("trunk", ALL_VLANS - {1}, untagged=1)


def test_port_that_negotiates_counts_as_the_trunk_it_may_become() -> None:
    assert port_of("ios", "switchport access vlan 10") == Port("trunk", ALL_VLANS - {1}, untagged=1)
    assert port_of("eos", "switchport access vlan 10") == Port("access", untagged=10)


def test_native_vlan_that_is_not_allowed_passes_nothing() -> None:
    lines = ["switchport mode trunk", "switchport trunk native vlan 99", "switchport trunk allowed vlan 10"]
    assert port_of("eos", *lines) == Port("trunk", frozenset({10}))


def test_ports_that_are_shut_by_default_say_when_they_are_not() -> None:
    default = "system default switchport shutdown"
    lines = ["switchport access vlan 10"]
    assert port_of("nxos", *lines, before=default) == Port("access")
    assert port_of("nxos", *lines, "no shutdown", before=default) == Port("access", untagged=10)


@pytest.mark.parametrize(("word", "edge"), [("", True), (" edge", True), (" network", False), (" disable", False)])
def test_what_portfast_says(word: str, edge: bool) -> None:
    port = port_of("eos", "switchport access vlan 10", f"spanning-tree portfast{word}")
    assert port is not None
    assert port.edge is edge


def test_vlans_come_in_ranges_and_then_with_names() -> None:
    text = "vlan 1,10,101-103\nvlan 10\n  name management\nvlan 102\n  name acme-default\n"
    assert find_platform("nxos").parse(text).vlans == {10: "management", 101: "", 102: "acme-default", 103: ""}


@pytest.mark.parametrize(
    "banner",
    [
        "banner motd\nvlan 66\ninterface Ethernet66\nEOF",
        "banner motd ^C\nvlan 66\n^C",
        "banner login #vlan 66\nvlan 66#",
        "banner exec #all in one line#",
    ],
)
def test_banner_configures_nothing(banner: str) -> None:
    assert find_platform("eos").parse(f"{banner}\nvlan 10\n   name ours\n").vlans == {10: "ours"}


def test_another_spanning_tree_has_no_priority_of_ours() -> None:
    assert find_platform("eos").parse("spanning-tree mode mstp\nspanning-tree priority 4096\n").priority is None
    assert find_platform("ios").parse("spanning-tree mode mst\n").priority == 32768


def test_what_is_no_list_of_vlans_is_said() -> None:
    with pytest.raises(DeviceError, match="'10,x' where a list of VLANs such as 10,20,101-140 should be"):
        port_of("eos", "switchport mode trunk", "switchport trunk allowed vlan 10,x")


def test_only_what_is_managed_leaves_the_session() -> None:
    text = (
        "hostname sw1\nusername admin secret sha512 $6$hash\nvlan 10\n   name ours\ninterface Ethernet1\n   mtu 9214\n"
        "   switchport access vlan 10\n   ip ospf authentication-key 7 0123\n"
        "interface Management1\n   ip address 192.0.2.9/24\n"
    )
    assert managed(DIALECTS["eos"], text) == (
        "vlan 10\n   name ours\n!\ninterface Ethernet1\n   switchport access vlan 10\n!\n"
    )


def test_ports_and_what_looks_like_them() -> None:
    text = (
        "interface GigabitEthernet0/0\n vrf forwarding Mgmt-vrf\n no ip address\ninterface GigabitEthernet1/0/1\n"
        "interface TwentyFiveGigE1/1/1\n switchport mode trunk\ninterface AppGigabitEthernet1/0/1\ninterface Vlan10\n"
        "interface Port-channel1\n switchport mode trunk\ninterface GigabitEthernet1/0/2.100\n"
    )
    ports = {"GigabitEthernet0/0", "GigabitEthernet1/0/1", "TwentyFiveGigE1/1/1", "Port-channel1"}
    assert ports_of(text) == (ports, {"GigabitEthernet0/0"})


@given(vlans=st.frozensets(st.integers(1, 4094), min_size=1))
def test_ranges_name_the_same_vlans(vlans: frozenset[int]) -> None:
    assert vlan_ids(vlan_list(vlans)) == vlans


@given(vlans=st.frozensets(st.integers(1, 4094), min_size=1), width=st.integers(48, 100))
def test_folded_lists_fit_and_are_complete(vlans: frozenset[int], width: int) -> None:
    lines = folded(f"switchport trunk allowed vlan {vlan_list(vlans)}", width)
    assert all(len(line) <= width for line in lines)
    assert port_of("ios", "switchport mode trunk", *lines) == port_of(
        "ios", "switchport mode trunk", f"switchport trunk allowed vlan {vlan_list(vlans)}"
    )


def test_ranges_stay_short() -> None:
    assert vlan_list(frozenset({10, 20, *range(101, 141)})) == "10,20,101-140"


def test_all_that_the_platform_cannot_be_is_said_at_once() -> None:
    state = SwitchState(
        {1: "", 1003: "token ring", 20: "x" * 33},
        {"Gi1/0/1": Port("access"), "GigabitEthernet1/0/2": Port("access", description="two  spaces")},
    )
    with pytest.raises(PodwrightError) as refusal:
        find_platform("ios").configuration(state)
    assert str(refusal.value).splitlines() == [
        "vlans.1: the switch has the VLANs 1,1002-1005 by itself, for its own ends; take another id",
        "vlans.1003: the switch has the VLANs 1,1002-1005 by itself, for its own ends; take another id",
        "vlans.1003: 'token ring' is not a VLAN name; give at most 32 printable ASCII characters without a space",
        f"vlans.20: '{'x' * 33}' is not a VLAN name; give at most 32 printable ASCII characters without a space",
        "ports.Gi1/0/1: not the name of a port; write it in full, as the switch does: GigabitEthernet1/0/1",
        (
            "ports.GigabitEthernet1/0/2.description: 'two  spaces' is not a description; "
            "give at most 200 printable ASCII characters, with single spaces between words"
        ),
    ]
