"""Keys that devices share: made once, on the controller, and kept where nobody but its user may read.

They are in no plan: whoever configures a device asks for them at that moment.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from podwright.errors import PlanError


class Kind(NamedTuple):
    """What keys are for: the directory that holds them, a file each, and how many random bytes one is made of."""

    directory: str
    size_bytes: int


# As strong as what it protects: AES with 256 bits.
VPN = Kind("vpn-keys", 32)
# RFC 2328 appendix D.4.3: 16 octets at most, and so many characters are made of these bytes.
ROUTING = Kind("routing-keys", 12)


def known(state_directory: Path, kind: Kind, names: Iterable[str]) -> dict[str, str]:
    """The keys of those who have one: {name: key}.

    Raises:
        PlanError: a file of them may be read by others.
    """
    files = {name: state_directory / kind.directory / name for name in sorted(names)}
    return {name: _read(file) for name, file in files.items() if file.exists()}


def made(state_directory: Path, kind: Kind, names: Iterable[str]) -> dict[str, str]:
    """The keys of all named, made for those who have none; all who ask at once get the same: {name: key}.

    Raises:
        PlanError: a file of them may be read by others.
    """
    wanted = sorted(names)
    directory = state_directory / kind.directory
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in wanted:
        if not (directory / name).exists():
            _make(directory / name, kind.size_bytes)
    return known(state_directory, kind, wanted)


def _make(file: Path, size_bytes: int) -> None:
    """Write a file that is whole as soon as it has its name; the first to come names it (link(2))."""
    draft = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{secrets.token_urlsafe(size_bytes)}\n")
        opened.flush()
        os.fsync(descriptor)
    with suppress(FileExistsError):
        file.hardlink_to(draft)
    draft.unlink()


def _read(file: Path) -> str:
    if file.stat().st_mode & 0o077:
        raise PlanError(f"{file}: others may read this key; make a new one (remove it and deploy), and keep it 0600")
    return file.read_text(encoding="ascii").strip()
