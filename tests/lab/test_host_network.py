"""Two hypervisors of a lab: a network that is made, used, damaged, kept over a reboot, and taken away."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.lab import CLOUD, ROOT, Lab

FRAMES = Path(__file__).with_name("frames.py")
HV1, HV2 = "east-p1-hv1", "east-p1-hv2"
POD_SWITCHES = {"east-p1-sw1": 4096, "east-p1-sw2": 8192}
PORTS = {port: {"mode": "trunk", "tagged": [20], "edge": port != "swp3"} for port in ("swp3", "swp6", "swp7")}
NOTHING: dict[str, Any] = {"backend": "openvswitch", "datapath": "netdev"}

RECEIVE = """
import hashlib, socket
connection, _ = socket.create_server(("", 5001)).accept()
digest = hashlib.sha256()
while data := connection.recv(1 << 20):
    digest.update(data)
print(digest.hexdigest())
"""
SEND = """
import hashlib, socket, os
connection = socket.create_connection(("192.168.101.32", 5001), 10)
connection.settimeout(10)
data = os.urandom(16 << 20)
connection.sendall(data)
print(hashlib.sha256(data).hexdigest())
"""
SEND_AT_A_RATE = """
import socket, time
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(("{interface}", 0))
frame = (b"\\xff" * 6 + b"\\x02\\0\\0\\0\\0\\x01" + b"\\x88\\xb5").ljust(1000, b"\\0")
began, sent = time.monotonic(), 0
while True:
    while sent * 8000 < {rate} * 1e6 * (time.monotonic() - began):
        sender.send(frame)
        sent += 1
    time.sleep(0.001)
"""


class Hypervisors:
    """The hypervisors as Ansible brings them in order."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def bring(self, host: str, network: dict[str, Any], *options: str, remove: bool = True) -> dict[str, Any]:
        """Run the module; its result, and as `diff` the lines that go and come."""
        return self.call(host, "host_network", {"network": network, "remove": remove}, *options)

    def switch(self, name: str, switch: dict[str, Any]) -> None:
        """Configure a pod switch."""
        result = self.call(
            name, "pod_switch", {"state": {"platform": "openconfig_netconf", "port": 830, "switch": switch}}
        )
        assert "changed" in result, result

    def call(self, host: str, module: str, arguments: dict[str, Any], *options: str) -> dict[str, Any]:
        ansible = [str(Path(sys.executable).with_name("ansible")), host, "-i", str(CLOUD)]
        ansible += ["-m", f"podwright.cloud.{module}", "-a", json.dumps(arguments), *options]
        there = ["env", f"--chdir={ROOT}", f"ANSIBLE_CONFIG={ROOT}/ansible.cfg", "ANSIBLE_LOAD_CALLBACK_PLUGINS=false"]
        done = self.lab.run(*there, *ansible, check=False)
        _, found, result = done.stdout.partition("=> ")
        assert found, done.stdout + done.stderr
        decoded: dict[str, Any] = json.JSONDecoder().raw_decode(result)[0]
        return decoded | {"diff": [line for line in done.stdout.splitlines() if line[:1] in ("+", "-")]}

    def ports(self, host: str) -> set[str]:
        """Name the ports of Open vSwitch, segments among them."""
        return set(self.lab.ssh(host, "ovs-vsctl --columns=name --bare --no-headings list port").split())


def network(number: int, *accounts: int) -> dict[str, Any]:
    return {
        **NOTHING,
        "uplinks": {"members": ["eth1", "eth2"], "tagged": [20, *accounts]},
        "segments": {f"guest{vlan}": {"vlan": vlan, "description": f"account {vlan}"} for vlan in accounts},
        "interfaces": {"vlan20": {"vlan": 20, "addresses": [f"192.168.101.{number}/24"], "description": "storage"}},
    }


@pytest.fixture(scope="module")
def hypervisors(lab: Lab) -> Iterator[Hypervisors]:
    """Both hypervisors, joined by the storage VLAN of the pod switches; bare again at the end."""
    both = Hypervisors(lab)
    for name, priority in POD_SWITCHES.items():
        both.switch(name, {"spanning_tree": {"priority": priority}, "vlans": {20: "storage"}, "ports": PORTS})
    yield both
    for host in (HV1, HV2):
        both.bring(host, NOTHING)
        # An empty network leaves networkd as it is; with nothing to wait for, the next boot would wait two minutes.
        lab.ssh(host, "systemctl disable --now systemd-networkd.service systemd-networkd.socket")
    for name in POD_SWITCHES:
        both.switch(name, {"vlans": {}, "ports": {}})


@pytest.fixture
def made(hypervisors: Hypervisors) -> Hypervisors:
    """The hypervisors with one account on the first."""
    hypervisors.bring(HV1, network(31, 101))
    hypervisors.bring(HV2, network(32))
    return hypervisors


def test_check_mode_predicts_and_a_second_run_changes_nothing(hypervisors: Hypervisors) -> None:
    wanted = network(31, 101)
    predicted = hypervisors.bring(HV1, wanted, "--check", "--diff")
    assert "guest101" not in hypervisors.ports(HV1)
    done = hypervisors.bring(HV1, wanted, "--diff")
    assert predicted["changed"]
    assert done["diff"] == predicted["diff"]
    assert {"bond0", "guest101", "vlan20"} <= hypervisors.ports(HV1)
    assert not hypervisors.bring(HV1, wanted)["changed"]


def test_tcp_crosses_the_vlan_whole(made: Hypervisors) -> None:
    received: list[str] = []
    command = f"timeout 60 python3 -c '{RECEIVE}'"
    receiver = threading.Thread(target=lambda: received.append(made.lab.ssh(HV2, command)))
    receiver.start()
    wait_until(lambda: ":5001" in made.lab.ssh(HV2, "ss -Hltn"))
    sent = made.lab.ssh(HV1, f"timeout 60 python3 -c '{SEND}'")
    receiver.join()
    assert received == [sent]


def test_what_was_deleted_by_hand_comes_back_and_nothing_else_moves(made: Hypervisors) -> None:
    made.lab.ssh(HV1, "ovs-vsctl del-br guest101")
    diff = made.bring(HV1, network(31, 101), "--diff")["diff"]
    assert diff[:4] == ["--- before", "+++ after", "-    guest101: null", "+    guest101:"]
    assert all(line.startswith("+      ") for line in diff[4:])
    assert "guest101" in made.ports(HV1)


def test_a_link_that_was_set_down_is_up_again_by_itself(made: Hypervisors) -> None:
    made.lab.ssh(HV1, "ip link set vlan20 down; ip link set eth1 down")
    wait_until(lambda: made.lab.ssh(HV1, "ip -brief link show up").count("vlan20") == 1, timeout_s=10)
    assert "eth1" in made.lab.ssh(HV1, "ip -brief link show up")
    assert ", 0% packet loss" in made.lab.ssh(HV1, "ping -c 3 -i 0.2 192.168.101.32")
    assert not made.bring(HV1, network(31, 101))["changed"]


def test_a_link_that_nobody_holds_up_is_a_difference(made: Hypervisors) -> None:
    # Without networkd's word for it, as where Open vSwitch set the link down while networkd was not looking.
    made.lab.ssh(HV1, "systemctl freeze systemd-networkd.service; ip link set vlan20 down")
    seen = made.bring(HV1, network(31, 101), "--check", "--diff")
    made.lab.ssh(HV1, "systemctl thaw systemd-networkd.service")
    assert seen["changed"]
    assert [line.strip() for line in seen["diff"] if "vlan20" in line] == [
        "-    vlan20: []",
        '+    vlan20: ["192.168.101.31/24"]',
    ]
    made.bring(HV1, network(31, 101))
    assert ", 0% packet loss" in made.lab.ssh(HV1, "ping -c 3 -i 0.2 192.168.101.32")
    assert not made.bring(HV1, network(31, 101))["changed"]


def test_a_segment_goes_with_its_last_machine(made: Hypervisors) -> None:
    made.lab.ssh(HV1, "ip tuntap add pw-test mode tap; ovs-vsctl add-port guest101 pw-test")
    kept = made.bring(HV1, network(31), remove=False)
    assert (kept["changed"], kept["busy"]) == (False, {"guest101": ["pw-test"]})
    refused = made.bring(HV1, network(31))
    assert refused["msg"].startswith("segments that have to go still hold machines: {'guest101': ['pw-test']}")
    assert {"guest101", "pw-test"} <= made.ports(HV1)

    made.lab.ssh(HV1, "ip link delete pw-test")  # as when a machine is killed: its port stays behind, dead
    assert made.bring(HV1, network(31))["changed"]
    assert not {"guest101", "pw-test"} & made.ports(HV1)
    assert made.lab.ssh(HV1, "ovs-vsctl get port bond0 trunks").strip() == "[20]"


def test_public_uplinks_part_and_join(made: Hypervisors) -> None:
    """What leaves by each port, told at the switches' ends of the cables while these switches forward nothing of it."""
    joined = with_public_segment(network(31, 101, 30))
    parted = with_public_segment(network(31, 101))
    parted["uplinks"]["members"], parted["public_uplinks"] = ["eth1"], {"members": ["eth2"], "tagged": [30]}
    made.bring(HV1, joined)
    assert leaving(made) in ONE_UPLINK

    for wanted, bridges, ways in ((parted, {"br0", "br1"}, TWO_UPLINKS), (joined, {"br0"}, ONE_UPLINK)):
        predicted = made.bring(HV1, wanted, "--check", "--diff")
        assert made.bring(HV1, wanted, "--diff")["diff"] == predicted["diff"] != []
        assert not made.bring(HV1, wanted)["changed"]
        assert set(made.lab.ssh(HV1, "ovs-vsctl --columns=name --bare list bridge").split()) == bridges
        assert leaving(made) in ways


# {interface: the switches that frames from it come to}; of one bond, either uplink may be in use.
ONE_UPLINK = [{interface: {switch} for interface in ("infra30", "guest101", "vlan20")} for switch in POD_SWITCHES]
TWO_UPLINKS = [{"infra30": {"east-p1-sw2"}, "guest101": {"east-p1-sw1"}, "vlan20": {"east-p1-sw1"}}]


def with_public_segment(wanted: dict[str, Any]) -> dict[str, Any]:
    wanted["segments"].pop("guest30", None)
    wanted["segments"]["infra30"] = {"vlan": 30, "description": "public"}
    return wanted


def leaving(both: Hypervisors) -> dict[str, set[str]]:
    """{interface of the first hypervisor: the switches that a frame from it comes to}, each in the interface's VLAN."""
    vlans = {"infra30": 30, "guest101": 101, "vlan20": 20}
    both.lab.ssh(HV1, "ip link set guest101 up; ip link set infra30 up")
    request = {
        "sent": [[HV1, interface, None] for interface in vlans],
        "watched": [[switch, "swp6"] for switch in POD_SWITCHES],
    }
    arrived = json.loads(both.lab.run(sys.executable, str(FRAMES), json.dumps(request)).stdout)
    return {
        interface: {switch for which, switch, _, tag in arrived if (which, tag) == (index, vlan)}
        for index, (interface, vlan) in enumerate(vlans.items())
    }


def test_what_is_foreign_stays(made: Hypervisors) -> None:
    made.lab.ssh(HV1, "ovs-vsctl add-br br-operator -- set bridge br-operator datapath_type=netdev")
    made.lab.ssh(HV1, "ip address add 192.0.2.9/32 dev vlan20")
    made.lab.ssh(HV1, "echo '[Match]' > /etc/systemd/network/99-operator.network")
    assert not made.bring(HV1, network(31, 101))["changed"]
    made.bring(HV1, NOTHING)
    assert made.ports(HV1) == {"br-operator"}
    assert made.lab.ssh(HV1, "ls /etc/systemd/network").split() == ["99-operator.network"]
    made.lab.ssh(HV1, "ovs-vsctl del-br br-operator; rm /etc/systemd/network/99-operator.network")


def test_a_name_that_is_taken_is_refused(made: Hypervisors) -> None:
    made.lab.ssh(HV2, "ovs-vsctl add-br guest103 -- set bridge guest103 datapath_type=netdev")
    refused = made.bring(HV2, network(32, 103))
    made.lab.ssh(HV2, "ovs-vsctl del-br guest103")
    assert refused["msg"].startswith("Open vSwitch already has guest103 without podwright's mark")


def test_it_comes_back_after_a_reboot(made: Hypervisors) -> None:
    wanted = with_share(network(31, 101))
    made.bring(HV1, wanted)
    boot = "systemctl show --value --property=UserspaceTimestampMonotonic"
    before = made.lab.ssh(HV1, boot)
    made.lab.ssh(HV1, "systemctl reboot", check=False)
    wait_until(lambda: made.lab.ssh(HV1, boot, check=False) not in ("", before))
    assert made.lab.ssh(HV1, "systemctl is-system-running --wait").strip() == "running"
    assert not made.bring(HV1, wanted)["changed"]
    assert ", 0% packet loss" in made.lab.ssh(HV1, "ping -c 3 -i 0.2 192.168.101.32")


def test_storage_keeps_its_share_of_the_uplinks(made: Hypervisors) -> None:
    wanted = with_share(network(31, 101))
    assert made.bring(HV1, wanted, "--check")["changed"]
    assert made.bring(HV1, wanted)["changed"]
    assert not made.bring(HV1, wanted)["changed"]
    flooded = received_while_guests_flood(made)
    made.lab.ssh(HV1, "systemctl restart openvswitch-switch.service")
    assert not made.bring(HV1, wanted)["changed"]
    made.lab.ssh(HV1, "tc qdisc delete dev eth2 root")
    assert made.bring(HV1, wanted)["changed"]
    made.bring(HV1, network(31, 101))
    assert "7077:" not in made.lab.ssh(HV1, "tc qdisc show")
    assert not made.lab.ssh(HV1, "ls /etc/systemd/system").count("podwright-link-share")
    assert flooded == pytest.approx(8, rel=0.1)


def with_share(wanted: dict[str, Any]) -> dict[str, Any]:
    wanted["uplinks"]["share"] = {"vlan": 20, "guaranteed_mbit_s": 10, "link_mbit_s": 20}
    return wanted


def received_while_guests_flood(both: Hypervisors) -> float:
    """Mbit/s of what the second hypervisor gets when the first sends it 8 Mbit/s over a link that guests flood."""
    flood, steady = (
        f"timeout 4 python3 -c '{SEND_AT_A_RATE.format(interface=name, rate=rate)}' || true"
        for name, rate in (("guest101", 100), ("vlan20", 8))
    )
    counter = "cat /sys/class/net/vlan20/statistics/rx_bytes"
    both.lab.ssh(HV1, "ip link set guest101 up")
    senders = [threading.Thread(target=both.lab.ssh, args=(HV1, command)) for command in (flood, steady)]
    for sender in senders:
        sender.start()
    time.sleep(1.5)
    before, began = int(both.lab.ssh(HV2, counter)), time.monotonic()
    time.sleep(1.5)
    after, ended = int(both.lab.ssh(HV2, counter)), time.monotonic()
    for sender in senders:
        sender.join()
    rate = (after - before) * 8 / (ended - began) / 1e6
    print(f"storage sends 8 Mbit/s over a flooded link of 20: {rate:.2f} arrive")  # noqa: T201
    return rate


def wait_until(holds: Any, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.3)
