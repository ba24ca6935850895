"""What drivers of switches with a command line share; each adds how its platform tries a change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from hier_config import Platform

from podwright.errors import DeviceError, SessionLost
from podwright.switches.access import Access
from podwright.switches.port_status import COMMANDS, Template, forwarding
from podwright.switches.remediation import remediation
from podwright.switches.running_config import Dialect, managed, parse, ports_of
from podwright.switches.ssh_cli import Terminal, probe
from podwright.switches.state import Change, PortForwarding, SwitchState, applied
from podwright.switches.transaction import commit

CHANGE = "change the configuration"
READ = "read the running configuration"
PAGER_OFF = ("terminal length 0", "terminal width 511")


class CliDriver(ABC):
    """A switch with a command line, which is also the `Trial` of a change to it."""

    dialect: ClassVar[Dialect]
    platform: ClassVar[Platform]
    """hier_config's."""

    last_line: ClassVar[str]
    """How a whole running configuration ends; empty where it does not tell."""

    save_command: ClassVar[str] = "write memory"
    port_status: ClassVar[Template | None] = None
    """What reads the answers of the device about its ports; None where it tells nothing of them."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._terminal = Terminal(access, PAGER_OFF)
        self._collected = ""
        self._payload = ""

    @property
    def access(self) -> Access:
        """The device."""
        return self._access

    def read(self) -> SwitchState:
        """The running configuration."""
        return parse(self.dialect, self.collect())

    def collect(self) -> str:
        """What podwright manages of the running configuration."""
        text = self._terminal.run("show running-config", READ)
        if not ports_of(text)[0] or (self.last_line and self.last_line not in text.splitlines()):
            raise DeviceError(
                f"{self._access.where}: cannot {READ}: `show running-config` answered {len(text.splitlines())} lines "
                "that are not a whole configuration with interfaces; see whether the user may read all of it"
            )
        self._collected = managed(self.dialect, text)
        return self._collected

    def forwarding(self) -> dict[str, PortForwarding] | None:
        """What the device's ports do in fact, of those that are in the configuration; None where it does not tell."""
        if self.port_status is None:
            return None
        switchport, status = (self._terminal.run(command, "read the state") for command in COMMANDS[self.port_status])
        configured = parse(self.dialect, self._collected or self.collect())
        return forwarding(self.port_status, switchport, status, configured)

    def render(self, change: Change, before: SwitchState) -> str:
        """The commands, in configuration mode, that make a change."""
        return remediation(self.dialect, self.platform, before, applied(change, before))

    def apply(self, change: Change, before: SwitchState) -> None:
        """Try a change, and make it stay."""
        self._refuse_unfit_ports(change)
        commit(self, self.render(change, before), self.read, applied(change, before))

    def close(self) -> None:
        """Log out."""
        self._terminal.close()

    def probe(self) -> None:
        """Log in over another connection, and out again."""
        probe(self._access, PAGER_OFF)

    def abandon(self) -> None:
        """End the session without asking."""
        self._terminal.close()

    @abstractmethod
    def lock(self) -> None:
        """See that the platform can try a change, and that nobody else tries one now."""

    def stage(self, payload: str) -> None:
        """Keep the commands; a platform that has a place for such without effect has them put there."""
        self._payload = payload

    @abstractmethod
    def commit_on_trial(self, timeout_s: int) -> None:
        """Make the commands take effect until `timeout_s` have passed, or none of them."""

    @abstractmethod
    def confirm(self) -> None:
        """Make the change stay."""

    def save(self) -> None:
        """Copy the running to the startup configuration."""
        self._terminal.run(self.save_command, "save the change, which is in force until the switch restarts")

    @abstractmethod
    def take_back(self) -> None:
        """Undo the change at once."""

    def discard(self) -> None:
        """Forget the commands."""
        self._payload = ""

    @abstractmethod
    def unlock(self) -> None:
        """Leave nothing behind."""

    def _give(self, commands: Iterable[str]) -> None:
        """Give commands that take effect one by one, in configuration mode; go back when one is refused."""
        try:
            self._terminal.run_all(commands, CHANGE)
            self._terminal.leave_configuration(CHANGE)
        except SessionLost:
            raise
        except DeviceError as error:
            try:
                self.take_back()
            except DeviceError as failure:
                raise DeviceError(f"{error}; and then: {failure}; the switch goes back by itself in time") from error
            raise

    def _refuse_unfit_ports(self, change: Change) -> None:
        """Refuse to make a switched port of what is not one: that would take away what it is."""
        there, foreign = ports_of(self._collected or self.collect())
        for name, port in change.ports.items():
            if port is not None and name not in there:
                has = ", ".join(sorted(there))
                raise DeviceError(f"{self._access.where}: ports.{name}: the switch has no such port; it has {has}")
            if port is not None and name in foreign:
                raise DeviceError(
                    f"{self._access.where}: ports.{name}: on the switch it is a routed port or a member of a channel; "
                    "make it a switched port there if that is meant, or take it out of the inventory"
                )
