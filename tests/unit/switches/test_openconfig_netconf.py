from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from lxml import etree

from podwright.switches.platforms.openconfig_netconf import parse, parse_forwarding, render
from podwright.switches.state import Port, SwitchState, difference

from .states import switch_states
from .yang import CASES, ROOT, created, judge, payload_of, published

PLATFORM = "openconfig_netconf"
LAB_YANG = ROOT / "podwright/lab/files/pod_switch/usr/share/yang/podwright-lab"
MODULES = [
    "iana-if-type",
    "openconfig-vlan-types",
    "openconfig-spanning-tree-types",
    "openconfig-network-instance-types",
    "openconfig-if-ethernet",
    "openconfig-vlan",
    "openconfig-spanning-tree",
    "openconfig-network-instance",
]
EMPTY = SwitchState({}, {}, None)


@given(state=switch_states())
def test_what_is_rendered_reads_back_the_same(state: SwitchState) -> None:
    assert parse(render(difference(EMPTY, state))) == state


def port_of(switched_vlan: str, config: str = "") -> Port:
    state = parse(
        f"""
        <data>
          <interfaces xmlns="http://openconfig.net/yang/interfaces">
            <interface>
              <name>Ethernet1</name>
              <config><name>Ethernet1</name>{config}</config>
              <ethernet xmlns="http://openconfig.net/yang/interfaces/ethernet">
                <switched-vlan xmlns="http://openconfig.net/yang/vlan"><config>{switched_vlan}</config></switched-vlan>
              </ethernet>
            </interface>
          </interfaces>
        </data>"""
    )
    assert state.ports is not None
    return state.ports["Ethernet1"]


def test_trunk_without_a_list_of_vlans_carries_all() -> None:
    assert port_of("<interface-mode>TRUNK</interface-mode>").tagged == set(range(1, 4095))


def test_port_that_is_disabled_carries_nothing() -> None:
    port = port_of("<interface-mode>TRUNK</interface-mode><trunk-vlans>10</trunk-vlans>", "<enabled>false</enabled>")
    assert port.vlans == frozenset()


def test_interface_that_is_not_switched_is_not_ours() -> None:
    management = """
        <data>
          <interfaces xmlns="http://openconfig.net/yang/interfaces">
            <interface><name>Management1</name><config><name>Management1</name></config></interface>
          </interfaces>
        </data>"""
    assert parse(management) == EMPTY


def test_device_without_state_tells_nothing_of_its_forwarding() -> None:
    assert parse_forwarding(etree.fromstring("<data/>")) is None


@pytest.fixture(scope="module")
def published_yang() -> Path:
    return published("openconfig-vlan", "a checkout of github.com/openconfig/public")


@pytest.mark.parametrize(
    "path", [path for path in CASES if "</nc:config>" in payload_of(path, PLATFORM)], ids=lambda path: path.stem
)
@pytest.mark.parametrize("flavour", ["published", "lab"])
def test_payload_is_valid_by_the_modules(path: Path, flavour: str, published_yang: Path, tmp_path: Path) -> None:
    done = judge(created(payload_of(path, PLATFORM)), MODULES, searched(flavour, published_yang), tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flavour", ["published", "lab"])
def test_modules_do_refuse(flavour: str, published_yang: Path, tmp_path: Path) -> None:
    payload = render(difference(EMPTY, SwitchState({}, {"swp1": Port("trunk", frozenset({4999}))}, None)))
    done = judge(created(payload), MODULES, searched(flavour, published_yang), tmp_path)
    assert done.returncode != 0


def searched(flavour: str, published_yang: Path) -> list[Path]:
    """Where modules are looked for; the lab's import some that were published."""
    return [published_yang] if flavour == "published" else [LAB_YANG, published_yang]
