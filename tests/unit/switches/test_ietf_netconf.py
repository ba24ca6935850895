from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from podwright.errors import PodwrightError
from podwright.switches.netconf import OPERATION
from podwright.switches.platforms.ietf_netconf import configuration, parse, render
from podwright.switches.state import ALL_VLANS, Port, PortForwarding, SwitchState, difference
from podwright.switches.vlan_bridge_data import (
    BRIDGE,
    INTERFACES,
    PATHS,
    RSTP,
    UNSEEN,
    Bridge,
    parse_forwarding,
    parsed,
)

from .yang import CASES, PUBLISHED, ROOT, created, judge, payload_of, published

PLATFORM = "ietf_netconf"
EMPTY = SwitchState({}, {}, None)
MODULES = ["iana-if-type", "ieee802-dot1q-bridge", "ieee802-dot1q-rstp-bridge"]
TESTS_YANG = ROOT / "tests/devices/yang"
# Who has IEEE's modules as they were published has payloads judged by those, too.
FLAVOURS = ["tests", *(["published"] if (PUBLISHED / "ieee802-dot1q-bridge.yang").exists() else [])]


def searched(flavour: str) -> list[Path]:
    ietf = published("ietf-interfaces", "RFC 8343")
    return [ietf] if flavour == "published" else [TESTS_YANG, ietf]


def on_a_switch(config: Any) -> Any:
    """A configuration with what is the switch's own: the numbers and types of ports, and its bridge."""
    numbered = re.sub(r"(?<=port-ref>)swp(?=\d+<)", "", etree.tostring(config, encoding="unicode"))
    whole = etree.fromstring(numbered)
    for interface in whole.iterfind("if:interfaces/if:interface", PATHS):
        interface.append(_leaf(INTERFACES, "type", "ianaift:ethernetCsmacd"))
    bridge = whole.find("dot1q:bridges/dot1q:bridge", PATHS)
    if bridge is None:
        named = f"<name>{UNSEEN.name}</name><component><name>{UNSEEN.component}</name></component>"
        whole.append(etree.fromstring(f'<bridges xmlns="{BRIDGE}"><bridge>{named}</bridge></bridges>'))
        bridge = whole.find("dot1q:bridges/dot1q:bridge", PATHS)
    bridge.append(_leaf(BRIDGE, "address", "02-00-00-00-00-01"))
    bridge.append(_leaf(BRIDGE, "bridge-type", "customer-vlan-bridge"))
    bridge.find("dot1q:component", PATHS).append(_leaf(BRIDGE, "type", "c-vlan-component"))
    return whole


def _leaf(namespace: str, tag: str, text: str) -> Any:
    prefixes = {None: namespace, "ianaift": "urn:ietf:params:xml:ns:yang:iana-if-type"}
    leaf: Any = etree.Element(f"{{{namespace}}}{tag}", nsmap=prefixes)  # type: ignore[arg-type]  # None is the default
    leaf.text = text
    return leaf


@pytest.mark.parametrize(
    "path", [path for path in CASES if "</nc:config>" in payload_of(path, PLATFORM)], ids=lambda path: path.stem
)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_payload_is_valid_by_the_modules(path: Path, flavour: str, tmp_path: Path) -> None:
    done = judge(on_a_switch(created(payload_of(path, PLATFORM))), MODULES, searched(flavour), tmp_path)
    assert done.returncode == 0, done.stderr


WRONG = {
    "a port by its name": ("<port-ref>1<", "<port-ref>swp1<"),
    "no list of VLANs": ("<vids>10<", "<vids>10-<"),
    "no VLAN": ("<vid>10<", "<vid>4095<"),
    "a long name": ("<name>management<", f"<name>{33 * 'm'}<"),
    "no control": (">fixed-new-ignored<", ">fixed<"),
    "no frames": (">admit-only-VLAN-tagged-frames<", ">admit-only-tagged<"),
    "no step of priority": ("<bridge-priority>1<", "<bridge-priority>16<"),
    "no path cost": ("<fix-port-path-cost>0<", "<fix-port-path-cost>200000001<"),
    "no such bridge": ("<bridge-name>bridge<", "<bridge-name>other<"),
}


@pytest.mark.parametrize(("right", "wrong"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_modules_do_refuse(right: str, wrong: str, flavour: str, tmp_path: Path) -> None:
    state = SwitchState({10: "management"}, {"swp1": Port("trunk", frozenset({10}))}, 4096)
    text = etree.tostring(on_a_switch(created(render(difference(EMPTY, state), EMPTY, UNSEEN))), encoding="unicode")
    assert judge(etree.fromstring(text), MODULES, searched(flavour), tmp_path).returncode == 0
    assert right in text
    assert judge(etree.fromstring(text.replace(right, wrong)), MODULES, searched(flavour), tmp_path).returncode != 0


def port(
    name: str, number: str | None = None, more: str = "", rest: str = "", at: str = "br0 c1", kind: str = ""
) -> str:
    """An interface that is a port of a component of a bridge."""
    bridge, component = at.split()
    return f"""
      <interface>
        <name>{name}</name>
        <type xmlns:ianaift="urn:ietf:params:xml:ns:yang:iana-if-type">ianaift:{kind or "ethernetCsmacd"}</type>{rest}
        <bridge-port xmlns="{BRIDGE}">
          <bridge-name>{bridge}</bridge-name><component-name>{component}</component-name>{more}
          {f"<port-number>{number}</port-number>" if number else ""}
        </bridge-port>
      </interface>"""


CLOSED = (
    "<enable-ingress-filtering>true</enable-ingress-filtering>"
    "<enable-restricted-vlan-registration>true</enable-restricted-vlan-registration>"
)
TRUNK = f"<acceptable-frame>admit-only-VLAN-tagged-frames</acceptable-frame>{CLOSED}"


def entry(vids: str, members: dict[str, str], database: str = "7", kind: str = "static") -> str:
    """{number of a port: how frames leave}"""
    ports = "".join(
        f"""<port-map><port-ref>{number}</port-ref><static-vlan-registration-entries>
          <registrar-admin-control>fixed-new-ignored</registrar-admin-control>
          <vlan-transmitted>{transmitted}</vlan-transmitted></static-vlan-registration-entries></port-map>"""
        for number, transmitted in members.items()
    )
    key = f"<database-id>{database}</database-id><vids>{vids}</vids>"
    return f"<vlan-registration-entry>{key}<entry-type>{kind}</entry-type>{ports}</vlan-registration-entry>"


def bridge(entries: str = "", more: str = "", name: str = "br0", kind: str = "customer-vlan-bridge") -> str:
    """A bridge with a component."""
    return f"""
      <bridge xmlns:dot1q="{BRIDGE}">
        <name>{name}</name><bridge-type>dot1q:{kind}</bridge-type>
        <component>
          <name>c1</name><type>dot1q:c-vlan-component</type>
          <filtering-database>{entries}</filtering-database>{more}
        </component>
      </bridge>"""


def data(ports: str, bridges: str) -> str:
    interfaces = f'<interfaces xmlns="{INTERFACES}">{ports}</interfaces>'
    return f'<data>{interfaces}<bridges xmlns="{BRIDGE}">{bridges}</bridges></data>'


def test_numbers_of_ports_are_those_that_the_switch_tells() -> None:
    ports = port("1", "2", TRUNK) + port("2", "1", TRUNK)
    assert parse(data(ports, bridge(entry("10-12,20", {"1": "tagged"})))).ports == {
        "1": Port("trunk"),
        "2": Port("trunk", frozenset({10, 11, 12, 20})),
    }


def test_port_as_the_factory_leaves_it_lets_everything_in() -> None:
    (found,) = (parse(data(port("swp1", "1"), bridge(entry("1", {"1": "untagged"})))).ports or {}).values()
    assert found.tagged == ALL_VLANS


def test_port_that_is_shut_and_has_no_settings_is_in_no_use() -> None:
    shut = port("swp1", "1", rest="<enabled>false</enabled>")
    assert parse(data(shut, bridge(entry("1", {"1": "untagged"})))).ports == {}


def test_port_that_is_shut_carries_nothing() -> None:
    shut = port("swp1", "1", TRUNK, rest="<enabled>false</enabled><description>spare</description>")
    assert parse(data(shut, bridge(entry("10", {"1": "tagged"})))).ports == {"swp1": Port("trunk", description="spare")}


@pytest.mark.parametrize(
    "other",
    [
        port("swp2", "2", TRUNK, at="br0 c2"),
        port("swp2", "2", TRUNK, at="br1 c1"),
        port("swp2", "2", TRUNK, kind="bridge"),
        "<interface><name>mgmt0</name></interface>",
    ],
)
def test_what_is_no_port_for_cables_in_the_bridge_is_not_ours(other: str) -> None:
    entries = entry("10", {"1": "tagged", "2": "tagged"})
    assert parse(data(port("swp1", "1", TRUNK) + other, bridge(entries))).ports == {
        "swp1": Port("trunk", frozenset({10}))
    }


def test_channel_may_be_a_port() -> None:
    assert [*(parse(data(port("ae1", "1", TRUNK, kind="ieee8023adLag"), bridge())).ports or {})] == ["ae1"]


def test_what_mvrp_made_is_no_configuration() -> None:
    entries = entry("10", {"1": "tagged"}, kind="dynamic") + entry("11", {"1": "tagged"})
    assert parse(data(port("swp1", "1", TRUNK), bridge(entries))).ports == {"swp1": Port("trunk", frozenset({11}))}


def test_vlans_that_every_bridge_has_are_not_ours() -> None:
    names = "<vlan><vid>1</vid><name>default</name></vlan><vlan><vid>5000</vid></vlan><vlan><vid>10</vid></vlan>"
    assert parse(data("", bridge(more=f"<bridge-vlan>{names}</bridge-vlan>"))).vlans == {10: ""}


@pytest.mark.parametrize(
    ("bridges", "named"),
    [
        ("", "none"),
        (bridge(kind="provider-edge-bridge"), "none"),
        (bridge() + bridge(name="br1"), "'c1' of bridge 'br0', 'c1' of bridge 'br1'"),
    ],
)
def test_switch_without_exactly_one_bridge_is_refused(bridges: str, named: str) -> None:
    with pytest.raises(PodwrightError) as refusal:
        parse(data("", bridges))
    assert str(refusal.value) == (
        f"the switch has not exactly one c-vlan-component in bridges of type customer-vlan-bridge, but {named}; leave "
        "one there with all ports in it, or make it (ieee802-dot1q-bridge): its address is the switch's to know"
    )


def test_entries_in_several_databases_are_refused() -> None:
    entries = entry("10", {}, "10") + entry("11", {}, "11")
    with pytest.raises(PodwrightError, match="in the filtering databases 10, 11; leave those of one"):
        parse(data("", bridge(entries)))


def bridge_of(text: str) -> Bridge:
    return parsed(etree.fromstring(text))[0]


def test_entries_that_a_switch_has_make_way_whatever_their_vlans() -> None:
    """One by hand that overlaps ours: the VLANs are those of the switch, and not as podwright would tell them."""
    text = data(port("swp1", "41", TRUNK), bridge(entry("1-4094", {"41": "tagged"}) + entry("10", {"41": "tagged"})))
    before, wanted = parse(text), SwitchState({}, {"swp1": Port("trunk", frozenset({10}))})
    payload = etree.fromstring(render(difference(before, wanted), before, bridge_of(text)))
    entries = payload.iterfind(".//dot1q:vlan-registration-entry", PATHS)
    assert [(found.get(OPERATION), found.findtext("dot1q:vids", namespaces=PATHS)) for found in entries] == [
        ("remove", "1-4094"),
        ("replace", "1"),
    ]
    assert {found.text for found in payload.iterfind(".//dot1q:port-ref", PATHS)} == {"41"}
    assert {found.text for found in payload.iterfind(".//dot1q:database-id", PATHS)} == {"7"}
    assert payload.findtext(".//dot1q:bridge/dot1q:name", namespaces=PATHS) == "br0"


def test_port_that_the_bridge_does_not_have_is_refused() -> None:
    seen = bridge_of(data(port("swp1", "41", TRUNK), bridge()))
    wanted = SwitchState({}, {"swp9": Port("trunk", frozenset({10}))})
    with pytest.raises(PodwrightError) as refusal:
        render(difference(EMPTY, wanted), EMPTY, seen)
    assert str(refusal.value) == (
        "ports.swp9: component 'c1' of bridge 'br0' has no port of that name with a number; it has swp1; name the port "
        "as the switch does, and make it a port of that component there (`bridge-port` of the interface)"
    )


def test_vlan_1_is_refused() -> None:
    with pytest.raises(PodwrightError, match=r"^vlans\.1: every bridge has that VLAN by itself; take another id$"):
        configuration(SwitchState({1: "mine"}, {}, None))


def forwarding(ports: str, vlans: str) -> dict[str, PortForwarding] | None:
    text = data(ports, bridge(more=f"<bridge-vlan>{vlans}</bridge-vlan>"))
    return parse_forwarding(etree.fromstring(text))


def test_forwarding_is_what_the_sets_of_vlans_say() -> None:
    state_of = '<rstp xmlns="{}"><port-state>{}</port-state></rstp>'.format
    up, down = "<oper-status>up</oper-status>", "<oper-status>down</oper-status>"
    ports = port("swp1", more=state_of(RSTP, "forwarding"), rest=up) + port(
        "swp2", more=state_of(RSTP, "discarding"), rest=down
    )
    vlans = """
      <vlan><vid>10</vid><egress-ports>swp1</egress-ports><egress-ports>swp3</egress-ports>
        <untagged-ports>swp1</untagged-ports><untagged-ports>swp2</untagged-ports></vlan>
      <vlan><vid>20</vid><egress-ports>swp1</egress-ports></vlan>"""
    assert forwarding(ports, vlans) == {
        "swp1": PortForwarding(frozenset({20}), 10, True, "forwarding"),
        "swp2": PortForwarding(frozenset(), None, False, "blocking"),
    }


def test_several_untagged_vlans_are_told() -> None:
    both = "".join(
        f"<vlan><vid>{vid}</vid><egress-ports>swp1</egress-ports><untagged-ports>swp1</untagged-ports></vlan>"
        for vid in (10, 20)
    )
    assert forwarding(port("swp1"), both) == {"swp1": PortForwarding(frozenset({10, 20}), 10, False, "unknown")}


def test_switch_that_does_not_tell_the_ports_of_vlans_tells_no_forwarding() -> None:
    assert forwarding(port("swp1"), "<vlan><vid>10</vid></vlan>") is None
