"""Pod switches of a lab: what the module says is what frames do, and a change that goes wrong never was."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from podwright import lab as labs
from podwright.model import load
from podwright.model.views import devices
from tests.lab.lab import CLOUD, Lab

ROOT = CLOUD.parents[2]
FRAMES = Path(__file__).with_name("frames.py")
SW1, SW2 = "east-p1-sw1", "east-p1-sw2"
NOTHING: dict[str, Any] = {"vlans": {}, "ports": {}}


def trunk(*tagged: int, **more: Any) -> dict[str, Any]:
    return {"mode": "trunk", "tagged": list(tagged), **more}


def access(vlan: int, **more: Any) -> dict[str, Any]:
    return {"mode": "access", "untagged": vlan, **more}


# swp1 and swp2 lead to the zone switches, swp3 to the other pod switch, swp5 to storage, swp6 and swp7 to hypervisors.
# VLAN 103 is on ports, but no VLAN of the switch.
POD = {
    SW1: {
        "spanning_tree": {"priority": 4096},
        "vlans": {10: "management", 20: "storage", 101: "acme-default", 102: "globex-default"},
        "ports": {
            "swp1": trunk(10, description="east-zsw1 swp1", edge=True),
            "swp2": access(101, edge=True),
            "swp3": trunk(10, 20, 101),
            "swp5": trunk(20, edge=True),
            "swp6": trunk(20, 101, 103, edge=True),
            "swp7": trunk(20, 101, 102, 103, edge=True),
        },
    },
    SW2: {
        "spanning_tree": {"priority": 8192},
        "vlans": {10: "management", 20: "storage", 101: "acme-default"},
        "ports": {"swp3": trunk(10, 20, 101), "swp7": trunk(20, untagged=101, edge=True)},
    },
}
ZSW1, ZSW2 = ("east-zsw1", "swp1"), ("east-zsw2", "swp1")
STORAGE, HV1 = ("east-p1-nfs1", "eth1"), ("east-p1-hv1", "eth1")
HV2_SW1, HV2_SW2 = ("east-p1-hv2", "eth1"), ("east-p1-hv2", "eth2")

Place = tuple[str, str]
COMES_OUT: dict[tuple[Place, int | None], set[tuple[Place, int | None]]] = {
    (HV1, 101): {(ZSW2, None), (HV2_SW1, 101), (HV2_SW2, None)},
    (ZSW2, None): {(HV1, 101), (HV2_SW1, 101), (HV2_SW2, None)},
    (HV2_SW2, None): {(HV1, 101), (HV2_SW1, 101), (ZSW2, None)},
    (STORAGE, 20): {(HV1, 20), (HV2_SW1, 20), (HV2_SW2, 20)},
    (ZSW1, 10): set(),
    (HV1, None): set(),
    (HV1, 10): set(),
    (HV1, 102): set(),
    (HV1, 103): set(),
    (HV1, 999): set(),
    (HV2_SW1, 102): set(),
    (HV2_SW2, 101): {(HV1, 101), (HV2_SW1, 101), (ZSW2, None)},
    (STORAGE, 101): set(),
    (ZSW2, 101): set(),
}


class Switches:
    """The pod switches of a lab, as Ansible and as frames see them."""

    def __init__(self, lab: Lab, scratch: Path) -> None:
        self.lab = lab
        cloud = load(CLOUD, {"PODWRIGHT_LAB": str(lab.directory)})
        addresses = {device.name: str(device.declared.management_address) for device in devices(cloud)}
        ssh = lab.directory / "ssh"
        self.known_hosts, self.key = ssh / "known_hosts", ssh / "id_ed25519"
        self.addresses = {name: addresses[name] for name in POD}
        variables = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts}",
        }
        hosts = {name: {"ansible_host": address} for name, address in self.addresses.items()}
        self._inventory = scratch / "hosts.yaml"
        self._inventory.write_text(yaml.safe_dump({"all": {"vars": variables, "hosts": hosts}}))

    def bring(self, name: str, switch: dict[str, Any], *options: str) -> dict[str, Any]:
        """Run the module; its result."""
        _, _, result = self.printed(name, switch, *options).partition("=> ")
        decoded: dict[str, Any] = json.JSONDecoder().raw_decode(result)[0]
        return decoded

    def printed(self, name: str, switch: dict[str, Any], *options: str) -> str:
        """Run the module; what Ansible prints."""
        state = {"platform": "openconfig_netconf", "port": 830, "switch": switch}
        module = ["-m", "podwright.cloud.pod_switch", "-a", json.dumps({"state": state}), *options]
        ansible = [str(Path(sys.executable).with_name("ansible")), name, "-i", str(self._inventory)]
        there = ["env", f"--chdir={ROOT}", f"ANSIBLE_CONFIG={ROOT}/ansible.cfg"]
        done = self.lab.run(*there, *ansible, *module, check=False)
        assert "=> " in done.stdout, done.stdout + done.stderr
        return str(done.stdout)

    def frames(self) -> dict[tuple[Place, int | None], set[tuple[Place, int | None]]]:
        """Where each frame of COMES_OUT comes out now; fails if one comes out twice at a place."""
        sent = [[*place, vlan] for place, vlan in COMES_OUT]
        watched = [ZSW1, ZSW2, STORAGE, HV1, HV2_SW1, HV2_SW2]
        done = self.lab.run(sys.executable, str(FRAMES), json.dumps({"sent": sent, "watched": watched}))
        seen = [(index, (host, port), vlan) for index, host, port, vlan in json.loads(done.stdout)]
        assert len(seen) == len(set(seen)), f"frames came out twice: {seen}"
        return {key: {(place, vlan) for at, place, vlan in seen if at == index} for index, key in enumerate(COMES_OUT)}

    def driver(self, name: str, body: str, status: int = 0) -> str:
        """Run Python lines on the controller, in which `driver` is that of a switch; what they print."""
        prelude = f"""
import os, signal, subprocess
from pathlib import Path
from podwright.errors import DeviceError
from podwright.switches.access import Access
from podwright.switches.driver import open_driver
from podwright.switches.state import Change, Port
access = Access({self.addresses[name]!r}, 830, "root", Path({str(self.key)!r}), Path({str(self.known_hosts)!r}))
driver = open_driver("openconfig_netconf", access)
"""
        done = self.lab.run("env", f"--chdir={ROOT}", sys.executable, "-c", prelude + body, check=False)
        assert done.returncode == status, f"ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return str(done.stdout)


def eventually(seen: Callable[[], Any], expected: Any, within_s: float = 20) -> None:
    """Fail unless `seen()` becomes `expected` in time."""
    end = time.monotonic() + within_s
    while (value := seen()) != expected and time.monotonic() < end:
        time.sleep(0.2)
    assert value == expected


@pytest.fixture(scope="module")
def switches(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switches]:
    made = Switches(lab, tmp_path_factory.mktemp("switches"))
    for name, switch in POD.items():
        made.bring(name, switch)
    yield made
    for name in POD:
        made.bring(name, NOTHING)


def test_check_mode_tells_and_changes_nothing(switches: Switches) -> None:
    printed = switches.printed(SW2, NOTHING, "--check", "--diff")
    assert "-  swp7:" in printed.splitlines()
    assert "+ports: {}" in printed.splitlines()
    assert switches.bring(SW2, NOTHING, "--check")["changed"]
    assert sorted(switches.bring(SW2, POD[SW2])["observed"]["ports"]) == ["swp3", "swp7"]


def test_second_run_changes_nothing(switches: Switches) -> None:
    for name, switch in POD.items():
        result = switches.bring(name, switch)
        assert not result["changed"]
        assert result["astray"] == {}


def test_switch_tells_what_it_forwards(switches: Switches) -> None:
    eventually(
        lambda: switches.bring(SW2, POD[SW2])["forwarding"],
        {
            "swp3": {"tagged": [10, 20, 101], "untagged": None, "link_up": True, "spanning_tree": "forwarding"},
            "swp7": {"tagged": [20], "untagged": 101, "link_up": True, "spanning_tree": "forwarding"},
        },
    )


def test_frames_come_out_where_the_configuration_says_and_nowhere_else(switches: Switches) -> None:
    eventually(switches.frames, COMES_OUT)


def test_forwarding_plane_that_was_tampered_with_is_told(switches: Switches) -> None:
    switches.lab.ssh(SW1, "ovs-vsctl set port swp6 trunks=20,101,102")
    assert switches.bring(SW1, POD[SW1])["astray"] == {"swp6": "carries 20, 101-102 instead of 20, 101"}
    switches.lab.ssh(SW1, "systemctl restart pod-switch-agent")
    assert switches.bring(SW1, POD[SW1])["astray"] == {}


def test_a_loop_is_broken_by_the_spanning_tree(switches: Switches) -> None:
    """East-zsw1 joins both switches, which are joined already; a broadcast must come out once."""
    looped = {
        name: {**switch, "ports": {**switch["ports"], "swp1": trunk(10, 20, 101)}}  # type: ignore[dict-item]
        for name, switch in POD.items()
    }
    bridge = "add-br br9 -- set bridge br9 datapath_type=netdev rstp_enable=true other_config:rstp-priority=61440"
    switches.lab.ssh("east-zsw1", f"ovs-vsctl {bridge} -- add-port br9 swp1 -- add-port br9 swp2")
    try:
        for name, switch in looped.items():
            switches.bring(name, switch)
        eventually(lambda: "Alternate" in switches.lab.ssh("east-zsw1", "ovs-appctl rstp/show br9"), True)
        for _ in range(3):
            switches.frames()
    finally:
        switches.lab.ssh("east-zsw1", "ovs-vsctl del-br br9")
        for name, switch in POD.items():
            switches.bring(name, switch)


NARROWER = 'Change(ports={"swp6": Port("trunk", frozenset({20}), description="wrong")})'
ACCESS = 'Change(ports={"swp5": Port("access", untagged=102, description="wrong")})'


@pytest.mark.parametrize("change", [NARROWER, ACCESS])
def test_change_of_a_controller_that_dies_is_taken_back(switches: Switches, change: str) -> None:
    """Killed after the commit on trial, where it would have looked whether the switch still answers."""
    body = f"driver._session.probe = lambda: os.kill(os.getpid(), 9)\ndriver.apply({change}, driver.read())"
    switches.driver(SW1, body, status=-signal.SIGKILL)
    eventually(lambda: switches.bring(SW1, POD[SW1], "--check").get("changed"), False)
    eventually(switches.frames, COMES_OUT)


def test_change_after_which_the_switch_does_not_answer_is_taken_back(switches: Switches) -> None:
    """From the first login on, the switch refuses new connections."""
    refuse = (
        "nft add table ip t; nft add chain ip t c '{ type filter hook input priority 0; }'; "
        "nft add rule ip t c tcp dport 830 tcp flags '& (syn | ack) == syn' reject with tcp reset"
    )
    ssh = ["ssh", "-F", f"{switches.lab.directory}/ssh/config", SW1]
    printed = switches.driver(
        SW1,
        f"driver.read()\nsubprocess.run({[*ssh, refuse]!r}, check=True)\n"
        f"try:\n    driver.apply({NARROWER}, driver.read())\nexcept DeviceError as error:\n    print(error)",
    )
    switches.lab.ssh(SW1, "nft delete table ip t")
    assert printed == (
        f"{switches.addresses[SW1]} port 830: cannot log in: [Errno 111] Connection refused; "
        "see whether the switch is up, and what its log says; "
        "that was after the change, which the device takes back by itself\n"
    )
    eventually(lambda: switches.bring(SW1, POD[SW1], "--check").get("changed"), False)


def test_change_that_the_switch_refuses_leaves_it_as_it_was(switches: Switches) -> None:
    refused = switches.bring(SW1, {"vlans": {10: "management", 4095: "reserved"}})
    assert f"{switches.addresses[SW1]} port 830: cannot change the configuration: " in refused["msg"]
    assert "vlan" in refused["msg"]
    assert not switches.bring(SW1, POD[SW1])["changed"]


def test_candidate_that_another_session_left_is_not_committed(switches: Switches) -> None:
    stale = f"driver._session._opened().edit_config(driver.render({NARROWER}, driver.read()), target='candidate')"
    switches.driver(SW1, stale)
    assert switches.bring(SW1, {**POD[SW1], "spanning_tree": {"priority": 0}})["changed"]
    assert switches.bring(SW1, POD[SW1])["observed"]["ports"]["swp5"]["tagged"] == [20]


def test_lock_of_another_session_is_named(switches: Switches) -> None:
    printed = switches.driver(
        SW1,
        "other = open_driver('openconfig_netconf', access)._session._opened()\nother.lock('candidate')\n"
        "print(other.session_id)\n"
        f"try:\n    driver.apply({NARROWER}, driver.read())\nexcept DeviceError as error:\n    print(error)",
    )
    session, error = printed.splitlines()
    assert error == (
        f"{switches.addresses[SW1]}: the candidate configuration is locked by session {session}; wait until whoever "
        "changes the switch is done, or end that session with <kill-session>"
    )


@pytest.mark.parametrize("victim", ["netconfd", "pod-switch-agent", "netconf-ssh", "ovs-vswitchd"])
def test_switch_survives_the_death_of_a_part(switches: Switches, victim: str) -> None:
    switches.lab.ssh(SW1, f"systemctl kill --signal=KILL {victim}")
    eventually(lambda: switches.bring(SW1, POD[SW1]).get("changed"), False)
    eventually(switches.frames, COMES_OUT)


def test_configuration_outlives_a_loss_of_power(switches: Switches) -> None:
    labs.kill(switches.lab.name, SW1)
    labs.power_on(switches.lab.name, SW1)
    eventually(lambda: switches.bring(SW1, POD[SW1]).get("changed"), False)
    eventually(switches.frames, COMES_OUT)


def test_what_is_no_longer_desired_goes(switches: Switches) -> None:
    result = switches.bring(SW2, NOTHING)
    assert result["changed"]
    assert result["observed"] == {"spanning_tree": {"priority": 8192}, **NOTHING}
    eventually(lambda: switches.bring(SW2, NOTHING)["forwarding"], None)
    switches.bring(SW2, POD[SW2])
