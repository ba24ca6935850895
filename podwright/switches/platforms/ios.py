"""Cisco IOS and IOS XE on Catalyst switches, over their command line.

A change is made under `configure terminal revert timer` and stays with `configure confirm` (Cisco IOS Configuration
Fundamentals, "Configuration Rollback Confirmed Change"). The switch must have an `archive` with a `path`, which is
where IOS keeps what it goes back to, and must keep its VLANs in its configuration (`vtp mode transparent`), or they
would not come back with it. The commands take effect one by one: the timer starts before the first.
"""

from __future__ import annotations

from hier_config import Platform

from podwright.errors import DeviceError
from podwright.switches import running_config
from podwright.switches.cli_driver import CHANGE, CliDriver
from podwright.switches.running_config import Dialect
from podwright.switches.state import SwitchState

DIALECT = Dialect(
    indent=" ",
    separator="!",
    example_port="GigabitEthernet1/0/1",
    # All VLANs are in instance 0, which is the tree that RSTP makes with other bridges (IEEE 802.1Q-2018 13.5).
    spanning_tree_mode="mst",
    priority="spanning-tree mst 0 priority ",
    path_cost="spanning-tree mst 0 cost ",
    edge={"access": "spanning-tree portfast", "trunk": "spanning-tree portfast trunk"},
    longest_description=200,
    width=80,
    preamble=("vtp mode transparent",),
    access_is_default=False,
    # Those of FDDI and Token Ring (Catalyst VLAN Configuration Guide, "Supported VLANs").
    reserved_vlans=frozenset({1, *range(1002, 1006)}),
)
NO_ARCHIVE = "Archive feature not enabled"
NOT_PENDING = "No Rollback Confirmed Change pending"


def configuration(state: SwitchState) -> str:
    """The running configuration of a switch in this state, as far as podwright configures it."""
    return running_config.configuration(DIALECT, state)


def parse(text: str) -> SwitchState:
    """The state in a running configuration."""
    return running_config.parse(DIALECT, text)


class Driver(CliDriver):
    """A switch of this platform."""

    dialect = DIALECT
    platform = Platform.CISCO_IOS
    last_line = "end"
    port_status = "cisco_ios"

    def collect(self) -> str:
        """What podwright manages of the running configuration, which must have the VLANs in it."""
        text = super().collect()
        if not {"vtp mode transparent", "vtp mode off"} & set(text.splitlines()):
            raise DeviceError(
                f"{self.access.where}: the switch keeps its VLANs outside of its configuration, expected the line "
                "`vtp mode transparent`; configure that, which leaves the VLANs as they are"
            )
        return text

    def lock(self) -> None:
        """Refuse a switch that cannot go back by itself, or is about to."""
        if NO_ARCHIVE in self._terminal.run("show archive", CHANGE):
            raise DeviceError(
                f"{self.access.where}: cannot {CHANGE}: the switch has no archive of configurations to go back to; "
                "configure `archive` and under it `path flash:podwright`"
            )
        pending = self._terminal.run("show archive config rollback timer", CHANGE)
        if NOT_PENDING not in pending:
            users = [line.partition(":")[2].strip() for line in pending.splitlines() if line.strip().startswith("User")]
            raise DeviceError(
                f"{self.access.where}: a change by user {users[0] if users else 'unknown'} waits for its confirmation; "
                "wait until whoever changes the switch is done, or take it back with `configure revert now`"
            )

    def commit_on_trial(self, timeout_s: int) -> None:
        """Give the commands after starting the timer, in whole minutes; go back at once when one is refused.

        IOS has no place for commands that take no effect yet.
        """
        self._terminal.enter_configuration(f"configure terminal revert timer {-(-timeout_s // 60)}", CHANGE)
        self._give(self._payload.splitlines())

    def confirm(self) -> None:
        """Stop the timer."""
        self._terminal.run("configure confirm", "confirm the change")

    def take_back(self) -> None:
        """Go back to the configuration in the archive."""
        self._terminal.leave_configuration("take the change back")
        self._terminal.run("configure revert now", "take the change back")

    def unlock(self) -> None:
        """Nothing: the timer is the lock."""
