"""A change that could cut the controller off takes itself back, unless the controller comes back to confirm it.

A timer of systemd (systemd-run(1)) holds a shell script that puts files back as they were. It knows nothing of what
its target does; whoever arms it says how files come into force.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.podwright.cloud.plugins.module_utils import change_marker, managed_files
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences
from ansible_collections.podwright.cloud.plugins.module_utils.services import run

UNCONFIRMED = "unconfirmed change"
"""The key of what `read` gives, in a flat state."""

_SCRIPT = Path("/var/lib/podwright/rollback.sh")
_UNIT = "podwright-rollback"

CONFIRM = f"systemctl stop {_UNIT}.timer; rm {_SCRIPT}"
"""The shell command that keeps a change; it fails when the change has been taken back."""


def read() -> dict[str, str | None]:
    """Say, as a part of a flat state, whether a change waits to be confirmed; nobody wants one."""
    return {UNCONFIRMED: "rolls back unless confirmed" if is_armed() else None}


def is_armed() -> bool:
    """Whether a change waits to be confirmed."""
    return _SCRIPT.exists()


def arm(differences: Differences, in_force: Iterable[str], after_s: int) -> None:
    """Have the files of `differences` put back in `after_s` seconds, and `in_force` run, shell commands.

    Raises:
        RuntimeError: systemd refused.
    """
    if change_marker.INTERRUPTED in differences and is_armed():
        # It knows the files as they were before the run that was interrupted.
        text = _SCRIPT.read_text(encoding="utf-8")
    else:
        text = script({path: seen for path, (seen, _) in differences.items() if path.startswith("/")}, in_force)
    if is_armed():
        run("sh", "-c", CONFIRM)  # that this run reached the target confirms what an earlier one left armed
    managed_files.write({str(_SCRIPT): text}, mode=0o700)
    run("systemd-run", "--collect", f"--unit={_UNIT}", f"--on-active={after_s}", "/bin/sh", str(_SCRIPT))


def script(before: Mapping[str, str | None], in_force: Iterable[str]) -> str:
    """Write the shell script that puts files back as they were and has them in force."""
    lines = [
        f"rm -f {path}" if text is None else f"printf %s {shlex.quote(text)} >{path}"
        for path, text in sorted(before.items())
    ]
    return "".join(f"{line}\n" for line in ["#!/bin/sh", *lines, *in_force, f"rm -f {_SCRIPT}"])
