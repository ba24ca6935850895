"""What goes wrong on a device."""

from __future__ import annotations


class DeviceError(RuntimeError):
    """A device lacks or refuses what its desired state needs; the message says what to do."""
