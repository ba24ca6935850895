from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from lxml import etree

from podwright.switches.netconf import OPERATION
from podwright.switches.platforms.openconfig_netconf import parse, parse_forwarding, render
from podwright.switches.state import Port, SwitchState, difference

from .states import switch_states

ROOT = Path(__file__).parents[3]
CASES = sorted((ROOT / "tests/cases/switches").glob("*.yml"))
LAB_YANG = ROOT / "podwright/lab/files/pod_switch/usr/share/yang/podwright-lab"
# What holds identities comes first: yanglint knows those of modules that it was given, not of those it only imports.
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


def payload_of(path: Path) -> str:
    payload: str = yaml.safe_load(path.read_text())["payload"]["openconfig_netconf"]
    return payload


@pytest.fixture(scope="module")
def published_yang() -> Path:
    directory = Path(os.environ.get("PODWRIGHT_YANG", ROOT.parent / "shared" / "yang"))
    assert (directory / "openconfig-vlan.yang").exists(), (
        f"{directory}: the published OpenConfig modules are not there; set PODWRIGHT_YANG to a directory with them and "
        "the IETF and IANA modules they import, such as from a checkout of github.com/openconfig/public"
    )
    return directory


@pytest.mark.parametrize(
    "path", [path for path in CASES if "</nc:config>" in payload_of(path)], ids=lambda path: path.stem
)
@pytest.mark.parametrize("flavour", ["published", "lab"])
def test_payload_is_valid_by_the_modules(path: Path, flavour: str, published_yang: Path, tmp_path: Path) -> None:
    done = validate(
        payload_of(path), [published_yang] if flavour == "published" else [LAB_YANG, published_yang], tmp_path
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flavour", ["published", "lab"])
def test_modules_do_refuse(flavour: str, published_yang: Path, tmp_path: Path) -> None:
    payload = render(difference(EMPTY, SwitchState({}, {"swp1": Port("trunk", frozenset({4999}))}, None)))
    done = validate(payload, [published_yang] if flavour == "published" else [LAB_YANG, published_yang], tmp_path)
    assert done.returncode != 0


def validate(payload: str, search: list[Path], scratch: Path) -> subprocess.CompletedProcess[str]:
    """Have yanglint(1), which shares no code with the driver or the lab's server, judge what a payload creates."""
    config = etree.fromstring(payload)
    for element in list(config.iter()):
        parent = element.getparent()
        if element.get(OPERATION) == "remove" and parent is not None:
            parent.remove(element)
        elif OPERATION in element.attrib:
            del element.attrib[OPERATION]
    file = scratch / "created.xml"
    file.write_text("".join(etree.tostring(child, encoding="unicode") for child in config))
    found = [next(d / f"{name}.yang" for d in search if (d / f"{name}.yang").exists()) for name in MODULES]
    arguments = [word for directory in search for word in ("-p", str(directory))]
    return subprocess.run(
        ["yanglint", "-i", "-t", "config", *arguments, *map(str, found), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
