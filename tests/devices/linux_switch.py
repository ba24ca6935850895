"""A Linux host with a kernel of its own (user-mode-linux) whose bridge is a switch, behind a proxy that can fail.

The kernel that tests run on may have no VLAN-filtering bridge; that of Debian's package has, and runs as a process.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from podwright.images.debian import Recipe, build_root
from podwright.switches.access import Access
from tests.devices.failing_proxy import FailingProxy
from tests.devices.processes import eventually, running
from tests.devices.sshd import access_to, greets, shell

PORTS = 3
MANAGEMENT, INSIDE = "192.0.2.2", "198.51.100.2"
"""The host's addresses: at a port of its own, and in VLAN 10 of the switch that it is."""

BOOT_TIMEOUT_S = 120
RELAY = Path(__file__).with_name("relay.py")
SHARED = "/mnt/test"
_NETWORK = "[Network]\nLinkLocalAddressing=no\n"

HOST = Recipe(
    name="linux-switch",
    packages=tuple(
        "dbus iproute2 kmod openssh-server procps python3 sudo systemd systemd-sysv udev user-mode-linux".split()  # noqa: SIM905 (a list to read)
    ),
    files={
        "/etc/fstab": f"/dev/ubda / ext4 defaults 0 1\nnone {SHARED} hostfs defaults 0 0\n",
        "/etc/hostname": "switch\n",
        "/etc/hosts": "127.0.0.1 localhost switch\n",
        "/etc/modules": "bridge\n8021q\n",
        "/etc/ssh/sshd_config.d/test.conf": (
            f"HostKey {SHARED}/host_key\nAuthorizedKeysFile {SHARED}/key.pub\nStrictModes no\nUsePAM no\n"
            "ClientAliveInterval 1\nClientAliveCountMax 2\n"
        ),
        "/etc/systemd/system-preset/00-test.preset": "enable ssh.service\nenable systemd-networkd.service\ndisable *\n",
        "/etc/systemd/network/10-vec0.network": f"[Match]\nName=vec0\n\n{_NETWORK}Address={MANAGEMENT}/24\n",
        # What docs/switches.md has operators write.
        "/etc/systemd/network/10-br0.netdev": (
            "[NetDev]\nName=br0\nKind=bridge\n\n[Bridge]\nVLANFiltering=yes\nDefaultPVID=none\nSTP=no\n"
        ),
        "/etc/systemd/network/10-br0.network": f"[Match]\nName=br0\n\n{_NETWORK}ConfigureWithoutCarrier=yes\n",
    },
    commands=(
        "systemctl preset-all",
        "systemctl mask console-getty.service getty@.service serial-getty@.service systemd-firstboot.service",
        f"mkdir {SHARED}",
        "ln -s /usr/lib/uml/modules /lib/modules",
        "rm -f /etc/ssh/ssh_host_*",
    ),
)


@dataclass
class Switch:
    """A switch that runs: its ports `vec1` to `vec3` lead to the ends `h1` to `h3`."""

    directory: Path
    root: Path
    ports: dict[str, int]
    """{address of the host: the port of 127.0.0.1 by which its sshd is reached, past the proxy}"""

    proxy: FailingProxy
    """Before the address for management."""

    namespace: int
    """The process whose network namespace has the ends."""

    machine: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def access(self) -> Access:
        """By the proxy, which fails when it is told."""
        return self._to(self.proxy.port)

    @property
    def direct(self) -> Access:
        """Past the proxy."""
        return self._to(self.ports[MANAGEMENT])

    @property
    def through_itself(self) -> Access:
        """By the switch's own ports, in VLAN 10."""
        return self._to(self.ports[INSIDE])

    def tell(self, act: str) -> None:
        """Have the proxy fail, by its word for that."""
        with socket.socket(socket.AF_UNIX) as proxy:
            proxy.connect(str(self.directory / "proxy.sock"))
            proxy.sendall(act.encode())
            proxy.recv(16)

    def inside(self, *command: str) -> str:
        """What a command prints that runs where the ends are."""
        return subprocess.run(
            [*self._entered(), *command], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def on(self, script: str) -> str:
        """What a shell script prints that runs on the switch, as an operator's."""
        done = shell(self.direct, script)
        done.check_returncode()
        return done.stdout

    def lose_power(self) -> None:
        """Switch off without a word."""
        assert self.machine is not None
        self.machine.kill()
        self.machine.wait()
        self.machine = None

    def power_on(self) -> None:
        """Start, and be there once sshd answers."""
        with (self.directory / "console.log").open("ab") as console:
            self.machine = subprocess.Popen(
                [*self._entered(), *self._kernel()], stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        if not eventually(lambda: self._is_up(), BOOT_TIMEOUT_S):
            raise RuntimeError(f"the switch is not up: {(self.directory / 'console.log').read_text()[-3000:]}")

    def _is_up(self) -> bool:
        assert self.machine is not None
        if self.machine.poll() is not None:
            raise RuntimeError(f"the switch went off: {(self.directory / 'console.log').read_text()[-3000:]}")
        return greets(self.ports[MANAGEMENT])

    def _kernel(self) -> list[str]:
        network = [f"vec{n}:transport=tap,ifname=h{n},mac=02:00:00:00:00:1{n}" for n in range(PORTS + 1)]
        disk = [f"ubd0={self.directory}/disk.img", "root=/dev/ubda", "rw", f"hostfs={self.directory}/shared"]
        console = ["con=null", "con0=null,fd:1", "ssl=null", f"uml_dir={self.directory}", "umid=switch", "mem=192M"]
        return [str(self.root / "usr/bin/linux.uml"), *console, *disk, *network]

    def _entered(self) -> list[str]:
        return ["nsenter", f"--target={self.namespace}", "--net"]

    def _to(self, port: int) -> Access:
        access = access_to(self.directory / "shared", port)
        return replace(access, user="root", known_hosts_file=self.directory / "known_hosts")


@contextmanager
def linux_switch(directory: Path) -> Iterator[Switch]:
    """A switch that has just been set up, which ends with the block."""
    root = build_root(HOST, print)
    shared = directory / "shared"
    shared.mkdir()
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", shared / name], check=True)
    (directory / "known_hosts").write_text(f"127.0.0.1 {(shared / 'host_key.pub').read_text()}")
    disk = directory / "disk.img"
    with disk.open("wb") as file:
        file.truncate(1 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", root, disk], check=True)
    ends = [f"ip tuntap add h{n} mode tap; ip link set h{n} up" for n in range(PORTS + 1)]
    addresses = ["ip address add 192.0.2.1/24 dev h0", "ip address add 198.51.100.1/24 dev h2"]
    made = directory / "made"
    script = "; ".join(["ip link set lo up", *ends, *addresses, f"touch {made}", "exec sleep infinity"])
    with (
        running(["unshare", "--net", "sh", "-ec", script], made.exists, directory / "namespace.log") as namespace,
        ExitStack() as stack,
    ):
        ports = {
            address: stack.enter_context(_relayed(namespace.pid, address, directory / f"{address}.log"))
            for address in (MANAGEMENT, INSIDE)
        }
        proxy = stack.enter_context(FailingProxy(ports[MANAGEMENT], directory / "proxy.sock"))
        switch = Switch(directory, root, ports, proxy, namespace.pid)
        try:
            switch.power_on()
            yield switch
        finally:
            if switch.machine is not None:
                switch.lose_power()
            disk.unlink()


@contextmanager
def _relayed(namespace: int, address: str, log: Path) -> Iterator[int]:
    """A port of 127.0.0.1 here that leads to port 22 of an address which that process's namespace reaches."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        command = ["nsenter", f"--target={namespace}", "--net", sys.executable, "-I", "-S", RELAY]
        with running([*command, str(listener.fileno()), address], lambda: True, log, inherited=[listener.fileno()]):
            port: int = listener.getsockname()[1]
            yield port
