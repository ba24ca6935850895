"""The power button of a lab host: its disk, its boot, its end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from podwright.errors import LabError
from podwright.lab import cabling, world
from podwright.lab.topology import Host, Topology

_FILES = Path(__file__).with_name("files")
_SCRIPT = Path(__file__).with_name("host.sh")
_SHUTDOWN_TIMEOUT_S = 20
_KILL_TIMEOUT_S = 10


def is_on(name: str, process: int, host: Host) -> bool:
    """Whether anything of the host runs (cgroups(7), cgroup.events)."""
    try:
        return "populated 1" in (_cgroup(name, process, host) / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def on(name: str, process: int, topology: Topology, host: Host, lock: int = subprocess.DEVNULL) -> None:
    """Boot `host` with the disk it had; a host that is on stays as it is.

    The host keeps `lock` open until it can be seen to be on, so that nobody who waits for the lock starts it twice.
    """
    if is_on(name, process, host):
        return
    _unplug(process, topology, host)
    _make_disk(name, process, host)
    world.run(process, cabling.plug(topology, host))
    root = _root(name, host)
    argv = ["setsid", "--fork", "sh", str(_SCRIPT), str(world.cgroup(name) / host.name), host.name, str(root)]
    with console(name, host).open("a") as log:
        subprocess.run(
            world.inside(process, [*argv, *_options(name, host)]),
            check=True,
            stdin=lock,
            stdout=log,
            stderr=log,
        )


def off(name: str, process: int, topology: Topology, host: Host) -> None:
    """Shut `host` down in good order; what takes longer than 20 s loses its power."""
    try:
        (init,) = (_cgroup(name, process, host) / "payload/init.scope/cgroup.procs").read_text().split()
        os.kill(int(init), signal.SIGRTMIN + 4)  # systemd(1), SIGNALS: power off
        _wait(lambda: not is_on(name, process, host), _SHUTDOWN_TIMEOUT_S)
    except (FileNotFoundError, ProcessLookupError, ValueError):
        pass  # it has not come as far as its init
    kill(name, process, topology, host)


def kill(name: str, process: int, topology: Topology, host: Host) -> None:
    """Take the power from `host`: no process of it gets to say goodbye."""
    if is_on(name, process, host):
        (_cgroup(name, process, host) / "cgroup.kill").write_text("1")
        if not _wait(lambda: not is_on(name, process, host), _KILL_TIMEOUT_S):
            raise LabError(f"{host.name}: processes are left {_KILL_TIMEOUT_S} s after they were killed")
    _unplug(process, topology, host)


def console(name: str, host: Host) -> Path:
    """What the host has written to its console since the lab began."""
    return world.directory(name) / "consoles" / f"{host.name}.log"


def host_key(name: str, host: str) -> Path:
    """The private key that `host` answers ssh with."""
    return world.directory(name) / "ssh" / "hosts" / host


def _unplug(process: int, topology: Topology, host: Host) -> None:
    world.run(process, cabling.unplug(topology, host))


def _make_disk(name: str, process: int, host: Host) -> None:
    """Lay what makes this host over the image; once, since a disk outlives every boot."""
    disk, root = _disk(name, host), _root(name, host)
    made = disk / "made"
    if world.seen(process, made).exists():
        return
    layers = f"lowerdir={world.disks(name)}/.image,upperdir={disk}/upper,workdir={disk}/work"
    keys = world.directory(name) / "ssh"
    trees = [files for files in (_FILES / "all", _FILES / host.kind) if files.is_dir()]
    commands = [
        f"! mountpoint -q {root} || umount {root}",
        f"rm -rf {disk}",
        f"mkdir -p {disk}/upper {disk}/work {disk}/srv {root}",
        f"mount -t overlay -o {layers} overlay {root}",
        *(f"cp -R --no-dereference {shlex.quote(str(files))}/. {root}" for files in trees),
        f"printf '127.0.0.1 localhost\\n127.0.1.1 {host.name}\\n' >{root}/etc/hosts",
        f"install -m 600 {keys}/hosts/{host.name} {root}/etc/ssh/ssh_host_ed25519_key",
        f"install -m 644 {keys}/hosts/{host.name}.pub {root}/etc/ssh/ssh_host_ed25519_key.pub",
        f"install -D -m 600 {keys}/id_ed25519.pub {root}/root/.ssh/authorized_keys",
        *(
            f"systemctl --quiet --root={root} enable {unit}"
            for file in _FILES.glob(f"{host.kind}.units")
            for unit in file.read_text().split()
        ),
        f"touch {made}",
    ]
    world.run(process, commands)


def _options(name: str, host: Host) -> list[str]:
    """What systemd-nspawn(1) grants to a kind of host beyond the others."""
    if host.kind == "storage_server":
        # NFS-Ganesha keeps file handles, which an overlay cannot give out.
        return ["--system-call-filter=open_by_handle_at", f"--bind={_disk(name, host)}/srv:/srv"]
    return []


def _disk(name: str, host: Host) -> Path:
    return world.disks(name) / host.name


def _root(name: str, host: Host) -> Path:
    return _disk(name, host) / "root"


def _cgroup(name: str, process: int, host: Host) -> Path:
    return world.seen(process, world.cgroup(name) / host.name)


def _wait(condition: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
