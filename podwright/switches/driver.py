"""What a switch driver is, and the drivers there are: a module each in `podwright.switches.platforms`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from podwright.errors import DeviceError
from podwright.switches import platforms
from podwright.switches.access import Access
from podwright.switches.platforms import platform_names
from podwright.switches.state import Change, PortForwarding, SwitchState


class Driver(Protocol):
    """A device of one platform. The session opens when it is first needed; `render` needs none."""

    def read(self) -> SwitchState:
        """The running configuration."""

    def collect(self) -> str:
        """The running configuration as the device tells it: a text that the platform's `parse` reads."""

    def forwarding(self) -> Mapping[str, PortForwarding] | None:
        """What the device's ports do in fact, by name; None when it does not tell."""

    def render(self, change: Change, before: SwitchState) -> str:
        """The payload that makes a change of what the device is `before` it."""

    def apply(self, change: Change, before: SwitchState) -> None:
        """Make a change as one transaction, or raise DeviceError and leave the device as it was."""

    def close(self) -> None:
        """Log out."""


class DriverFactory(Protocol):
    """Makes the driver of a device."""

    def __call__(self, access: Access) -> Driver:
        """The driver of the device that `access` leads to."""


class Platform(Protocol):
    """What a module of `podwright.switches.platforms` has. Only its drivers speak to a device."""

    @staticmethod
    def configuration(state: SwitchState) -> str:
        """All that podwright configures on a device in this state, in the device's own syntax."""

    @staticmethod
    def parse(text: str) -> SwitchState:
        """The state that a configuration in the device's own syntax makes, whether rendered or collected."""

    @property
    def Driver(self) -> DriverFactory:  # noqa: N802  # it is a class
        """The driver."""


def find_platform(name: str) -> Platform:
    """The platform of that name.

    Raises:
        DeviceError: no such platform.
    """
    known = platform_names()
    if name not in known:
        raise DeviceError(f"platform {name!r} has no driver; known are {', '.join(known)}")
    return cast("Platform", import_module(f"{platforms.__name__}.{name}"))


def open_driver(platform: str, access: Access) -> Driver:
    """The driver of a device.

    Raises:
        DeviceError: no such platform.
    """
    try:
        return find_platform(platform).Driver(access)
    except DeviceError as error:
        raise DeviceError(f"{access.host}: {error}") from error
