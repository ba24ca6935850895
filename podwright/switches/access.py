"""How the controller logs in to a device, and whom it must still reach after a change."""

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

    probes: tuple[str, ...] = ()
    """`address:port` of hosts behind the device, which must answer TCP from here after a change if they did before."""

    @property
    def where(self) -> str:
        """The device, as a message about it begins."""
        return f"{self.host} port {self.port}"
