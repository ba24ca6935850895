"""Two zones with the same private addresses, two pods and a firewall each, and a VPN; from inventory to packets."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from podwright import lab as labs
from podwright.lab import world
from tests.lab import segments
from tests.lab.cloud import Cloud, changed, declared
from tests.lab.lab import ROOT, TWO_ZONES, Lab

FIREWALLS = {"east-fw1", "west-fw1"}
PROVIDER = "198.51.100.254"
ROUTERS = {"east": "203.0.113.11", "west": "203.0.113.139"}
GLOBEX = "203.0.113.75"
SEND = Path(segments.__file__).read_text()
SYN = "tcp[tcpflags] == tcp-syn"

# Where the machines run, each in its zone and pod; of acme's, those of one name have one address in both zones.
HYPERVISORS = {
    "acme-web-east": "east-p1-hv1",
    "acme-db-east": "east-p2-hv1",
    "globex-web-east": "east-p1-hv1",
    "acme-web-west": "west-p1-hv1",
    "acme-db-west": "west-p2-hv1",
}
ADDRESSES = {"web": "10.1.1.3", "db": "10.1.1.2"}

Listener = Callable[[], list[str]]


@pytest.fixture(scope="module")
def zones() -> Iterator[Lab]:
    lab = Lab(f"zones-{os.getpid()}", TWO_ZONES)
    try:
        lab.up()
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def cloud(zones: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """The deployed cloud; all but the firewalls were reached through them."""
    cloud = declared(zones, tmp_path_factory.mktemp("inventory"))
    report = cloud.podwright("deploy", "--diff", expect=2)
    switches = {"west-p1-sw2", *(f"{zone}-{pod}-sw1" for zone in ROUTERS for pod in ("p1", "p2"))}
    assert FIREWALLS | switches | {"acme-east-router", "acme-west-router", "globex-east-router"} <= changed(report)
    assert not any(key in json.dumps(report) for key in _keys(cloud))
    return cloud


def test_second_run_changes_nothing(cloud: Cloud):
    assert cloud.podwright("deploy", expect=0)["differences"] == []


def test_configurations_that_devices_run_with_prove_it_and_hold_no_key(cloud: Cloud, tmp_path: Path):
    collected = tmp_path / "collected"
    report = cloud.podwright("collect", "--to", str(collected), expect=0)
    assert {*report["states"]["collected"]} > FIREWALLS
    assert cloud.podwright("prove", "--configurations", str(collected), expect=0)["findings"] == []
    texts = [file.read_text() for file in collected.rglob("*") if file.is_file()]
    assert not [key for key in _keys(cloud) if any(key in text for text in texts)]


def test_rules_that_somebody_loaded_are_found_in_what_was_collected_and_mended(cloud: Cloud, tmp_path: Path):
    """A way from customers to devices, on a firewall; and one from everybody to a customer, in a routing appliance."""
    collected, proving = tmp_path / "collected", ("prove", "--configurations", str(tmp_path / "collected"))
    cloud.podwright("collect", "--to", str(collected), expect=0)
    into_management = "insert rule inet podwright_firewall forward iifname vlan40 oifname eth4 counter accept"
    into_guests = "insert rule inet podwright forward oifname eth0 accept"
    cloud.lab.ssh("east-fw1", f"nft {into_management}")
    cloud.in_machine("west-p1-hv1", "acme-west-router", "nft", into_guests)
    opened = ("east-fw1", "acme-west-router")
    cloud.podwright("collect", "--to", str(collected), "--limit", ",".join(opened), expect=0)
    found = {finding["statement"]: finding["path"] for finding in cloud.podwright(*proving, expect=2)["findings"]}
    assert "east-fw1 eth4" in found["account acme/east gets to management east/p1 over Layer 3"]
    assert "acme-west-router eth0" in found["upstream west gets to account acme/west over Layer 3"]
    assert changed(cloud.podwright("deploy", expect=2)) == {*opened}
    cloud.podwright("collect", "--to", str(collected), "--limit", ",".join(opened), expect=0)
    assert cloud.podwright(*proving, expect=0)["findings"] == []


def test_controller_finds_equal_addresses_in_both_zones(cloud: Cloud):
    key = f"{cloud.lab.directory}/ssh/id_ed25519"
    known = f"UserKnownHostsFile={cloud.lab.directory}/ssh/known_hosts"
    found = {
        address: cloud.lab.run("ssh", "-i", key, "-o", known, f"root@{address}", "hostname; hostname -I").stdout.split()
        for address in ("10.201.1.21", "10.201.2.21", "10.202.1.21", "10.202.2.21")
    }
    names = [name for name, *_ in found.values()]
    assert names == ["east-p1-nfs1", "east-p2-nfs1", "west-p1-nfs1", "west-p2-nfs1"]
    for address, (_, *own) in found.items():
        pod = address.split(".")[2]
        assert {f"192.168.{pod}.21", f"192.168.10{pod}.21"} <= set(own)


def test_packets_prove_it(cloud: Cloud):
    findings = cloud.podwright("verify", expect=0)["findings"]
    assert HYPERVISORS.keys() <= {finding["subject"] for finding in findings}
    assert all(finding["holds"] for finding in findings)


def test_machines_with_equal_addresses_reach_the_outside_from_both_zones(cloud: Cloud):
    public = {"acme-east": ROUTERS["east"], "acme-west": ROUTERS["west"], "globex-east": GLOBEX}
    for machine, hypervisor in HYPERVISORS.items():
        account, name, zone = machine.split("-")
        address = ADDRESSES[name] if account == "acme" else "10.1.1.2"
        assert f"{address}/24" in cloud.in_machine(hypervisor, machine, "ip", "address")
        seen = cloud.in_machine(hypervisor, machine, "wget", "-q", "-O", "-", f"http://{PROVIDER}/").strip()
        assert seen == public[f"{account}-{zone}"]


def test_machines_with_equal_addresses_talk_between_pods_and_no_frame_is_in_the_other_zone(cloud: Cloud):
    """Both zones at once, while every uplink of a hypervisor is listened to, and the provider between the zones."""
    macs = {machine: _nic(cloud, machine)[1] for machine in HYPERVISORS}
    inside = "net 10.0.0.0/8 or net 192.168.0.0/16 or udp port 4789"
    ways = {f"acme-web-{zone}": ADDRESSES["db"] for zone in ROUTERS}
    ways |= {f"acme-db-{zone}": ADDRESSES["web"] for zone in ROUTERS}
    with ExitStack() as listeners, ThreadPoolExecutor() as pool:
        heard = {
            host: listeners.enter_context(_frames_at(cloud, host, "eth1", "vlan")) for host in {*HYPERVISORS.values()}
        }
        between = [listeners.enter_context(_frames_at(cloud, "outside", port, inside)) for port in ("eth0", "eth1")]
        assert list(pool.map(lambda way: _answers(cloud, *way), ways.items())) == [5] * len(ways)
    for host, listened in heard.items():
        zone = host.partition("-")[0]
        own = {mac for machine, mac in macs.items() if machine.endswith(f"-{zone}")}
        seen = _senders_and_receivers(listened()) & {*macs.values()}
        assert {macs[f"acme-web-{zone}"], macs[f"acme-db-{zone}"]} <= seen <= own
    assert [listened() for listened in between] == [[], []]


def test_accounts_with_equal_addresses_do_not_meet(cloud: Cloud):
    """The machine of globex has the address that acme's has in the other pod, and acme's other one is beside it."""
    (globex, globex_mac), (acme, acme_mac) = (_nic(cloud, name) for name in ("globex-web-east", "acme-db-east"))
    asked = "arp or icmp"
    with (
        _frames_at(cloud, "east-p1-hv1", globex, asked) as at_globex,
        _frames_at(cloud, "east-p2-hv1", acme, asked) as at_acme,
    ):
        assert _answers(cloud, "acme-web-east", "10.1.1.2") == 5
        assert _answers(cloud, "globex-web-east", "10.1.1.3") == 0
    of_acme = {acme_mac, _nic(cloud, "acme-web-east")[1]}
    at_both = {globex_mac, *of_acme}
    assert _senders_and_receivers(at_acme()) & at_both == of_acme
    assert _senders_and_receivers(at_globex()) & at_both == {globex_mac}


def test_public_and_other_frames_take_switches_of_their_own(cloud: Cloud):
    """In the pod with a public switch, where acme's appliance is: its machines there and in the other pod speak."""
    up, storage, down = (("west-p1-sw1", port) for port in ("swp1", "swp3", "swp4"))
    public = [("west-p1-sw2", port) for port in ("swp1", "swp2")]
    machines = ("acme-db-west", "acme-web-west")
    with ExitStack() as listeners:
        listening = {
            at: listeners.enter_context(_frames_at(cloud, *at, "greater 1")) for at in (up, storage, down, *public)
        }
        for machine in machines:
            seen = cloud.in_machine(HYPERVISORS[machine], machine, "wget", "-q", "-O", "-", f"http://{PROVIDER}/")
            assert seen.strip() == ROUTERS["west"]
        assert _answers(cloud, "acme-db-west", ADDRESSES["web"]) == 5
        assert _answers(cloud, "acme-web-west", "10.1.1.99") == 0  # nobody's: it asks all of the pod for it
        assert ", 0% packet loss" in cloud.lab.ssh("west-p1-hv1", "ping -c 2 -i 0.2 192.168.101.21")
    heard = {at: lines() for at, lines in listening.items()}
    vlans = {
        at: {int(vlan) for line in lines for vlan in re.findall(r"vlan (\d+),", line)} for at, lines in heard.items()
    }
    management = {10}
    assert [vlans[at] - management for at in (up, storage, down)] == [{50}, {20}, {20, 50, 101}]
    assert [vlans[at] for at in public] == [{30}, {30}]
    of_guests = {_nic(cloud, machine)[1] for machine in machines}
    assert _senders_and_receivers(heard[down]) >= of_guests
    assert [_senders_and_receivers(heard[at]) & of_guests for at in public] == [set(), set()]


def _answers(cloud: Cloud, machine: str, address: str) -> int:
    """How many of a machine's five echo requests are answered, as large as fits into a tunnel."""
    payload = str(1450 - 28)  # less the headers of IPv4 and ICMP
    argv = ["ping", "-q", "-c", "5", "-i", "0.2", "-W", "1", "-s", payload, address]
    told = cloud.in_machine(HYPERVISORS[machine], machine, *argv)
    return int(re.findall(r"(\d+) packets received", told)[0])


def _nic(cloud: Cloud, machine: str) -> tuple[str, str]:
    """(end on the hypervisor, MAC address) of a machine's only NIC."""
    listed = cloud.lab.ssh(HYPERVISORS[machine], f"virsh domiflist {machine}").splitlines()
    ((device, *_, mac),) = [line.split() for line in listed[2:] if line.strip()]
    return device, mac


def _senders_and_receivers(lines: list[str]) -> set[str]:
    """The MAC addresses of frames, also of those in tunnels."""
    return {mac for line in lines for mac in re.findall(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", line)}


def test_machines_do_not_reach_the_firewalls_where_controllers_do(cloud: Cloud):
    answers = {
        address: cloud.in_machine("east-p1-hv1", "acme-web-east", "ping", "-c", "1", "-w", "3", "-W", "3", address)
        for address in ("10.200.0.1", "10.255.0.11", "10.255.0.1")
    }
    received = {address: "1 packets received" in told for address, told in answers.items()}
    assert received == {"10.200.0.1": True, "10.255.0.11": False, "10.255.0.1": False}


def test_outside_reaches_what_a_rule_allows_and_nothing_else(cloud: Cloud):
    with _at_host(cloud, "east-zsw1", "vlan40", f"src {PROVIDER}") as heard:
        # The rule is for acme: 203.0.113.12 is nobody's, and the last one is globex's.
        asked = [("203.0.113.11", 80), ("203.0.113.11", 8050), ("203.0.113.11", 22), ("203.0.113.12", 80), (GLOBEX, 80)]
        _from_outside(cloud, [[PROVIDER, address, port] for address, port in asked])
        for address in ("192.168.1.21", "10.201.1.21", "10.200.0.6"):
            cloud.lab.outside("ip", "route", "replace", f"{address}/32", "via", "198.51.100.1")
            _from_outside(cloud, [[PROVIDER, address, 80]])
            cloud.lab.outside("ip", "route", "delete", f"{address}/32")
    assert {_destination(line) for line in heard()} == {"203.0.113.11.80", "203.0.113.11.8050"}
    # Ping is allowed, and the reply passes.
    for address in ("203.0.113.11", GLOBEX):
        assert ", 0% packet loss" in cloud.lab.outside("ping", "-c", "2", "-W", "2", address)


def test_firewall_itself_answers_outside_only_ping(cloud: Cloud):
    assert ", 0% packet loss" in cloud.lab.outside("ping", "-c", "1", "-W", "2", "198.51.100.1")
    connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"
    answers = [
        cloud.lab.run("ip", "netns", "exec", "outside", sys.executable, "-c", connect, address, port, check=False)
        for address, port in (("198.51.100.1", "22"), ("198.51.100.2", "22"), ("198.51.100.1", "500"))
    ]
    assert [answer.stderr.splitlines()[-1] for answer in answers] == ["TimeoutError: timed out"] * 3


def test_spoofed_sources_go_neither_in_nor_out(cloud: Cloud):
    stolen = ("203.0.113.50", "10.1.1.2", "192.168.1.31", "127.0.0.1", "240.0.0.1")
    with _at_host(cloud, "east-zsw1", "vlan40", f"dst 203.0.113.11 and {SYN}") as heard:
        _from_outside(cloud, [[source, "203.0.113.11", 80] for source in (*stolen, PROVIDER)])
    assert {_source(line) for line in heard()} == {f"{PROVIDER}.40000"}
    leaving = [[source, PROVIDER, 80] for source in ("192.168.1.31", "10.1.1.2", "198.51.100.77", "203.0.113.99")]
    with _at_provider(cloud, f"dst {PROVIDER} and {SYN}") as heard:
        cloud.lab.ssh("east-zsw1", _send(leaving))
    assert {_source(line) for line in heard()} == {"203.0.113.99.40000"}


def test_rule_keeps_mail_in(cloud: Cloud):
    with _at_provider(cloud, f"dst {PROVIDER} and {SYN}") as heard:
        leaving = [["203.0.113.99", PROVIDER, port] for port in (25, 587)]
        cloud.lab.ssh("east-zsw1", _send(leaving))
    assert {_destination(line) for line in heard()} == {f"{PROVIDER}.587"}


def test_vpn_carries_allowed_networks_and_hides_them(cloud: Cloud):
    _await_vpn(cloud)
    talk = "(net 203.0.113.0/24 or net 10.0.0.0/8 or net 192.168.0.0/16 or proto 50 or udp) and not tcp"
    with _at_provider(cloud, talk, "inout") as heard:
        told = cloud.in_machine("east-p1-hv1", "acme-web-east", "ping", "-c", "3", "-w", "10", ROUTERS["west"])
        # The storage servers have the same address; each knows the other by the one that stands for it.
        answers = _pings_from(cloud, "east-p1-nfs1", "10.202.1.21", "10.202.0.11")
    assert "3 packets received" in told
    assert answers == {"10.202.1.21": 2, "10.202.0.11": 0}
    lines = heard()
    assert len(lines) >= 10
    assert [line for line in lines if "198.51.100.1.4500" not in line or "192.0.2.1.4500" not in line] == []
    assert sum("ESP(spi=" in line for line in lines) >= 10


def test_customers_do_not_reach_management_through_a_vpn_that_both_use(cloud: Cloud):
    _await_vpn(cloud)
    with ExitStack() as listeners:
        heard = [
            listeners.enter_context(_at_host(cloud, firewall, "any", "icmp and dst net 192.168.0.0/16", "out"))
            for firewall in sorted(FIREWALLS)
        ]
        # Devices of both zones, by the addresses that stand for them, and the other zone's by its own.
        asked = ("10.202.1.21", "10.201.1.21", "10.202.1.3", "192.168.1.21")
        told = [
            cloud.in_machine("east-p1-hv1", "acme-web-east", "ping", "-c", "1", "-W", "1", address) for address in asked
        ]
    assert ["0 packets received" in each for each in told] == [True] * len(asked)
    assert [listened() for listened in heard] == [[], []]


def _pings_from(cloud: Cloud, host: str, *addresses: str) -> dict[str, int]:
    """How many of two echo requests are answered, sent by way of the firewall's port in the management network."""
    told = {}
    for address in addresses:
        way = f"ip route replace {address} via 192.168.1.3"
        ping = f"ping -q -c 2 -i 0.2 -W 1 {address}; ip route delete {address}"
        told[address] = cloud.lab.ssh(host, f"{way}; {ping}", check=False)
    return {address: int(re.findall(r"(\d+) received", text)[0]) for address, text in told.items()}


def test_networks_of_a_vpn_that_is_down_do_not_leave_in_the_clear(cloud: Cloud):
    cloud.lab.ssh("east-fw1", "systemctl stop strongswan")
    with _at_provider(cloud, "net 203.0.113.0/25 and net 203.0.113.128/25") as heard:
        sent = [["203.0.113.99", address, 80] for address in (ROUTERS["west"], "203.0.113.200")]
        cloud.lab.ssh("east-zsw1", _send(sent))
    # The other address is in no network of the VPN, and goes the way of all that goes outside.
    assert {_destination(line) for line in heard()} == {"203.0.113.200.80"}
    report = cloud.podwright("deploy", "--stage", "firewalls", expect=2)
    assert changed(report) == {"east-fw1"}
    _await_vpn(cloud)


def test_keys_are_kept_for_root_alone(cloud: Cloud):
    state = cloud.lab.directory / "state"
    (key,) = _keys(cloud)
    assert [oct(path.stat().st_mode & 0o777) for path in (state / "vpn-keys").iterdir()] == ["0o600"]
    assert not [path for path in (state / "plan").rglob("*") if path.is_file() and key in path.read_text()]
    for firewall in FIREWALLS:
        assert cloud.lab.ssh(firewall, f"grep -rl '{key}' /etc /var/lib/podwright /root").split() == [
            "/etc/swanctl/conf.d/podwright-keys.conf"
        ]
        assert cloud.lab.ssh(firewall, "stat -c %a /etc/swanctl/conf.d/podwright-keys.conf").strip() == "600"


def test_rules_that_cut_the_controller_off_are_taken_back(cloud: Cloud):
    file = cloud.inventory / "cloud.d/zone-west.yml"
    declaration = file.read_text()
    before = cloud.lab.ssh("west-fw1", "nft list table inet podwright_firewall")
    file.write_text(declaration.replace("controllers: [10.255.0.0/24]", "controllers: [10.254.0.0/24]"))
    began = time.monotonic()
    run = _playbook(cloud, "firewalls", "--limit", "west-fw1", "-e", "firewall_rollback_after_s=8")
    assert run.returncode != 0
    assert "the firewall takes it back by itself" in run.stdout
    assert cloud.lab.ssh("west-fw1", "nft list table inet podwright_firewall") == before
    assert time.monotonic() - began < 60
    # Only the plan is another one now; the firewall is as it should be.
    file.write_text(declaration)
    assert changed(cloud.podwright("deploy", "--stage", "firewalls", expect=2)) == set()


def test_firewall_without_power_comes_back_with_its_rules_first(cloud: Cloud):
    with _at_host(cloud, "east-zsw1", "vlan40", f"src {PROVIDER} and {SYN}") as heard:
        labs.kill(cloud.lab.name, "east-fw1")
        knocks = _knocking(cloud)
        try:
            labs.power_on(cloud.lab.name, "east-fw1")
            deadline = time.monotonic() + 60
            while "198.51.100.1/" not in cloud.lab.ssh("east-fw1", "ip -brief address"):
                assert time.monotonic() < deadline, "the firewall does not take its address"
                time.sleep(0.5)
            time.sleep(2)
        finally:
            knocks.terminate()
            knocks.wait()
    assert {_destination(line) for line in heard()} == {"203.0.113.11.80"}
    show = "systemctl show --value --property=ActiveEnterTimestampMonotonic podwright-zone-firewall systemd-networkd"
    rules, network = map(int, cloud.lab.ssh("east-fw1", show).split())
    assert 0 < rules < network
    assert changed(cloud.podwright("deploy", "--stage", "firewalls", expect=0)) == set()


def _knocking(cloud: Cloud) -> subprocess.Popen[bytes]:
    """Ask outside, many times a second, for a port that is open and for one that is not."""
    asked = _send([[PROVIDER, "203.0.113.11", 80], [PROVIDER, "203.0.113.11", 22]])
    loop = f"while :; do {asked} 2>/dev/null; done"
    argv = ["ip", "netns", "exec", "outside", "sh", "-c", loop]
    return subprocess.Popen(world.inside(cloud.lab.first_process, ["setpriv", "--pdeathsig", "KILL", *argv]))


def _playbook(cloud: Cloud, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    there = ["env", f"--chdir={ROOT}", f"ANSIBLE_CONFIG={ROOT}/ansible.cfg"]
    file = str(cloud.inventory / "cloud.yml")
    return cloud.lab.run(*there, program, "-i", file, f"podwright.cloud.{name}", *options, check=False)


def _keys(cloud: Cloud) -> list[str]:
    return [path.read_text().strip() for path in (cloud.lab.directory / "state/vpn-keys").iterdir()]


def _await_vpn(cloud: Cloud) -> None:
    deadline = time.monotonic() + 60
    while cloud.lab.ssh("east-fw1", "swanctl --list-sas", check=False).count("INSTALLED") < 2:
        assert time.monotonic() < deadline, "the VPN does not come up"
        time.sleep(0.5)


def _send(sent: list[list[str | int]]) -> str:
    """The shell command that sends segments, on whatever host."""
    return shlex.join(["python3", "-c", SEND, json.dumps(sent)])


def _from_outside(cloud: Cloud, sent: list[list[str | int]]) -> None:
    cloud.lab.outside(sys.executable, segments.__file__, json.dumps(sent))


@contextmanager
def _at_host(cloud: Cloud, host: str, interface: str, what: str, direction: str = "in") -> Iterator[Listener]:
    """Listen on an interface of a host; afterwards what was heard, a line each."""
    with _listening(cloud, ["ip", "netns", "exec", host], interface, what, direction) as heard:
        yield heard


@contextmanager
def _frames_at(cloud: Cloud, host: str, interface: str, what: str) -> Iterator[Listener]:
    """Listen to what comes and goes on an interface of a host; the lines tell MAC addresses, too."""
    with _listening(cloud, ["ip", "netns", "exec", host], interface, what, "inout", "-e") as heard:
        yield heard


@contextmanager
def _at_provider(cloud: Cloud, what: str, direction: str = "in") -> Iterator[Listener]:
    """Listen where east's provider is."""
    with _listening(cloud, ["ip", "netns", "exec", "outside"], "eth0", what, direction) as heard:
        yield heard


@contextmanager
def _listening(
    cloud: Cloud, there: list[str], interface: str, what: str, direction: str = "in", *options: str
) -> Iterator[Listener]:
    image = f"{world.disks(cloud.lab.name)}/.image"
    # As root, for one that changes its user outlives us: prctl(2), PR_SET_PDEATHSIG.
    tcpdump = ["tcpdump", "-Z", "root", "-n", "-l", "-i", interface, "-Q", direction, *options, what]
    argv = ["setpriv", "--pdeathsig", "KILL", *there, "chroot", image, *tcpdump]
    heard: list[str] = []
    # A pipe that nobody reads meanwhile would be full after some hundred lines.
    with (
        tempfile.TemporaryFile("w+") as lines,
        subprocess.Popen(
            world.inside(cloud.lab.first_process, argv), stdout=lines, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        try:
            said = ""
            while "listening on" not in said:
                said = process.stderr.readline()
                assert said, f"tcpdump does not listen on {interface}"
            yield lambda: heard
            time.sleep(0.5)
        finally:
            process.terminate()
            process.communicate()
            lines.seek(0)
            heard += lines.read().splitlines()


def _source(line: str) -> str:
    return line.partition(" IP ")[2].split()[0]


def _destination(line: str) -> str:
    return line.partition(" > ")[2].split(":")[0]
