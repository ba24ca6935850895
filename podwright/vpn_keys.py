"""The pre-shared keys of VPNs: made once, on the controller, and kept where nobody but its user may read.

They are in no plan: whoever configures a firewall asks for them at that moment.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from podwright.errors import PlanError

_DIRECTORY = "vpn-keys"
# As strong as what it protects: AES with 256 bits.
_KEY_BYTES = 32


def known(state_directory: Path, vpns: Iterable[str]) -> dict[str, str]:
    """The keys of those VPNs that have one: {VPN: key}.

    Raises:
        PlanError: a file of them may be read by others.
    """
    files = {name: state_directory / _DIRECTORY / name for name in sorted(vpns)}
    return {name: _read(file) for name, file in files.items() if file.exists()}


def made(state_directory: Path, vpns: Iterable[str]) -> dict[str, str]:
    """The keys of VPNs, made for those that have none; all who ask at once get the same: {VPN: key}.

    Raises:
        PlanError: a file of them may be read by others.
    """
    names = sorted(vpns)
    directory = state_directory / _DIRECTORY
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in names:
        if not (directory / name).exists():
            _make(directory / name)
    return known(state_directory, names)


def _make(file: Path) -> None:
    """Write a file that is whole as soon as it has its name; the first to come names it (link(2))."""
    draft = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{secrets.token_urlsafe(_KEY_BYTES)}\n")
        opened.flush()
        os.fsync(descriptor)
    with suppress(FileExistsError):
        file.hardlink_to(draft)
    draft.unlink()


def _read(file: Path) -> str:
    if file.stat().st_mode & 0o077:
        raise PlanError(f"{file}: others may read this key; make a new one (remove it and deploy), and keep it 0600")
    return file.read_text(encoding="ascii").strip()
