"""Labs come up, stand apart, lose power, crash and go without a trace."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright import lab as labs
from podwright.errors import LabError
from podwright.lab import world
from podwright.model import load
from podwright.model.views import devices
from tests.lab.lab import CLOUD, ROOT, Lab


@pytest.fixture
def spare_lab() -> Iterator[Lab]:
    """The name of a second lab, beside the shared one, that a test may start and break."""
    spare = Lab(f"test-{os.getpid()}-spare")
    yield spare
    spare.down()


@pytest.fixture
def other_lab(spare_lab: Lab) -> Lab:
    """A second lab that is up."""
    spare_lab.up()
    return spare_lab


def declared_devices(lab: Lab) -> set[str]:
    cloud = load(CLOUD, {"PODWRIGHT_LAB": str(lab.directory)})
    return {device.name for device in devices(cloud)}


def test_every_declared_device_answers_ssh_and_runs_without_a_failed_unit(lab: Lab) -> None:
    for host in declared_devices(lab):
        assert lab.ssh(host, "hostname; systemctl is-system-running --wait").split() == [host, "running"]


def test_status_lists_every_host(lab: Lab) -> None:
    assert {row["host"] for row in labs.status(lab.name) if row["power"] == "on"} == declared_devices(lab)


def test_hosts_are_separate_machines(lab: Lab) -> None:
    ids = [lab.ssh(host, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub") for host in declared_devices(lab)]
    assert len(set(ids)) == len(ids)
    lab.ssh("east-p1-hv1", "touch /root/mine")
    assert lab.ssh("east-p1-hv2", "ls /root") == ""


def test_a_cable_joins_the_two_ports_that_were_declared(lab: Lab) -> None:
    lab.ssh("east-zsw1", "ip address add 192.0.2.1/30 dev swp1")
    lab.ssh("east-p1-sw1", "ip address add 192.0.2.2/30 dev swp1")
    assert ", 0% packet loss" in lab.ssh("east-p1-sw1", "ping -c 2 -i 0.2 -w 5 192.0.2.1")
    lab.ssh("east-zsw1", "ip address delete 192.0.2.1/30 dev swp1")
    lab.ssh("east-p1-sw1", "ip address delete 192.0.2.2/30 dev swp1")


def test_outside_tells_who_asks(lab: Lab) -> None:
    lab.ssh("east-zsw1", "ip address add 198.51.100.9/24 dev swp3")
    assert lab.ssh("east-zsw1", "curl --silent --max-time 5 http://198.51.100.254/") == "198.51.100.9\n"
    lab.ssh("east-zsw1", "ip address delete 198.51.100.9/24 dev swp3")


def test_no_packet_for_the_lab_leaves_it(lab: Lab) -> None:
    """The controller has no way but to the management networks."""
    routes = lab.run("ip", "route", "show").stdout.splitlines()
    assert sorted(route.split()[0] for route in routes) == ["192.168.0.0/24", "192.168.1.0/24", "192.168.2.0/24"]


def test_up_again_leaves_the_hosts_as_they_are(lab: Lab) -> None:
    boots = lab.ssh("east-p1-hv1", "cat /proc/1/stat")
    lab.up()
    assert lab.ssh("east-p1-hv1", "cat /proc/1/stat").split()[21] == boots.split()[21]


def test_a_host_without_power_takes_its_peers_carrier_and_keeps_its_disk(lab: Lab) -> None:
    lab.ssh("east-p1-sw2", "touch /root/kept; sync")
    labs.power_off(lab.name, "east-p1-sw2")
    assert lab.ssh("east-zsw1", "cat /sys/class/net/swp2/carrier") == "0\n"
    labs.power_on(lab.name, "east-p1-sw2")
    assert lab.ssh("east-zsw1", "cat /sys/class/net/swp2/carrier") == "1\n"
    assert lab.ssh("east-p1-sw2", "ls /root") == "kept\n"


def test_a_killed_host_comes_back(lab: Lab) -> None:
    labs.kill(lab.name, "east-p1-hv2")
    assert {row["host"] for row in labs.status(lab.name) if row["power"] == "off"} == {"east-p1-hv2"}
    labs.power_on(lab.name, "east-p1-hv2")
    state = "systemctl is-system-running --wait || systemctl list-units --failed --plain --no-legend"
    assert lab.ssh("east-p1-hv2", state) == "running\n"


def test_a_host_that_reboots_comes_back(lab: Lab) -> None:
    before = lab.ssh("east-p1-nfs1", "cat /proc/1/stat").split()[21]
    lab.ssh("east-p1-nfs1", "touch /root/kept; systemctl reboot", check=False)
    retry = ("-o", "ConnectionAttempts=30", "-o", "ConnectTimeout=1")
    while True:
        argv = ("ssh", "-F", f"{lab.directory}/ssh/config", *retry, "east-p1-nfs1", "cat /proc/1/stat; ls /root")
        done = lab.run(*argv, check=False).stdout.split()
        if len(done) > 21 and done[21] != before:
            break
    assert done[-1] == "kept"


def test_an_unknown_host_is_named_with_those_there_are(lab: Lab) -> None:
    with pytest.raises(LabError, match="nobody: no host of this lab; it has east-p1-hv1, "):
        labs.power_off(lab.name, "nobody")


def test_labs_stand_side_by_side_and_go_without_a_trace(lab: Lab, other_lab: Lab) -> None:
    here = machine()
    lab.ssh("east-p1-hv1", "touch /root/first")
    assert "first" not in other_lab.ssh("east-p1-hv1", "ls /root")
    processes = descendants(other_lab.first_process)
    assert len(processes) > 7 * 5
    assert cgroups(other_lab)
    other_lab.down()
    assert not {process for process in processes if started(process[0]) == process[1]}
    assert not cgroups(other_lab)
    assert not other_lab.directory.exists()
    assert machine() == here
    assert lab.ssh("east-p1-hv1", "ls /root/first") == "/root/first\n"


def test_after_a_crash_down_cleans_and_up_starts_anew(other_lab: Lab) -> None:
    processes = descendants(other_lab.first_process)
    world.end(other_lab.first_process)
    assert labs.status(other_lab.name) == []
    with pytest.raises(LabError, match=f"lab {other_lab.name} is not up; start it with: podwright lab up --name"):
        labs.enter(other_lab.name, ["true"])
    other_lab.down()
    assert not {process for process in processes if started(process[0]) == process[1]}
    assert not cgroups(other_lab)
    other_lab.up()
    assert other_lab.ssh("east-p1-hv1", "hostname") == "east-p1-hv1\n"


def test_up_alone_recovers_from_a_crash(other_lab: Lab) -> None:
    other_lab.ssh("east-p1-hv1", "touch /root/lost")
    world.end(other_lab.first_process)
    other_lab.up()
    assert other_lab.ssh("east-p1-hv1", "ls /root") == ""


@pytest.mark.parametrize("delay_s", [0.1, 0.5, 1.0])
def test_up_that_was_killed_is_finished_by_the_next(spare_lab: Lab, delay_s: float) -> None:
    argv = [str(Path(sys.executable).with_name("podwright")), "lab", "up", "--name", spare_lab.name]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, cwd=ROOT, text=True) as first:
        assert first.stderr is not None
        while "cables are laid" not in first.stderr.readline():
            assert first.poll() is None
        time.sleep(delay_s)
        first.kill()
    spare_lab.up()
    assert {row["host"] for row in labs.status(spare_lab.name) if row["power"] == "on"} == declared_devices(spare_lab)


def machine() -> tuple[str, str, str]:
    """The machine's own mounts, interfaces and network namespaces; a lab has none of them."""
    mounts = Path("/proc/self/mounts").read_text()
    links, namespaces = (
        subprocess.run(command.split(), check=True, capture_output=True, text=True).stdout
        for command in ("ip -brief link show", "ip netns list")
    )
    return mounts, links, namespaces


def cgroups(lab: Lab) -> list[str]:
    """The cgroups of a lab in the kernel's tree."""
    script = 'mount -t cgroup2 cgroup2 /mnt && find /mnt -path "/mnt/$1*" -type d'
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", f"podwright-{lab.name}"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    return done.stdout.split()


def descendants(process: int) -> set[tuple[int, str]]:
    """(process id, start time) of `process` and all that came of it."""
    found = {(process, started(process))}
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            found |= descendants(int(child))
    return found


def started(process: int) -> str:
    """When a process began, in ticks since boot (proc(5), field 22 of stat); empty when it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return ""
