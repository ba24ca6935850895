"""A real switch that Open vSwitch makes, in a network namespace of its own, behind sshd and a proxy that can fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from podwright.switches.access import Access
from tests.devices.failing_proxy import FailingProxy
from tests.devices.processes import running
from tests.devices.sshd import access_to, sshd
from tests.ports import free_ports

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PORTS = 3


@dataclass(frozen=True)
class Switch:
    """A switch that runs: `swp1` to `swp3` lead to the ends `h1` to `h3`."""

    directory: Path
    ssh_port: int
    database_port: int
    proxy: FailingProxy
    pid: int
    """Of ovs-vswitchd, whose network namespace has the ports."""

    @property
    def access(self) -> Access:
        """By the proxy, which fails when it is told."""
        return access_to(self.directory, self.proxy.port)

    @property
    def direct(self) -> Access:
        """Past the proxy."""
        return access_to(self.directory, self.ssh_port)

    def vsctl(self, *arguments: str) -> str:
        """What ovs-vsctl(8) prints there."""
        command = ["ovs-vsctl", f"--db=unix:{self.directory}/db.sock", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout

    def inside(self, *command: str) -> str:
        """What a command prints that runs in the switch's network namespace."""
        entered = ["nsenter", f"--target={self.pid}", "--net", *command]
        return subprocess.run(entered, check=True, capture_output=True, text=True, timeout=20).stdout


@contextmanager
def open_vswitch(directory: Path) -> Iterator[Switch]:
    """A switch with an empty bridge, which ends with the block."""
    ssh_port, database_port = free_ports(2)
    environment = {**os.environ, "OVS_RUNDIR": str(directory), "OVS_LOGDIR": str(directory)}
    database, socket = directory / "conf.db", directory / "db.sock"
    subprocess.run(["ovsdb-tool", "create", database, SCHEMA], check=True)
    links = [f"ip link add swp{n} up type veth peer name h{n}; ip link set h{n} up" for n in range(1, PORTS + 1)]
    vswitchd = f"exec ovs-vswitchd --disable-system --unixctl={directory}/vswitchd.ctl unix:{socket}"
    server = [
        "ovsdb-server",
        f"--remote=punix:{socket}",
        "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
        f"--unixctl={directory}/ovsdb.ctl",
        str(database),
    ]
    with (
        running(["/usr/sbin/" + server[0], *server[1:]], socket.exists, directory / "ovsdb.log", environment),
        running(
            ["unshare", "--net", "sh", "-ec", "; ".join([*links, vswitchd])],
            (directory / "vswitchd.ctl").exists,
            directory / "vswitchd.log",
            environment,
        ) as process,
        sshd(directory, ssh_port),
        FailingProxy(ssh_port, directory / "proxy.sock") as proxy,
    ):
        switch = Switch(directory, ssh_port, database_port, proxy, process.pid)
        switch.vsctl("--no-wait", "init")
        switch.vsctl("set-manager", f"ptcp:{database_port}:127.0.0.1")
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev")
        yield switch
