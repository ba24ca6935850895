"""A planned pod of two racks in Open vSwitch, with its RSTP: what frames reach, and that any one switch may fail."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from podwright.plan import plan
from tests.devices.openvswitch import Switch, open_vswitch
from tests.devices.processes import eventually
from tests.unit.plan.clouds import cloud_of, leases_for
from tests.unit.plan.test_cases import racks

FRAMES = Path(__file__).with_name("frames.py")
SETTLE_S = 25
"""RSTP may hold what a root said that is dead for its max age, 20 s (IEEE 802.1Q-2018 table 13-5)."""
NOTHING = 4095
"""The VLAN of ports that carry none: no frame has it (IEEE 802.1Q-2018 table 9-2)."""


@dataclass
class Pod:
    """The pod: each pod or zone switch is a bridge, each cable a pair of veth, each end at a host an `h` port."""

    switch: Switch
    states: dict[str, Any]
    links: dict[str, list[str]] = field(default_factory=dict)
    """{switch: its ends of cables}"""
    ends: dict[str, tuple[str, list[int]]] = field(default_factory=dict)
    """{end at a host: (the host, the VLANs that it carries)}"""

    def reached(self, end: str, vlans: list[int]) -> dict[int, set[str]]:
        """{VLAN: the ends at hosts where a frame in it comes out}"""
        printed = self.switch.inside(sys.executable, "-I", "-S", str(FRAMES), *(f"{end}:{vlan}" for vlan in vlans))
        return {vlan: set(line.split()) for vlan, line in zip(vlans, printed.split("\n"), strict=False)}

    def reach(self, end: str, vlan: int, dead: str = "") -> set[str]:
        """The ends that it shall reach: all that carry the VLAN, but those on a switch that is dead."""
        lost = {peer(link) for link in self.links.get(dead, ())}
        return {other for other, (_, carried) in self.ends.items() if vlan in carried} - {end} - lost

    def set_power(self, switch: str, state: str) -> None:
        """Switch all ports of a switch up or down."""
        self.switch.inside("sh", "-ec", "; ".join(f"ip link set {link} {state}" for link in self.links[switch]))


def peer(link: str) -> str:
    """The other end of a cable from a switch to a host."""
    return link.replace("s", "h")


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    cloud = cloud_of(racks())
    states: dict[str, Any] = plan(cloud, leases_for(cloud))
    with open_vswitch(tmp_path_factory.mktemp("racks")) as switch:
        switch.vsctl("del-br", "br0")
        switch.inside("sh", "-ec", "for number in 1 2 3; do ip link delete swp$number; done")
        made = Pod(switch, states)
        commands: list[str] = []
        for name, priority in priorities(states).items():
            commands += ["--", "add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev", "rstp_enable=true"]
            commands += ["--", "set", "Bridge", name, f"other_config:rstp-priority={priority}"]
        for number, cable in enumerate(cloud.zones["z0"].cables, start=1):
            commands += plugged(made, number, cable.a, cable.b)
        switch.vsctl(*commands[1:])
        yield made


def priorities(states: dict[str, Any]) -> dict[str, int]:
    """{switch: its planned bridge priority}"""
    return {
        name: (state["switch"] if state["kind"] == "pod_switch" else state["network"])["spanning_tree"]["priority"]
        for name, state in states.items()
        if state["kind"] in ("pod_switch", "zone_switch")
    }


def plugged(pod: Pod, number: int, a: Any, b: Any) -> list[str]:
    """The commands that plug a cable in; one to the outside has no end here."""
    if a.name is None or b.name is None:
        return []
    is_host = "uplinks" in pod.states[b.device].get("network", {}) and pod.states[b.device]["network"]["uplinks"]
    near, far = (f"s{number}", f"h{number}") if is_host else (f"a{number}", f"b{number}")
    pod.switch.inside("ip", "link", "add", near, "up", "type", "veth", "peer", "name", far)
    pod.switch.inside("ip", "link", "set", far, "up")
    if is_host:
        pod.ends[far] = (b.device, is_host["tagged"])
    ends = [(near, a), *([] if is_host else [(far, b)])]
    commands: list[str] = []
    for link, end in ends:
        pod.links.setdefault(end.device, []).append(link)
        state = pod.states[end.device]
        is_pod_switch = state["kind"] == "pod_switch"
        port = state["switch"]["ports"][end.name] if is_pod_switch else state["network"]["trunks"][end.name]
        trunks = ",".join(map(str, port["tagged"] or [NOTHING]))
        edge = str(port.get("edge", False)).lower()
        commands += [
            "--",
            "add-port",
            end.device,
            link,
            f"trunks={trunks}",
            f"other_config:rstp-port-admin-edge={edge}",
        ]
    return commands


def first_end(pod: Pod, host: str) -> str:
    return next(end for end, (name, _) in pod.ends.items() if name == host)


@pytest.mark.parametrize("dead", ["", "z0-p0-sw1", "z0-p0-sw2-r0"])
def test_every_vlan_joins_its_hosts_and_no_others_whichever_switch_fails(pod: Pod, dead: str) -> None:
    # At the first switch of the second rack: storage is in both racks, and so is 1000; 1001 is in the second alone.
    end, carried = first_end(pod, "z0-p0-hv0"), [11, 1000, 1001]
    if dead:
        pod.set_power(dead, "down")
    try:
        began = time.monotonic()
        wanted = {vlan: pod.reach(end, vlan, dead) for vlan in carried}
        assert eventually(lambda: pod.reached(end, carried) == wanted, SETTLE_S), (pod.reached(end, carried), wanted)
        print(f"{dead or 'nothing'} is dead: all is joined after {time.monotonic() - began:.1f} s")  # noqa: T201
    finally:
        if dead:
            pod.set_power(dead, "up")
