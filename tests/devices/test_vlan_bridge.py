"""The driver `ietf_netconf` against a NETCONF server that passes for a VLAN bridge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import DeviceError
from podwright.switches.converge import converge
from podwright.switches.driver import Driver, open_driver
from podwright.switches.netconf import NETCONF, Session
from podwright.switches.platforms import ietf_netconf
from podwright.switches.state import ALL_VLANS, Port, SwitchState
from podwright.switches.vlan_bridge_data import BRIDGE, INTERFACES, PATHS
from tests.devices.netconf_server import IEEE802, NetconfServer, netconf_server

BEFORE = SwitchState(
    {10: "management", 20: "storage"},
    {
        "swp1": Port("trunk", frozenset({20}), 10, "as it was", path_cost=20000),
        "swp2": Port("access", untagged=20, edge=True),
        "swp3": Port("trunk", frozenset({10, 20})),
    },
    4096,
)
AFTER = SwitchState(
    {10: "management", 20: "globex", **{vlan: f"acme-{vlan}" for vlan in range(101, 141)}},
    {
        "swp1": Port("trunk", frozenset({10, 20, *range(101, 141)}), description="wanted"),
        "swp2": Port("trunk"),
        "swp3": Port("trunk", frozenset({10, 20, *range(101, 120)})),
        "swp4": Port("access", untagged=10),
    },
    8192,
)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetconfServer]:
    with netconf_server(tmp_path_factory.mktemp("bridge"), IEEE802) as server:
        yield server


@pytest.fixture
def driver(device: NetconfServer) -> Iterator[Driver]:
    with closing(open_driver("ietf_netconf", device.direct)) as driver:
        yield driver


def commit(device: NetconfServer, subtrees: str) -> None:
    """Change what is configured by hand."""
    with closing(Session(device.direct)) as session:
        session.stage(f'<config xmlns="{NETCONF}" xmlns:nc="{NETCONF}">{subtrees}</config>')
        session._opened().commit()


def bridge(component: str) -> str:
    """Something in the component of the bridge."""
    named = f"<component><name>c-vlan</name>{component}</component>"
    return f'<bridges xmlns="{BRIDGE}"><bridge><name>br0</name>{named}</bridge></bridges>'


def running(device: NetconfServer) -> Any:
    with closing(Session(device.direct)) as session:
        return session.running(f'<interfaces xmlns="{INTERFACES}"/><bridges xmlns="{BRIDGE}"/>')


def entries(device: NetconfServer) -> dict[str, dict[str, str]]:
    """{VLANs: {number of a port: what the entry says of it}}."""
    return {
        found.findtext("dot1q:vids", namespaces=PATHS): {
            port.findtext("dot1q:port-ref", namespaces=PATHS): " ".join(port.itertext()).split()[-1]
            for port in found.iterfind("dot1q:port-map", PATHS)
        }
        for found in running(device).iterfind(".//dot1q:vlan-registration-entry", PATHS)
    }


def test_switch_from_the_factory_becomes_what_it_shall_be(tmp_path: Path) -> None:
    with (
        netconf_server(tmp_path, IEEE802) as device,
        closing(open_driver("ietf_netconf", device.direct)) as driver,
    ):
        fresh = driver.read()
        assert {port.tagged for port in (fresh.ports or {}).values()} == {ALL_VLANS}
        assert converge(driver, AFTER, dry_run=True).after == AFTER
        assert driver.read() == fresh
        assert converge(driver, AFTER).observed == AFTER
        assert entries(device) == {
            # The bridge's own port has the number 1, and those that cables end at have 101 to 104.
            "1": {"1": "untagged", "101": "forbidden", "102": "forbidden", "103": "forbidden", "104": "forbidden"},
            "10": {"101": "tagged", "103": "tagged", "104": "untagged"},
            "20,101-119": {"101": "tagged", "103": "tagged"},
            "120-140": {"101": "tagged"},
        }


def test_there_and_back_and_nothing_left(device: NetconfServer, driver: Driver) -> None:
    for state in (BEFORE, AFTER, BEFORE, SwitchState({}, {}, 0)):
        assert converge(driver, state).observed == state
        assert not converge(driver, state).change
    assert entries(device) == {"1": {"1": "untagged"}}
    told = running(device)
    assert told.findtext(".//dot1q:bridge/dot1q:address", namespaces=PATHS) == "02-00-00-00-00-01"
    assert told.findtext(".//dot1q:aging-time", namespaces=PATHS) == "600"
    assert [found.text for found in told.iterfind(".//dot1q:vlan/dot1q:name", PATHS)] == ["default"]
    disabled = [found.text for found in told.iterfind("if:interfaces/if:interface/if:enabled", PATHS)]
    assert disabled == ["false"] * 4


def test_collected_text_reads_as_the_state(driver: Driver) -> None:
    converge(driver, BEFORE)
    assert ietf_netconf.parse(driver.collect()) == BEFORE


def entry(operation: str, vids: str, control: str = "", transmitted: str = "tagged") -> str:
    """An entry about swp3."""
    member = f"""
      <port-map><port-ref>103</port-ref><static-vlan-registration-entries>
        <registrar-admin-control>{control}</registrar-admin-control>
        <vlan-transmitted>{transmitted}</vlan-transmitted>
      </static-vlan-registration-entries></port-map>"""
    return bridge(f"""
      <filtering-database><vlan-registration-entry nc:operation="{operation}">
        <database-id>7</database-id><vids>{vids}</vids>{member if control else ""}
      </vlan-registration-entry></filtering-database>""")


def port(leaf: str, of_interface: str = "") -> str:
    """Something of swp3."""
    return f"""
      <interfaces xmlns="{INTERFACES}"><interface>
        <name>swp3</name>{of_interface}<bridge-port xmlns="{BRIDGE}">{leaf}</bridge-port>
      </interface></interfaces>"""


BY_HAND = {
    "a VLAN more": entry("create", "777", "fixed-new-ignored"),
    "VLANs that overlap": entry("create", "2-4094", "fixed-new-ignored"),
    "a VLAN by MVRP": entry("create", "777", "normal"),
    "a VLAN less": entry("delete", "20"),
    "a tag less one way": entry("merge", "10", "fixed-new-ignored", "untagged"),
    "everything let in": port("<enable-ingress-filtering>false</enable-ingress-filtering>"),
    "MVRP let in": port("<enable-restricted-vlan-registration>false</enable-restricted-vlan-registration>"),
    "frames without a tag let in": port("<acceptable-frame>admit-all-frames</acceptable-frame>"),
    "shut": port("", "<enabled>false</enabled>"),
}


@pytest.mark.parametrize("change", BY_HAND.values(), ids=BY_HAND.keys())
def test_what_was_done_by_hand_is_seen_and_mended(device: NetconfServer, driver: Driver, change: str) -> None:
    converge(driver, BEFORE)
    were = entries(device)
    commit(device, change)
    mended = converge(driver, BEFORE)
    assert "swp3" in mended.change.ports
    assert mended.observed == BEFORE
    assert entries(device) == were


def test_port_that_is_not_there_is_named_before_anything_changes(device: NetconfServer, driver: Driver) -> None:
    converge(driver, BEFORE)
    wanted = SwitchState({999: "new"}, {"swp9": Port("trunk", frozenset({999}))})
    with pytest.raises(DeviceError) as refusal:
        converge(driver, wanted)
    assert str(refusal.value) == (
        f"127.0.0.1 port {device.port}: ports.swp9: component 'c-vlan' of bridge 'br0' has no port of that name with a "
        "number; it has swp1, swp2, swp3, swp4; name the port as the switch does, and make it a port of that component "
        "there (`bridge-port` of the interface)"
    )
    assert driver.read() == BEFORE


def test_switch_without_a_bridge_is_refused(device: NetconfServer, driver: Driver) -> None:
    commit(device, bridge("<type>d-bridge-component</type>"))
    try:
        with pytest.raises(
            DeviceError, match=r"has not exactly one c-vlan-component in bridges .*, but none; leave one"
        ):
            driver.read()
    finally:
        commit(device, bridge("<type>c-vlan-component</type>"))
