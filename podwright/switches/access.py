"""How the controller logs in to a device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Access:
    """Login with a key to a device whose host key is known."""

    host: str
    port: int
    user: str
    key_file: Path
    known_hosts_file: Path
    """Where the device's host key is; a device whose key is not there is not spoken to."""
