"""A change that could cut the controller off takes itself back, unless the controller comes back to confirm it.

A timer of systemd (systemd-run(1)) holds a shell script that puts files back as they were. It knows nothing of what
its target does; whoever arms it says how files come into force. No timer outlives a reboot: a unit takes the change
back at boot, before the network, so that what boots is what was confirmed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ansible_collections.podwright.cloud.plugins.module_utils import change_marker, managed_files
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences
from ansible_collections.podwright.cloud.plugins.module_utils.services import run

UNCONFIRMED = "unconfirmed change"
"""The key of what `read` gives, in a flat state."""

_SCRIPT = Path("/var/lib/podwright/rollback.sh")
SCRIPT = str(_SCRIPT)
"""A file that is there while a change waits to be confirmed."""
_UNIT = "podwright-rollback"
_BOOT_UNIT = f"{_UNIT}-at-boot.service"
_BOOT_UNIT_FILE = Path("/etc/systemd/system") / _BOOT_UNIT
_AT_BOOT = "boot"

CONFIRM = f"systemctl stop {_UNIT}.timer; rm {_SCRIPT}"
"""The shell command that keeps a change; it fails when the change has been taken back."""


class File(NamedTuple):
    """A file as it was."""

    text: str
    mode: int = 0o644


def read() -> dict[str, str | None]:
    """Say, as a part of a flat state, whether a change waits to be confirmed; nobody wants one."""
    return told(is_armed())


def told(armed: bool) -> dict[str, str | None]:
    """Say the same where it is known already whether a change waits."""
    return {UNCONFIRMED: "rolls back unless confirmed" if armed else None}


def is_armed() -> bool:
    """Whether a change waits to be confirmed."""
    return _SCRIPT.exists()


def arm(differences: Differences, further: Iterable[str], in_force: Iterable[str], after_s: int) -> None:
    """Have the files of `differences` and `further` ones put back in `after_s` seconds, or at the next boot.

    Args:
        differences: What is about to change.
        further: More files that may.
        in_force: Shell commands that have the files in force, but for a boot, which does that anyway.
        after_s: How long the controller has to confirm.

    Raises:
        RuntimeError: systemd refused.
    """
    if change_marker.INTERRUPTED in differences and is_armed():
        # It knows the files as they were before the run that was interrupted.
        text = _SCRIPT.read_text(encoding="utf-8")
    else:
        paths = sorted({*further, *(path for path in differences if path.startswith("/"))})
        text = script({path: _file(Path(path)) for path in paths}, in_force)
    if is_armed():
        run("sh", "-c", CONFIRM)  # that this run reached the target confirms what an earlier one left armed
    _expect_boots()
    managed_files.write({str(_SCRIPT): text}, mode=0o700)
    run("systemd-run", "--collect", f"--unit={_UNIT}", *_timer(after_s), "/bin/sh", str(_SCRIPT))


def script(before: Mapping[str, File | None], in_force: Iterable[str]) -> str:
    """Write the shell script that puts files back as they were and has them in force."""
    lines = [f"rm -f {path}" if file is None else _put_back(path, file) for path, file in sorted(before.items())]
    coming = [f'if [ "${{1-}}" = {_AT_BOOT} ]; then', "systemctl daemon-reload", "else", *in_force, "fi"]
    return "".join(f"{line}\n" for line in ["#!/bin/sh", "umask 077", *lines, *coming, f"rm -f {_SCRIPT}"])


def _timer(after_s: int) -> list[str]:
    """When systemd runs it: it would take a minute more if that let timers run together (systemd.timer(5))."""
    return [f"--on-active={after_s}", "--timer-property=AccuracySec=100ms"]


def _file(path: Path) -> File | None:
    try:
        return File(path.read_text(encoding="utf-8"), path.stat().st_mode & 0o777)
    except FileNotFoundError:
        return None


def _put_back(path: str, file: File) -> str:
    return f"printf %s {shlex.quote(file.text)} >{path}; chmod {file.mode:o} {path}"


def _expect_boots() -> None:
    """See that a boot takes back what nobody confirmed."""
    if managed_files.read([str(_BOOT_UNIT_FILE)])[str(_BOOT_UNIT_FILE)] != _BOOT_UNIT_TEXT:
        managed_files.write({str(_BOOT_UNIT_FILE): _BOOT_UNIT_TEXT})
        run("systemctl", "enable", "--quiet", _BOOT_UNIT)


_BOOT_UNIT_TEXT = f"""# Written by podwright; a change made here does not last.
[Unit]
Description=Take back a change that was not confirmed
DefaultDependencies=no
ConditionPathExists={_SCRIPT}
RequiresMountsFor=/etc {_SCRIPT.parent}
After=local-fs.target
Before=sysinit.target network-pre.target systemd-networkd.service

[Service]
Type=oneshot
ExecStart=/bin/sh {_SCRIPT} {_AT_BOOT}

[Install]
WantedBy=sysinit.target
"""
