"""A real NETCONF server: Debian's netconfd with the lab's modules behind sshd, and a TCP proxy that can fail."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from podwright.switches.access import Access
from tests.devices.failing_proxy import FailingProxy
from tests.devices.processes import running

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LAB_YANG = ROOT / "podwright/lab/files/pod_switch/usr/share/yang/podwright-lab"
YUMA_YANG = Path("/usr/share/yuma/modules")
SSHD = """
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/key.pub
PidFile none
StrictModes no
ClientAliveInterval 1
ClientAliveCountMax 1
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem netconf {python} -I -S {relay} {directory} {subsystem} --ncxserver-sockname={port}@{directory}/netconfd.sock
"""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, once: at the first request in which the regular expression `at` is found, or at its reply."""

    at: str
    moment: Literal["request", "reply"]
    act: Literal["cut", "freeze", "refuse", "unplug", "bend", "half", "nonsense", "garbage"]


@dataclass(frozen=True)
class NetconfServer:
    """A server that runs."""

    directory: Path
    port: int
    proxy: FailingProxy

    @property
    def access(self) -> Access:
        """By the proxy, which fails when it is told."""
        return self._access(self.proxy.port)

    @property
    def direct(self) -> Access:
        """Past the proxy."""
        return self._access(self.port)

    def arm(self, *faults: Fault) -> None:
        """Have things go wrong in the sessions from now on."""
        whole = self.directory / "faults.tmp"
        whole.write_text(json.dumps([asdict(fault) for fault in faults]))
        whole.rename(self.directory / "faults.json")

    @property
    def armed(self) -> bool:
        """Whether not all has gone wrong yet."""
        return (self.directory / "faults.json").read_text() != "[]"

    def disarm(self) -> None:
        """Let everything go well again."""
        self.arm()
        self.proxy.heal()

    def _access(self, port: int) -> Access:
        return Access("127.0.0.1", port, getpass.getuser(), self.directory / "key", self.directory / "known_hosts")


@dataclass(frozen=True)
class Flavour:
    """What a server passes for."""

    modules: tuple[str, ...]
    yang: Path
    relay: Path = HERE / "failing_relay.py"


OPENCONFIG = Flavour(
    (
        "openconfig-interfaces",
        "openconfig-if-ethernet",
        "openconfig-vlan",
        "openconfig-spanning-tree",
        "openconfig-network-instance",
    ),
    LAB_YANG,
)
JUNOS = Flavour(("junos-switching",), HERE / "yang", HERE / "junos_relay.py")


@contextmanager
def netconf_server(
    directory: Path, flavour: Flavour = OPENCONFIG, *, with_startup: bool = False
) -> Iterator[NetconfServer]:
    """A server with nothing configured, which ends with the block."""
    port = _free_port()
    _make_keys(directory)
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd(8): where its unprivileged part is locked in
    (directory / "sshd_config").write_text(
        SSHD.format(
            port=port,
            directory=directory,
            python=sys.executable,
            relay=flavour.relay,
            subsystem=shutil.which("netconf-subsystem", path="/usr/sbin"),
        )
    )
    netconfd = [
        "/usr/sbin/netconfd",
        f"--superuser={getpass.getuser()}",
        "--target=candidate",
        f"--port={port}",
        "--log-level=warn",
        "--no-startup",
        f"--with-startup={str(with_startup).lower()}",
        f"--ncxserver-sockname={directory}/netconfd.sock",
        f"--modpath={flavour.yang}:{YUMA_YANG}",
        *(f"--module={module}" for module in flavour.modules),
    ]
    with (
        running(
            netconfd,
            (directory / "netconfd.sock").exists,
            directory / "netconfd.log",
            {**os.environ, "HOME": str(directory)},
        ),
        running(
            ["/usr/sbin/sshd", "-D", "-e", "-f", directory / "sshd_config"],
            lambda: _listens(port),
            directory / "sshd.log",
        ),
        FailingProxy(port, directory / "proxy.sock") as proxy,
    ):
        server = NetconfServer(directory, port, proxy)
        key = (directory / "host_key.pub").read_text()
        (directory / "known_hosts").write_text(f"127.0.0.1 {key}")
        server.disarm()
        yield server


def _make_keys(directory: Path) -> None:
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
