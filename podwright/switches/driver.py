"""What a switch driver is, and the drivers there are: a module each in `podwright.switches.platforms`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

from podwright.errors import DeviceError
from podwright.switches import platforms
from podwright.switches.access import Access
from podwright.switches.state import Change, PortForwarding, SwitchState


class Driver(Protocol):
    """A device of one platform. The session opens when it is first needed; `render` needs none."""

    def read(self) -> SwitchState:
        """The running configuration."""

    def forwarding(self) -> Mapping[str, PortForwarding] | None:
        """What the device's ports do in fact, by name; None when it does not tell."""

    def render(self, change: Change) -> str:
        """The payload that makes a change."""

    def apply(self, change: Change) -> None:
        """Make a change as one transaction, or raise DeviceError and leave the device as it was."""

    def close(self) -> None:
        """Log out."""


def open_driver(platform: str, access: Access) -> Driver:
    """The driver of a platform: the class `Driver` of the module of that name.

    Raises:
        DeviceError: no such platform.
    """
    known = sorted(module.name for module in iter_modules(platforms.__path__))
    if platform not in known:
        raise DeviceError(f"{access.host}: platform {platform!r} has no driver; known are {', '.join(known)}")
    factory: Callable[[Access], Driver] = import_module(f"{platforms.__name__}.{platform}").Driver
    return factory(access)
