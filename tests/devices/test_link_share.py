"""What storage keeps of a link that guests flood, measured in frames: the module's own rows in a real Open vSwitch, and
the commands of its own unit in the kernel's traffic control."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import host_network, link_share, openvswitch, ovsdb

from tests.devices.openvswitch import Switch, open_vswitch

RATES = Path(__file__).with_name("rates.py")
SHARE = {"vlan": 20, "guaranteed_mbit_s": 10, "link_mbit_s": 20}
NETWORK: dict[str, Any] = {
    "backend": "openvswitch",
    "datapath": "netdev",
    "uplinks": {"members": ["swp3"], "tagged": [20, 101], "share": SHARE},
    "segments": {"guest101": {"vlan": 101, "description": "acme/default"}},
    "interfaces": {"vlan20": {"vlan": 20, "addresses": [], "description": "storage"}},
}
WITHOUT_SHARE = {**NETWORK, "uplinks": {"members": ["swp3"], "tagged": [20, 101]}}
STORAGE_SENDS, GUESTS_SEND = 8, 60


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """A hypervisor's Open vSwitch, as the module sets it up; its uplink is swp3, the other end of the cable h3."""
    with pytest.MonkeyPatch.context() as patch, open_vswitch(tmp_path_factory.mktemp("share")) as running:
        patch.setattr(ovsdb, "SOCKET", running.directory / "db.sock")
        running.vsctl("del-br", "br0")
        openvswitch.apply(openvswitch.plan(openvswitch.read(), wanted(NETWORK)))
        for name in ("guest101", "vlan20"):
            running.inside("ip", "link", "set", name, "up")
        yield running


def wanted(network: dict[str, Any]) -> dict[str, Any]:
    return openvswitch.wanted(host_network.complete(network))


def rates(host: Switch, *sent: str) -> dict[int, float]:
    """{VLAN: Mbit/s} at the other end of the uplink, of what interfaces send; shown with `pytest -s`."""
    told = json.loads(host.inside(sys.executable, "-I", "-S", str(RATES), "h3", "1.5", *sent))
    print({"sent": sent, "received": told})  # noqa: T201
    return {int(vlan): rate for vlan, rate in told.items()}


def flooded(host: Switch) -> dict[int, float]:
    return rates(host, f"vlan20:{STORAGE_SENDS}", f"guest101:{GUESTS_SEND}")


def make_queues(host: Switch) -> None:
    """Do what systemd does with the unit."""
    for line in (link_share.wanted(host_network.complete(NETWORK))["unit"] or "").splitlines():
        if line.startswith("ExecStart="):
            host.inside(*shlex.split(line.removeprefix("ExecStart=")))


def live(host: Switch) -> dict[str, int] | None:
    return link_share.parse(
        host.inside("tc", "class", "show", "dev", "swp3"), host.inside("tc", "filter", "show", "dev", "swp3")
    )


@pytest.fixture
def plain_link(host: Switch) -> Iterator[None]:
    """A link of the same rate, with one queue for all."""
    host.inside("tc", "qdisc", "add", "dev", "swp3", "root", "handle", "1:", "htb", "default", "1")
    host.inside("tc", "class", "add", "dev", "swp3", "parent", "1:", "classid", "1:1", "htb", "rate", "20mbit")
    host.inside("tc", "qdisc", "add", "dev", "swp3", "parent", "1:1", "pfifo", "limit", "32")
    yield
    host.inside("tc", "qdisc", "delete", "dev", "swp3", "root")


@pytest.fixture
def shared_link(host: Switch) -> Iterator[None]:
    make_queues(host)
    yield
    host.inside("tc", "qdisc", "delete", "dev", "swp3", "root")


@pytest.mark.usefixtures("plain_link")
def test_without_a_share_a_flood_of_guests_takes_what_storage_needs(host: Switch) -> None:
    assert flooded(host)[20] < 0.85 * STORAGE_SENDS


@pytest.mark.usefixtures("shared_link")
def test_storage_keeps_its_share_of_a_link_that_guests_flood(host: Switch) -> None:
    received = flooded(host)
    assert received[20] == pytest.approx(STORAGE_SENDS, rel=0.1)
    assert received[101] == pytest.approx(20 - STORAGE_SENDS, rel=0.15)


@pytest.mark.usefixtures("shared_link")
def test_storage_has_no_more_than_its_share_while_guests_need_theirs(host: Switch) -> None:
    received = rates(host, "vlan20:60", "guest101:60")
    assert received[20] == pytest.approx(10, rel=0.15)
    assert received[101] == pytest.approx(10, rel=0.15)


@pytest.mark.usefixtures("shared_link")
def test_what_storage_leaves_is_lent_to_guests(host: Switch) -> None:
    assert rates(host, f"guest101:{GUESTS_SEND}")[101] == pytest.approx(20, rel=0.15)


@pytest.mark.usefixtures("shared_link")
def test_queues_are_read_back_and_what_is_not_whole_is_none(host: Switch) -> None:
    assert live(host) == SHARE
    kept = ["dev", "swp3", "parent", "7077:1", "classid", "7077:10"]
    host.inside("tc", "class", "change", *kept, "htb", "rate", "1mbit")
    assert live(host) is None


@pytest.mark.usefixtures("shared_link")
def test_open_vswitch_opens_a_port_anew_and_leaves_its_queues_alone(host: Switch) -> None:
    host.vsctl("del-port", "bond0")
    openvswitch.apply(openvswitch.plan(openvswitch.read(), wanted(NETWORK)))
    assert live(host) == SHARE
    host.vsctl("del-port", "bond0")
    openvswitch.apply(openvswitch.plan(openvswitch.read(), wanted(WITHOUT_SHARE)))
    assert live(host) is None  # so the row of the table QoS is needed
    openvswitch.apply(openvswitch.plan(openvswitch.read(), wanted(NETWORK)))
    make_queues(host)


def test_a_share_that_goes_leaves_no_row_behind(host: Switch) -> None:
    for network, rows in ((NETWORK, 1), (WITHOUT_SHARE, 0), (NETWORK, 1)):
        openvswitch.apply(openvswitch.plan(openvswitch.read(), wanted(network)))
        assert openvswitch.plan(openvswitch.read(), wanted(network)) == {}
        assert host.vsctl("--columns=type", "list", "QoS").count("linux-noop") == rows
