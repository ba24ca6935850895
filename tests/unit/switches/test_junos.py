from __future__ import annotations

import pytest
from hypothesis import given

from podwright.switches.platforms.junos import configuration, parse, render
from podwright.switches.state import Port, SwitchState, applied, difference

from .states import switch_states

EMPTY = SwitchState({}, {}, None)


def data(
    interface: str = "", vlans: str = "", rstp: str = "", namespace: str = "http://xml.juniper.net/xnm/1.1/xnm"
) -> str:
    return f"""
    <data xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">
      <configuration xmlns="{namespace}">
        <interfaces><interface><name>ge-0/0/1</name>{interface}</interface></interfaces>
        <protocols><rstp>{rstp}</rstp></protocols>
        <vlans>{vlans}</vlans>
      </configuration>
    </data>"""


def port_of(switching: str, rest: str = "", vlans: str = "", rstp: str = "") -> Port:
    unit = f"<unit><name>0</name><family><ethernet-switching>{switching}</ethernet-switching></family></unit>"
    state = parse(data(unit + rest, vlans, rstp))
    assert state.ports is not None
    return state.ports["ge-0/0/1"]


ACME = "<vlan><name>acme</name><vlan-id>101</vlan-id></vlan>"


@pytest.mark.parametrize(
    ("members", "carried"),
    [
        ("<members>10-12</members><members>20</members>", {10, 11, 12, 20}),
        ("<members>acme</members>", {101}),
        ("<members>all</members>", set(range(1, 4095))),
        ("", set()),
    ],
)
def test_members_of_a_trunk(members: str, carried: set[int]) -> None:
    vlan = f"<interface-mode>trunk</interface-mode><vlan>{members}</vlan>"
    assert port_of(vlan, vlans=ACME) == Port("trunk", frozenset(carried))


def test_port_without_a_mode_is_an_access_port() -> None:
    assert port_of("<vlan><members>acme</members></vlan>", vlans=ACME) == Port("access", untagged=101)


def test_native_vlan_is_not_tagged_whether_it_is_a_member_or_not() -> None:
    trunk = "<interface-mode>trunk</interface-mode><vlan><members>{}</members></vlan>"
    for members in ("10-11", "11"):
        port = port_of(trunk.format(members), "<native-vlan-id>10</native-vlan-id>")
        assert port == Port("trunk", frozenset({11}), 10)


def test_port_that_is_disabled_carries_nothing() -> None:
    assert port_of("<vlan><members>10</members></vlan>", "<disable/>") == Port("access")


def test_logical_interface_in_rstp_is_its_port() -> None:
    rstp = "<interface><name>ge-0/0/1.0</name><cost>2000</cost><edge/></interface>"
    assert port_of("", rstp=rstp) == Port("access", edge=True, path_cost=2000)


@pytest.mark.parametrize(("text", "priority"), [("0", 0), ("4k", 4096), ("32k", 32768), ("8192", 8192)])
def test_bridge_priority_in_units_of_4096_too(text: str, priority: int) -> None:
    assert parse(data(rstp=f"<bridge-priority>{text}</bridge-priority>")).priority == priority


def test_interface_that_is_not_switched_is_not_ours() -> None:
    routed = "<unit><name>0</name><family><inet><address><name>192.0.2.1/24</name></address></inet></family></unit>"
    assert parse(data(routed)) == EMPTY


def test_vlan_without_an_id_is_not_ours() -> None:
    assert parse(data(vlans="<vlan><name>private</name></vlan>")) == EMPTY


def test_description_that_an_operator_gave_a_vlan_is_not_its_name() -> None:
    vlan = "<vlan><name>acme</name><description>The best customer</description><vlan-id>101</vlan-id></vlan>"
    assert parse(data(vlans=vlan)).vlans == {101: "acme"}


def test_release_in_the_namespace_does_not_matter() -> None:
    release = "http://xml.juniper.net/junos/23.1R1/junos"
    assert parse(data(vlans=ACME, namespace=release)).vlans == {101: "acme"}


def test_names_that_become_equal_move_into_descriptions() -> None:
    before, after = SwitchState({10: "acme"}), SwitchState({10: "acme", 11: "acme"})
    payload = render(difference(before, after), before)
    assert [
        word for word in ("<name>acme</name>", "<name>vlan-10</name>", "<name>vlan-11</name>") if word in payload
    ] == [
        "<name>acme</name>",
        "<name>vlan-10</name>",
        "<name>vlan-11</name>",
    ]
    assert payload.count('operation="delete"') == 1


@given(before=switch_states(), after=switch_states())
def test_nothing_is_deleted_that_is_not_there(before: SwitchState, after: SwitchState) -> None:
    """Each deletion leaves the text of the configuration before."""
    change = difference(before, after)
    assert applied(change, before) == after
    payload, text = render(change, before), configuration(before)
    for leaf in ("description", "disable", "native-vlan-id"):
        assert payload.count(f'<{leaf} nc:operation="delete"/>') <= text.count(f"<{leaf}")
