"""A real NETCONF server: Debian's netconfd with the lab's modules behind sshd, and a TCP proxy that can fail."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from podwright.switches.access import Access
from tests.devices.failing_proxy import FailingProxy
from tests.devices.processes import running
from tests.devices.sshd import access_to, sshd
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LAB_YANG = ROOT / "podwright/lab/files/pod_switch/usr/share/yang/podwright-lab"
YUMA_YANG = Path("/usr/share/yuma/modules")
SUBSYSTEM = (
    "Subsystem netconf {python} -I -S {relay} {directory} {netconf_subsystem} "
    "--ncxserver-sockname={port}@{directory}/netconfd.sock"
)


@dataclass(frozen=True)
class Fault:
    """What goes wrong, once: at the first request in which the regular expression `at` is found, or at its reply."""

    at: str
    moment: Literal["request", "reply"]
    act: Literal["cut", "freeze", "refuse", "unplug", "bend", "half", "nonsense"]


@dataclass(frozen=True)
class Flavour:
    """What a server passes for."""

    platform: str
    """whose driver speaks with it"""

    modules: tuple[str, ...]
    yang: Path
    relay: Path = HERE / "failing_relay.py"
    factory: Path | None = None
    """what is configured when it starts for the first time; None is nothing"""


@dataclass(frozen=True)
class NetconfServer:
    """A server that runs."""

    flavour: Flavour
    directory: Path
    port: int
    proxy: FailingProxy

    @property
    def access(self) -> Access:
        """By the proxy, which fails when it is told."""
        return access_to(self.directory, self.proxy.port)

    @property
    def direct(self) -> Access:
        """Past the proxy."""
        return access_to(self.directory, self.port)

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


OPENCONFIG = Flavour(
    "openconfig_netconf",
    (
        "openconfig-interfaces",
        "openconfig-if-ethernet",
        "openconfig-vlan",
        "openconfig-spanning-tree",
        "openconfig-network-instance",
    ),
    LAB_YANG,
)
IEEE802 = Flavour(
    "ietf_netconf",
    ("iana-if-type", "ietf-interfaces", "ieee802-dot1q-bridge", "ieee802-dot1q-rstp-bridge"),
    HERE / "yang",
    HERE / "ieee802_relay.py",
    HERE / "ieee802_factory.xml",
)
JUNOS = Flavour("junos", ("junos-switching",), HERE / "yang", HERE / "junos_relay.py")


@contextmanager
def netconf_server(
    directory: Path, flavour: Flavour = OPENCONFIG, *, with_startup: bool = False
) -> Iterator[NetconfServer]:
    """A server as it leaves the factory, which ends with the block."""
    (port,) = free_ports(1)
    subsystem = SUBSYSTEM.format(
        python=sys.executable,
        relay=flavour.relay,
        directory=directory,
        netconf_subsystem=shutil.which("netconf-subsystem", path="/usr/sbin"),
        port=port,
    )
    netconfd = [
        "/usr/sbin/netconfd",
        f"--superuser={getpass.getuser()}",
        "--target=candidate",
        f"--port={port}",
        "--log-level=warn",
        _startup(flavour, directory),
        f"--with-startup={str(with_startup).lower()}",
        f"--ncxserver-sockname={directory}/netconfd.sock",
        f"--modpath={flavour.yang}:{YUMA_YANG}",
        *(f"--module={module}" for module in flavour.modules),
    ]
    environment = {**os.environ, "HOME": str(directory)}
    with (
        running(netconfd, (directory / "netconfd.sock").exists, directory / "netconfd.log", environment),
        sshd(directory, port, subsystem),
        FailingProxy(port, directory / "proxy.sock") as proxy,
    ):
        server = NetconfServer(flavour, directory, port, proxy)
        server.disarm()
        yield server


def _startup(flavour: Flavour, directory: Path) -> str:
    """What netconfd shall start with: a copy, for it saves there."""
    if flavour.factory is None:
        return "--no-startup"
    return f"--startup={shutil.copy(flavour.factory, directory)}"
