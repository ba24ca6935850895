"""What systemd says of units on a target, and what is asked of it: one process for all units at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from typing import NamedTuple


class Unit(NamedTuple):
    """How a unit stands: `file_state` such as `enabled`, `masked` or nothing (systemctl(1), is-enabled)."""

    file_state: str
    active: bool

    @property
    def enabled(self) -> bool:
        """Whether it starts at boot."""
        return self.file_state == "enabled"

    @property
    def standing(self) -> str:
        """Both, as in `enabled active`."""
        return f"{self.file_state or 'unknown'} {'active' if self.active else 'inactive'}"


def read(names: Iterable[str]) -> dict[str, Unit]:
    """Ask for units by their full names (no aliases); an unknown one is neither enabled nor active.

    Raises:
        RuntimeError: systemd does not answer.
    """
    return parse(run(*showing(names)))


def showing(names: Iterable[str]) -> tuple[str, ...]:
    """Name the command whose output `parse` reads."""
    return ("systemctl", "show", "--property=Id,UnitFileState,ActiveState", *names)


def parse(shown: str) -> dict[str, Unit]:
    """Read what `showing` prints: a paragraph a unit."""
    paragraphs = (dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n"))
    return {unit["Id"]: Unit(unit["UnitFileState"], unit["ActiveState"] == "active") for unit in paragraphs}


def run(*command: str, stdin: str = "") -> str:
    """Run a program and return what it printed.

    Raises:
        RuntimeError: It failed; the text names the command and what it said.
    """
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout
