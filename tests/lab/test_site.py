"""The story of a cloud, in this order: predicted, deployed, proved, damaged, grown under fire, shrunk, restarted.

Every chapter starts where the one before left the lab.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from podwright import lab as labs
from podwright.lab import world
from tests.lab.cloud import INITECH, Cloud, changed, declared
from tests.lab.lab import ROOT, Lab

DEVICES = {
    "east-zsw1",
    "east-zsw2",
    "east-p1-sw1",
    "east-p1-sw2",
    "east-p1-nfs1",
    "east-p1-hv1",
    "east-p1-hv2",
    "east-p2-sw1",
    "east-p2-sw2",
    "east-p2-nfs1",
    "east-p2-hv1",
}

HYPERVISORS = ("east-p1-hv1", "east-p1-hv2", "east-p2-hv1")

# The play of site.yml in whose middle a run is killed, and the task that is the middle.
MIDDLES = {
    "Plan": "Validate, allocate, plan",
    "Pod switches": "Bring the switch to its desired state",
    "Zone switches": "Bring the network to its desired state",
    "Storage servers": "Bring primary storage to its desired state",
    "Hypervisors": "Bring the network to its desired state",
    "Virtual machines of the routing appliances": "Start new machines",
    "Routing appliances": "Bring the routing appliance to its desired state",
    "Machines": "Start new machines",
}

ACTIVE_UPLINK = "ovs-appctl bond/show bond0 | sed -n 's/^active member mac:.*(\\(.*\\))/\\1/p'"

DELETE_VLAN = """
import sys
from ncclient import manager
host, key, vlan = sys.argv[1:]
base, instances = "urn:ietf:params:xml:ns:netconf:base:1.0", "http://openconfig.net/yang/network-instance"
edit = (
    f'<config xmlns="{base}"><network-instances xmlns="{instances}"><network-instance><name>default</name><vlans>'
    f'<vlan xmlns:nc="{base}" nc:operation="delete"><vlan-id>{vlan}</vlan-id></vlan>'
    '</vlans></network-instance></network-instances></config>'
)
login = dict(username="root", key_filename=key, hostkey_verify=False, allow_agent=False, look_for_keys=False)
with manager.connect(host=host, port=830, **login) as session:
    session.edit_config(target="candidate", config=edit)
    session.commit()
"""


@pytest.fixture(scope="module")
def cloud(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return declared(lab, tmp_path_factory.mktemp("inventory"))


def test_check_predicts_the_first_run(cloud: Cloud):
    predicted = cloud.podwright("deploy", "--check", "--diff", expect=2)
    assert not (cloud.lab.directory / "state/leases.db").exists()
    done = cloud.podwright("deploy", "--diff", expect=2)
    assert changed(predicted) == changed(done) == DEVICES | {"acme-east-router", "globex-east-router"}
    assert _by_task(predicted) == _by_task(done)


def _by_task(report: dict[str, Any]) -> set[tuple[str, str]]:
    """(host, task) of every difference; appliances differ in words: check mode cannot look into a machine to come."""
    return {(d["host"], d["task"]) for d in report["differences"]}


def test_second_run_changes_nothing(cloud: Cloud):
    report = cloud.podwright("deploy", "--diff", expect=0)
    assert report["differences"] == []
    assert set(report["hosts"]) >= DEVICES


@pytest.mark.parametrize("stage", ["plan", "network", "storage", "hypervisors", "appliances", "machines"])
def test_stage_runs_alone(cloud: Cloud, stage: str):
    report = cloud.podwright("deploy", "--stage", stage, "--check", "--diff", expect=0)
    assert report["differences"] == []
    limited = cloud.podwright("deploy", "--stage", stage, "--limit", "pod_east_p1", expect=0)
    in_pod = {device for device in DEVICES if device.startswith("east-p1-")}
    assert set(limited["hosts"]) <= in_pod | {"acme-east-router", "globex-east-router"}


def test_packets_prove_it(cloud: Cloud):
    findings = cloud.podwright("verify", expect=0)["findings"]
    assert len({finding["topic"] for finding in findings}) == 7
    assert all(finding["holds"] for finding in findings)


def test_configurations_that_devices_run_with_prove_it(cloud: Cloud, tmp_path: Path):
    """Then a machine's NIC is put into another account's network by hand, which no rendered configuration says."""
    collected = tmp_path / "collected"
    proving = ("prove", "--configurations", str(collected))
    report = cloud.podwright("collect", "--to", str(collected), expect=0)
    assert {*report["states"]["collected"]} == DEVICES | {"acme-east-router", "globex-east-router"}
    proof = cloud.podwright(*proving, expect=0)
    assert (proof["devices"], proof["findings"]) == (len(DEVICES) + 2, [])

    hypervisor = next(h for h in HYPERVISORS if "acme-web1" in cloud.domains(h))
    nic = cloud.lab.ssh(hypervisor, "virsh domiflist acme-web1 | awk '/guest101/ {print $1}'").strip()
    cloud.lab.ssh(hypervisor, f"ovs-vsctl set port {nic} tag=103")
    try:
        cloud.podwright("collect", "--to", str(collected), "--limit", hypervisor, expect=0)
    finally:
        cloud.lab.ssh(hypervisor, f"ovs-vsctl set port {nic} tag=101")
    (shared, *_) = cloud.podwright(*proving, expect=2)["findings"]
    assert shared["statement"] == "account acme/default and account globex/default share a segment"
    assert f"{hypervisor} {nic}" in shared["path"]


def test_outside_sees_the_account_and_not_the_machine(cloud: Cloud):
    """The provider's own log of who called, beside what verify counted on our ports."""
    for account, public in (("acme", "203.0.113.11"), ("globex", "203.0.113.12")):
        hypervisor = next(h for h in HYPERVISORS if f"{account}-web1" in cloud.domains(h))
        answer = cloud.in_machine(hypervisor, f"{account}-web1", "wget", "-q", "-O", "-", "http://198.51.100.254/")
        assert answer.strip() == public


def test_a_guest_network_is_one_in_both_pods(cloud: Cloud):
    """Each pod has a VLAN id of its own for it, every frame comes once, and none is too large for a tunnel."""
    vlans = {(pool, scope): value for pool, scope, holder, _, value in cloud.leases() if holder == "acme/default"}
    assert {("guest_vlan", "east/p1"), ("guest_vlan", "east/p2"), ("vni", "east")} <= vlans.keys()
    hypervisor = next(h for h in HYPERVISORS if "acme-web1" in cloud.domains(h))
    mtu = cloud.in_machine(hypervisor, "acme-web1", "cat", "/sys/class/net/eth0/mtu").strip()
    assert mtu == "1450"
    payload = str(int(mtu) - 28)  # less the headers of IPv4 and ICMP
    told = cloud.in_machine(hypervisor, "acme-web1", "ping", "-c", "10", "-i", "0.2", "-s", payload, "db1")
    assert "10 packets transmitted, 10 packets received, 0% packet loss" in told


def test_machine_writes_to_primary_storage(cloud: Cloud):
    assert _boots(cloud, "acme-web1") == 1


def test_limit_visits_that_host_alone(cloud: Cloud):
    report = cloud.podwright("deploy", "--limit", "east-p1-hv2", expect=0)
    assert set(report["hosts"]) == {"east-p1-hv2"}


def test_a_network_and_its_nics_go_and_come_back_while_machines_run(cloud: Cloud):
    """The chapters after this one see the network by packets, and that a run changes nothing."""
    declared = (cloud.inventory / "cloud.yml").read_text()
    less = re.sub(r" +inner: .*\n", "", declared).replace("[default, inner]", "[default]")
    held, boots = cloud.leases(), _boots(cloud, "acme-web1")
    (cloud.inventory / "cloud.yml").write_text(less)
    try:
        assert cloud.podwright("deploy", expect=2)["restart_needed"] == {}
    finally:
        (cloud.inventory / "cloud.yml").write_text(declared)
    given_up = cloud.leases("quarantine")
    assert {lease[0] for lease in given_up} == {"guest_address", "guest_vlan", "mac", "vni"}
    assert all("guest102" not in cloud.bridges(host) for host in HYPERVISORS)
    hypervisor = next(h for h in HYPERVISORS if "acme-web1" in cloud.domains(h))
    assert "eth1" not in cloud.in_machine(hypervisor, "acme-web1", "ip", "link")
    assert cloud.podwright("deploy", expect=2)["restart_needed"] == {}
    assert cloud.leases() == held
    assert _boots(cloud, "acme-web1") == boots
    routes = cloud.in_machine(hypervisor, "acme-web1", "ip", "route").splitlines()
    assert [line.strip() for line in routes if line.startswith("default")] == ["default via 10.1.1.1 dev eth0"]


def test_bridge_and_vlan_deleted_by_hand_come_back(cloud: Cloud):
    key = f"{cloud.lab.directory}/ssh/id_ed25519"
    ports = cloud.lab.ssh("east-p1-hv1", "ovs-vsctl list-ports guest101")
    cloud.lab.ssh("east-p1-hv1", "ovs-vsctl del-br guest101")
    cloud.lab.run(sys.executable, "-c", DELETE_VLAN, "192.168.1.11", key, "103")
    drift = cloud.podwright("deploy", "--check", expect=2)
    assert changed(drift) == {"east-p1-hv1", "east-p1-sw1"}
    repaired = cloud.podwright("deploy", expect=2)
    assert changed(repaired) == {"east-p1-hv1", "east-p1-sw1"}
    assert cloud.lab.ssh("east-p1-hv1", "ovs-vsctl list-ports guest101") == ports
    cloud.podwright("verify", expect=0)


def test_run_killed_in_every_stage_converges(cloud: Cloud):
    before = cloud.leases()
    cloud.declare("initech", INITECH)
    for play, task in MIDDLES.items():
        _kill_in(cloud, play, task)
    # What a module had begun on a host, it may have ended there after the controller was gone.
    cloud.podwright("deploy", expect={0, 2})
    cloud.podwright("deploy", expect=0)
    assert cloud.leases() > before
    values = [(pool, scope, value) for pool, scope, _, _, value in cloud.leases()]
    assert len(values) == len(set(values))
    findings = cloud.podwright("verify", expect=0)["findings"]
    assert "initech-web1" in {finding["subject"] for finding in findings}


def test_removed_account_leaves_its_disks_and_nothing_else(cloud: Cloud):
    held = cloud.leases()
    cloud.declare("initech", None)
    report = cloud.podwright("deploy", expect=2)
    assert changed(report) <= {"east-p1-sw1", "east-p1-sw2", "east-p1-hv1", "east-p1-hv2"}
    assert _traces(cloud, "initech", "guest104") == set()
    assert cloud.leases("quarantine") == {lease for lease in held if "initech" in lease[1] + lease[2]}
    disks = ["initech-east-router.raw", "initech-web1.raw"]
    assert report["left_behind"] == {"east-p1-nfs1": disks}
    assert cloud.podwright("deploy", expect=0)["left_behind"] == {"east-p1-nfs1": disks}
    assert cloud.volumes("releasing") == {(disk.removesuffix(".raw"), "east-p1-nfs1") for disk in disks}
    confirmed = cloud.podwright("deploy", "--confirm-removal", expect=2)
    assert cloud.volumes("releasing") == set()
    assert changed(confirmed) == {"east-p1-nfs1"}
    assert confirmed["left_behind"] == {}
    assert "initech" not in cloud.lab.ssh("east-p1-nfs1", "ls /srv/primary")


def test_disks_go_after_their_machines_in_one_run(cloud: Cloud):
    cloud.declare("initech", INITECH)
    cloud.podwright("deploy", expect=2)
    cloud.declare("initech", None)
    cloud.podwright("deploy", "--confirm-removal", expect=2)
    assert _traces(cloud, "initech", "guest104") == set()
    assert "initech" not in cloud.lab.ssh("east-p1-nfs1", "ls /srv/primary")
    cloud.podwright("deploy", expect=0)


def _traces(cloud: Cloud, account: str, bridge: str) -> set[str]:
    """What hypervisors still have of an account."""
    domains = {name for host in HYPERVISORS for name in cloud.domains(host) if name.startswith(f"{account}-")}
    return domains | {bridge for host in HYPERVISORS if bridge in cloud.bridges(host)}


def test_exhausted_vlan_pool_touches_no_device(cloud: Cloud):
    declared = (cloud.inventory / "cloud.yml").read_text()
    (cloud.inventory / "cloud.yml").write_text(declared.replace('["101-199"]', '["101-103"]'))
    cloud.declare("initech", INITECH)
    try:
        report = cloud.podwright("deploy", expect=4)
    finally:
        (cloud.inventory / "cloud.yml").write_text(declared)
        cloud.declare("initech", None)
    assert changed(report) == set()
    message = report["failures"][0]["message"]
    for word in ("initech", "east", "p1", "zones.east.pods.p1.guest_vlans"):
        assert word in message


def test_management_is_out_of_reach_from_outside(cloud: Cloud):
    """The provider has a route to it, and no answer; the same road leads to a public address."""
    cloud.lab.outside("ip", "route", "replace", "192.168.1.0/24", "via", "198.51.100.1")
    try:
        answers = {address: _pings(cloud, address, 3) for address in ("203.0.113.11", "192.168.1.31", "192.168.1.2")}
    finally:
        cloud.lab.outside("ip", "route", "delete", "192.168.1.0/24")
    assert answers == {"203.0.113.11": 3, "192.168.1.31": 0, "192.168.1.2": 0}


@pytest.mark.parametrize("device", ["pod switch", "zone switch"])
def test_traffic_survives_a_switch(cloud: Cloud, device: str, capsys: pytest.CaptureFixture[str]):
    """What machines lose, in their pod, to the other one and to the outside, when a switch that they use dies."""
    pod_switch = f"east-p1-sw{cloud.lab.ssh('east-p1-hv1', ACTIVE_UPLINK).strip().removeprefix('eth')}"
    zone_switch = next(h for h in ("east-zsw1", "east-zsw2") if "198.51.100.1/" in cloud.lab.ssh(h, "ip -br address"))
    dies = {"pod switch": pod_switch, "zone switch": zone_switch}[device]
    here = {name: host for host in HYPERVISORS for name in cloud.domains(host)}
    ways = [("acme-web1", "web2"), ("acme-web1", "db1"), ("globex-web2", "db1"), ("acme-web2", "198.51.100.254")]
    with ThreadPoolExecutor() as pool:
        streams = {way: pool.submit(_silence_s, cloud, here[way[0]], *way) for way in ways}
        time.sleep(4)
        labs.kill(cloud.lab.name, dies)
        try:
            lost_s = {way: stream.result() for way, stream in streams.items()}
        finally:
            labs.power_on(cloud.lab.name, dies)
    told = ", ".join(f"{machine} to {to} {seconds:.2f} s" for (machine, to), seconds in lost_s.items())
    with capsys.disabled():
        sys.stderr.write(f"\n{dies} dies: {told}\n")
    # Most often a quarter to three quarters of a second; a machine that runs this and the lab may be late itself.
    assert max(lost_s.values()) < 2, told
    cloud.podwright("deploy", expect=0)


def test_zone_switch_stands_in_as_soon_as_it_is_back(cloud: Cloud, capsys: pytest.CaptureFixture[str]):
    """The other one dies when it has just booted, and waits before it takes part (VRRP)."""
    back, dies = sorted(device for device in DEVICES if "zsw" in device)
    labs.kill(cloud.lab.name, back)
    labs.power_on(cloud.lab.name, back)
    count = 250
    with ThreadPoolExecutor() as pool:
        answered = pool.submit(_pings, cloud, "203.0.113.11", count)
        labs.kill(cloud.lab.name, dies)
        try:
            lost_s = (count - answered.result()) / 10
        finally:
            labs.power_on(cloud.lab.name, dies)
    with capsys.disabled():
        sys.stderr.write(f"\n{dies} dies when {back} has just booted: a public address is silent for {lost_s:.1f} s\n")
    # Five seconds before keepalived starts, and what is left of the boot; minutes, were keepalived to wait by itself.
    assert lost_s < 15
    cloud.podwright("deploy", expect=0)


def _silence_s(cloud: Cloud, hypervisor: str, machine: str, address: str) -> float:
    """How long none of a machine's echo requests was answered, of 15 s of them."""
    count, interval_s = 300, 0.05
    ping = ["ping", "-q", "-W", "1", "-i", f"{interval_s}", "-c", f"{count}", address]
    told = cloud.in_machine(hypervisor, machine, *ping)
    found = re.search(r"(\d+) packets received", told)
    assert found, told
    return (count - int(found[1])) * interval_s


def test_hypervisors_do_not_heed_what_bonds_announce(cloud: Cloud):
    """Else a machine behind a tunnel is looked for behind an uplink; the flow outlives Open vSwitch and its loss."""
    flows = "ovs-ofctl dump-flows br0 | grep -c rarp || true"
    cloud.lab.ssh("east-p1-hv1", "ovs-ofctl del-flows br0 rarp")
    assert changed(cloud.podwright("deploy", "--check", "--limit", "east-p1-hv1", expect=2)) == {"east-p1-hv1"}
    cloud.podwright("deploy", "--limit", "east-p1-hv1", expect=2)
    assert cloud.lab.ssh("east-p1-hv1", flows).strip() == "1"
    cloud.lab.ssh("east-p1-hv2", "systemctl restart openvswitch-switch")
    _await(lambda: cloud.lab.ssh("east-p1-hv2", flows).strip() == "1", "the flow of east-p1-hv2")


def _pings(cloud: Cloud, address: str, count: int) -> int:
    """How many of `count` echo requests from outside, 0.1 s apart, are answered."""
    told = cloud.lab.outside("ping", "-q", "-i", "0.1", "-W", "1", "-c", str(count), address, check=False)
    found = re.search(r"(\d+) received", told)
    assert found, told
    return int(found[1])


def test_appliance_that_was_switched_off_is_back_after_one_run(cloud: Cloud):
    hypervisor = next(h for h in HYPERVISORS if "acme-east-router" in cloud.domains(h))
    cloud.lab.ssh(hypervisor, "virsh destroy acme-east-router")
    assert changed(cloud.podwright("deploy", expect=2)) == {hypervisor}
    cloud.podwright("deploy", expect=0)


def test_power_cut_loses_nothing(cloud: Cloud):
    boots = _boots(cloud, "acme-web1")
    for host in sorted(DEVICES):
        labs.kill(cloud.lab.name, host)
    cloud.lab.up()
    _await_machines(cloud)
    report = cloud.podwright("deploy", expect=0)
    assert report["failures"] == []
    cloud.podwright("verify", expect=0)
    assert _boots(cloud, "acme-web1") == boots + 1


def test_machines_come_back_by_themselves_after_their_storage(cloud: Cloud):
    """All lose their power, and the storage servers are back when libvirt has given up."""
    boots = _boots(cloud, "acme-web1")
    for host in sorted(DEVICES):
        labs.kill(cloud.lab.name, host)
    for host in sorted(DEVICES - {"east-p1-nfs1", "east-p2-nfs1"}):
        labs.power_on(cloud.lab.name, host)
    # libvirt answers nobody before it has tried every machine once.
    assert _running(cloud) == set()
    cloud.lab.up()
    _await_machines(cloud)
    for public in ("203.0.113.11", "203.0.113.12"):
        _await(lambda public=public: _pings(cloud, public, 1) == 1, f"{public} to answer")
    assert cloud.podwright("deploy", expect=0)["failures"] == []
    cloud.podwright("verify", expect=0)
    assert _boots(cloud, "acme-web1") == boots + 1


def test_machine_that_is_switched_off_stays_off_while_another_waits(cloud: Cloud):
    """Beside those of the cloud is a machine that never starts, for it has no disk: the hypervisor goes on trying."""
    hypervisor = next(host for host in HYPERVISORS if "globex-web1" in cloud.domains(host))
    on_hypervisor = cloud.domains(hypervisor)
    copy = "virsh dumpxml --inactive globex-web1 | sed 's/globex-web1/globex-lost/; /<uuid>/d' >/root/lost.xml"
    cloud.lab.ssh(hypervisor, f"{copy}; virsh define /root/lost.xml && virsh autostart globex-lost")
    labs.kill(cloud.lab.name, hypervisor)
    labs.power_on(cloud.lab.name, hypervisor)
    lost = cloud.lab.ssh(hypervisor, "virsh domuuid globex-lost").strip()
    waiting = "cat /run/podwright/waiting-machines"
    _await(lambda: cloud.lab.ssh(hypervisor, waiting, check=False).split() == [lost], "all others to run")
    # A libvirtd that starts anew has forgotten who was switched off.
    cloud.lab.ssh(hypervisor, "virsh destroy globex-web1; systemctl restart libvirtd podwright-machine-starter")
    since = cloud.lab.ssh(hypervisor, "date '+%F %T'").strip()
    trials = f"journalctl -u libvirtd --since '{since}' | grep -c 'end of file while\\|process exited' || true"
    _await(lambda: int(cloud.lab.ssh(hypervisor, trials)) >= 3, "more trials to start the lost machine")
    assert _running(cloud) & (on_hypervisor | {"globex-lost"}) == on_hypervisor - {"globex-web1"}
    assert changed(cloud.podwright("deploy", expect=2)) == {hypervisor}
    assert _running(cloud) & (on_hypervisor | {"globex-lost"}) == on_hypervisor
    cloud.podwright("deploy", expect=0)


def _await_machines(cloud: Cloud) -> None:
    """Wait until every machine of the cloud runs."""
    defined = {name for host in HYPERVISORS for name in cloud.domains(host)}
    _await(lambda: _running(cloud) == defined, f"{defined} to run")


def _running(cloud: Cloud) -> set[str]:
    """The machines that have started; those that try to are paused."""
    listed = (cloud.lab.ssh(host, "virsh list --state-running --name") for host in HYPERVISORS)
    return {name for names in listed for name in names.split()}


def _await(condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.5)


def _boots(cloud: Cloud, domain: str) -> int:
    """How often a machine booted: it counts on its disk, which is a file on the storage server."""
    return int(cloud.lab.ssh("east-p1-nfs1", f"head -n 1 /srv/primary/{domain}.raw").split()[1])


def _kill_in(cloud: Cloud, play: str, task: str) -> None:
    """Start site.yml and kill -9 its whole process group when the task of the play has begun."""
    command = world.inside(
        cloud.lab.first_process,
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(cloud.inventory / "cloud.yml"),
            "podwright.cloud.site",
        ],
    )
    environment = os.environ | {"PODWRIGHT_LAB": str(cloud.lab.directory), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    with subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        try:
            seen = _read_until(run.stdout, play, task)
            time.sleep(0.7)  # into the task, which takes a second at least
        finally:
            os.killpg(run.pid, signal.SIGKILL)
        assert seen, f"site.yml ended before {play}: {task}"


def _read_until(lines: Iterator[str], play: str, task: str) -> bool:
    playing = False
    for line in lines:
        playing = playing or line.startswith(f"PLAY [{play}]")
        if playing and line.startswith("TASK [") and task in line:
            return True
    return False
