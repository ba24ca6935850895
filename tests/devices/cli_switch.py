"""A switch of the simulator that runs, and what a test does to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from podwright.switches.access import Access
from podwright.switches.driver import find_platform
from podwright.switches.state import SwitchState
from tests.devices.processes import running
from tests.devices.sshd import listens
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv/simulator/bin/python"
FAKENOS_NAMES = {"eos": "arista_eos", "ios": "cisco_ios", "nxos": "cisco_nxos"}
PORTS = {"eos": "Ethernet{}", "ios": "GigabitEthernet1/0/{}", "nxos": "Ethernet1/{}"}


@dataclass(frozen=True)
class CliSwitch:
    """A switch that runs."""

    platform: str
    directory: Path
    port: int

    @property
    def access(self) -> Access:
        return Access("127.0.0.1", self.port, "admin", self.directory / "key", self.directory / "known_hosts")

    @property
    def startup(self) -> SwitchState:
        """What it would be after a restart."""
        return find_platform(self.platform).parse((self.directory / "startup").read_text())

    def set(self, *, able: bool = True, speed: float = 1) -> None:
        """Whether it can try changes, and how many of its seconds pass in one."""
        (self.directory / "options.json").write_text(json.dumps({"able": able, "speed": speed}))

    def arm(
        self, at: str, act: Literal["refuse", "drop", "silent", "half", "nonsense"], *, after: bool = False
    ) -> None:
        """Have it go wrong once, at a command in which the regular expression `at` is found."""
        armed = self.directory / "armed"
        armed.write_text(json.dumps({"at": at, "act": act, "after": after}))
        armed.rename(self.directory / "fault.json")

    @property
    def armed(self) -> bool:
        """Whether what was to go wrong has not yet."""
        return (self.directory / "fault.json").exists()

    def disarm(self) -> None:
        (self.directory / "fault.json").unlink(missing_ok=True)
        self.set()


@contextmanager
def cli_switch(platform: str, directory: Path, configuration: str) -> Iterator[CliSwitch]:
    """A switch with this running configuration, until the end of the block."""
    assert PYTHON.exists(), f"{PYTHON}: the simulator is not installed; run `make test-packages`"
    key_types = (("host_key", ["-t", "rsa", "-b", "2048", "-m", "PEM"]), ("key", ["-t", "ed25519"]))
    for name, key_type in key_types:
        subprocess.run(["ssh-keygen", "-q", *key_type, "-N", "", "-f", directory / name], check=True)
    (directory / "running").write_text(configuration)
    (port,) = free_ports(1)
    switch = CliSwitch(platform, directory, port)
    switch.set()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {(directory / 'host_key.pub').read_text()}")
    command = [PYTHON, "-m", "tests.devices.cli_simulator", directory, str(port), FAKENOS_NAMES[platform]]
    with running(command, lambda: listens(port), directory / "log", {"PYTHONPATH": str(ROOT)}):
        yield switch
