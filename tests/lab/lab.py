"""A lab as tests look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from podwright import lab as labs
from podwright.lab import world

ROOT = Path(__file__).resolve().parents[2]
CLOUD = ROOT / "inventories/lab/cloud.yml"
TWO_ZONES = ROOT / "inventories/two-zones/cloud.yml"


@dataclass(frozen=True)
class Lab:
    """A lab by its name."""

    name: str
    cloud_file: Path = CLOUD

    @property
    def directory(self) -> Path:
        return labs.directory(self.name)

    @property
    def first_process(self) -> int:
        process = world.first_process(self.name)
        assert process is not None, f"lab {self.name} has no world"
        return process

    def up(self) -> None:
        labs.up(self.cloud_file, self.name, _say)

    def down(self) -> None:
        labs.down(self.name)

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command where the lab's hosts can be reached."""
        command = world.inside(self.first_process, argv)
        environment = os.environ | {"PODWRIGHT_LAB": str(self.directory)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert not check or done.returncode == 0, f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def ssh(self, host: str, command: str, check: bool = True) -> str:
        """Run a shell command on a host; what it printed."""
        return self.run("ssh", "-F", f"{self.directory}/ssh/config", host, command, check=check).stdout

    def outside(self, *argv: str, check: bool = True) -> str:
        """Run a command where the cloud's provider leads to; what it printed."""
        return self.run("ip", "netns", "exec", "outside", *argv, check=check).stdout


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
