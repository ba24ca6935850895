"""A host with sshd(8) and the commands that a SONiC switch has, and what a test does to it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jsonpatch

from podwright.switches.access import Access
from tests.devices.sshd import access_to, sshd
from tests.ports import free_ports

COMMANDS = Path(__file__).with_name("sonic_commands.py")
# bash(1) reads ~/.bashrc for a command over ssh, which may take longer than the command, unless SHLVL is above 1.
ENVIRONMENT = "SetEnv PATH={directory}/bin:/usr/bin:/bin SHLVL=2"


@dataclass(frozen=True)
class SonicHost:
    """A host that runs."""

    directory: Path
    port: int

    @property
    def access(self) -> Access:
        return access_to(self.directory, self.port)

    def tables(self, name: str = "config_db") -> dict[str, Any]:
        tables: dict[str, Any] = json.loads((self.directory / f"{name}.json").read_text())
        return tables

    def become(self, tables: dict[str, Any]) -> None:
        (self.directory / "config_db.json").write_text(json.dumps(tables))

    def hurry(self, speed: float) -> None:
        """How many of the switch's seconds pass in one."""
        (self.directory / "speed").write_text(str(speed))

    def arm(self, at: str, act: Literal["refuse", "half", "cut"]) -> None:
        """Have it go wrong once, at an `apply-patch` in which the regular expression `at` is found."""
        (self.directory / "fault.json").write_text(json.dumps([at, act]))

    @property
    def waits(self) -> bool:
        """Whether a change is on trial."""
        return (self.directory / "timer").exists()

    def stop_timer(self) -> None:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.directory / "timer").read_text()), signal.SIGTERM)
        (self.directory / "timer").unlink(missing_ok=True)


@contextmanager
def sonic_host(directory: Path) -> Iterator[SonicHost]:
    """A host until the end of the block."""
    _install_commands(directory)
    host = SonicHost(directory, *free_ports(1))
    host.hurry(1)
    with sshd(directory, host.port, ENVIRONMENT.format(directory=directory)):
        try:
            yield host
        finally:
            host.stop_timer()


def _install_commands(directory: Path) -> None:
    (directory / "bin").mkdir()
    packages = Path(jsonpatch.__file__).parent
    commands = ("config", "sonic-cfggen", "systemctl", "systemd-run")
    scripts = {name: f'exec {sys.executable} -I -S {COMMANDS} {packages} {directory} {name} "$@"' for name in commands}
    for name, script in (scripts | {"sudo": 'shift; exec "$@"'}).items():
        file = directory / "bin" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
