"""A lab's life: up, down, and the power of its hosts between."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import TypeAdapter

from podwright.errors import LabError
from podwright.images.debian import Report
from podwright.lab import cabling, image, keys, outside, power, requirements, world
from podwright.lab.topology import Host, Topology, derive
from podwright.lab.world import directory
from podwright.model import load
from podwright.model.cloud import Cloud
from podwright.model.views import reached_at

_BOOT_TIMEOUT_S = 90
_START_TIMEOUT_S = 5

# A host needs about ten (inotify(7)), and all labs of this machine share what root may have.
_INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_INSTANCES_WANTED = 8192
_TOPOLOGY = TypeAdapter(Topology)


def up(cloud_file: Path, name: str, report: Report) -> None:
    """Build what is missing and start what is not running, until every host of the cloud answers ssh.

    Raises:
        LabError: The machine cannot hold the lab, a host does not answer, or the lab is up for another cloud.
    """
    requirements.check()
    began = time.monotonic()

    def step(what: str) -> None:
        report(f"{time.monotonic() - began:7.1f} s  lab {name}: {what}")

    _allow_many_hosts(step)
    root, images = image.build(report)
    with _alone(name) as lock:
        (directory(name) / "consoles").mkdir(exist_ok=True)
        (directory(name) / "state").mkdir(exist_ok=True)
        _link_images(name, images)
        ssh = directory(name) / "ssh"
        keys.make_administrator(ssh)
        cloud = load(cloud_file, os.environ | {"PODWRIGHT_LAB": str(directory(name))})
        topology = derive(cloud)
        keys.make_known(ssh, topology, {images["routing-appliance.host_key.pub"]: _appliances(cloud)})
        process = _whole_world(name, topology, root)
        step(f"{len(topology.cables)} cables are laid")
        for host in topology.hosts:
            power.on(name, process, topology, host, lock)
        step(f"{len(topology.hosts)} hosts have power")
        for host, complaint in _answers(name, process, topology.hosts):
            step(f"{host.name} answers at {host.reached_at}{complaint}")


def down(name: str) -> None:
    """End the lab and leave nothing of it, whatever state it is in."""
    with _alone(name):
        world.stop(name)
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(directory(name))], check=True)


def status(name: str) -> list[dict[str, str]]:
    """One row for each host of the lab; none when the lab is down."""
    process = world.first_process(name)
    if process is None or not _record(name, process).exists():
        return []
    return [
        {
            "host": host.name,
            "kind": host.kind.replace("_", " "),
            "address": str(host.reached_at),
            "power": "on" if power.is_on(name, process, host) else "off",
        }
        for host in _recorded(name, process).hosts
    ]


def enter(name: str, argv: Sequence[str]) -> int:
    """Run a command where the lab's hosts can be reached, in the working directory; its exit status.

    Raises:
        LabError: The lab is not up.
    """
    stay = ["env", f"--chdir={Path.cwd()}"]
    command = world.inside(_process(name), [*stay, *argv])
    return subprocess.run(command, env=os.environ | {"PODWRIGHT_LAB": str(directory(name))}).returncode


def power_on(name: str, host: str) -> None:
    """Boot a host with the disk it had, and wait until it answers ssh."""
    with _host(name, host) as (process, topology, found, lock):
        power.on(name, process, topology, found, lock)
        list(_answers(name, process, [found]))


def power_off(name: str, host: str) -> None:
    """Shut a host down in good order; its cables stay where they are and lose carrier."""
    with _host(name, host) as (process, topology, found, _):
        power.off(name, process, topology, found)


def kill(name: str, host: str) -> None:
    """Take the power from a host at once."""
    with _host(name, host) as (process, topology, found, _):
        power.kill(name, process, topology, found)


@contextmanager
def _host(name: str, host: str) -> Iterator[tuple[int, Topology, Host, int]]:
    """(the world's first process, the lab's topology, the host of that name, the lock that makes the lab ours)."""
    _process(name)  # before the lock, which would make the directory of a lab that is not there
    with _alone(name) as lock:
        process = _process(name)
        topology = _recorded(name, process)
        yield process, topology, topology.host(host), lock


@contextmanager
def _alone(name: str) -> Iterator[int]:
    """Let one command at a time change a lab; the lock is the lab's directory and goes with it.

    Gives its descriptor, to be handed to what must have ended before the next command begins, even if we are killed.
    """
    while True:
        directory(name).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory(name), os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(directory(name), descriptor):
                os.set_inheritable(descriptor, True)
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _process(name: str) -> int:
    """The first process of a lab that is up.

    Raises:
        LabError: It is not up, or was cut short while it came up.
    """
    process = world.first_process(name)
    if process is None or not _record(name, process).exists():
        raise LabError(f"lab {name} is not up; start it with: podwright lab up --name {name}")
    return process


def _record(name: str, process: int) -> Path:
    """The file that says what the world was made for; written last, it ends with the world."""
    return world.seen(process, world.disks(name) / ".topology.json")


def _recorded(name: str, process: int) -> Topology:
    return _TOPOLOGY.validate_json(_record(name, process).read_bytes())


def _allow_many_hosts(step: Report) -> None:
    """Raise the one limit of the machine that hosts run into; it stays raised until the machine restarts."""
    if int(_INOTIFY_INSTANCES.read_text()) < _INOTIFY_INSTANCES_WANTED:
        _INOTIFY_INSTANCES.write_text(str(_INOTIFY_INSTANCES_WANTED))
        step(f"{_INOTIFY_INSTANCES} is now {_INOTIFY_INSTANCES_WANTED}")


def _link_images(name: str, images: Mapping[str, Path]) -> None:
    links = directory(name) / "images"
    links.mkdir(exist_ok=True)
    for link, target in images.items():
        (links / link).unlink(missing_ok=True)
        (links / link).symlink_to(target)


def _whole_world(name: str, topology: Topology, root: Path) -> int:
    """The world with all its networks; one that was cut short while it was made is made anew.

    Raises:
        LabError: It stands for another cloud.
    """
    process = world.first_process(name)
    if process is not None and _record(name, process).exists():
        if _recorded(name, process) != topology:
            raise LabError(
                f"lab {name} is up for a cloud with other hosts or cables;"
                f" end it first: podwright lab down --name {name}"
            )
        return process
    world.stop(name)
    process = world.start(name)
    image = f"{world.disks(name)}/.image"
    bind = [f"mkdir {image}", f"mount --bind {shlex.quote(str(root))} {image}"]
    world.run(process, [*bind, *cabling.lay(topology)])
    _start_outside(name, process)
    unfinished = _record(name, process).with_suffix(".unfinished")
    unfinished.write_bytes(_TOPOLOGY.dump_json(topology))
    unfinished.rename(_record(name, process))
    return process


def _start_outside(name: str, process: int) -> None:
    server = ["setsid", "--fork", "nsenter", f"--net=/run/netns/{cabling.OUTSIDE}", sys.executable, outside.__file__]
    with (directory(name) / "consoles" / "outside.log").open("w") as log:
        argv = world.inside(process, server)
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _appliances(cloud: Cloud) -> list[IPv4Address]:
    """Every address that a routing appliance may be reached at."""
    return [
        reached_at(zone, IPv4Address(number))
        for zone in cloud.zones.values()
        for pod in zone.pods.values()
        if (leases := pod.networks.management.lease_range)
        for number in range(int(leases.first), int(leases.last) + 1)
    ]


def _answers(name: str, process: int, hosts: Sequence[Host]) -> Iterator[tuple[Host, str]]:
    """Each host as soon as it has booted and answers ssh, with what it complains of.

    Raises:
        LabError: One has not within 90 s.
    """
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        pending = {pool.submit(_complaint, name, process, host): host for host in hosts}
        for answer in as_completed(pending):
            yield pending[answer], answer.result()


def _complaint(name: str, process: int, host: Host) -> str:
    ssh = ["ssh", "-F", f"{directory(name)}/ssh/config", "-o", "ConnectTimeout=5", host.name]
    question = "systemctl is-system-running --wait; systemctl list-units --failed --plain --no-legend"
    began = time.monotonic()
    while True:
        done = subprocess.run(world.inside(process, [*ssh, question]), capture_output=True, text=True)
        if done.returncode == 0:
            state, *failed = done.stdout.splitlines()
            return "" if state == "running" else f", {state}: {', '.join(line.split()[0] for line in failed)} failed"
        waited = time.monotonic() - began
        if waited > _BOOT_TIMEOUT_S:
            error = f"did not answer ssh within {_BOOT_TIMEOUT_S} s: {done.stderr.strip()}"
            raise LabError(f"{host.name} {error}\n{_console_end(name, host)}")
        if waited > _START_TIMEOUT_S and not power.is_on(name, process, host):
            raise LabError(f"{host.name} stopped while it booted\n{_console_end(name, host)}")
        time.sleep(0.2)


def _console_end(name: str, host: Host) -> str:
    console = power.console(name, host)
    return "\n".join([f"The end of {console}:", *console.read_text(errors="replace").splitlines()[-10:]])
