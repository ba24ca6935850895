"""Cisco NX-OS, over its command line.

A change is made after a checkpoint, with a job of the scheduler that rolls back to it unless it is removed in time
(Cisco Nexus 9000 NX-OS System Management Configuration Guide, "Configuring Rollback" and "Configuring the Scheduler").
The switch must have `feature scheduler`. The scheduler counts in whole minutes by the switch's clock, so the switch
waits up to a minute longer than it is told. The commands take effect one by one: the job is there before the first.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import uuid4

from hier_config import Platform

from podwright.errors import DeviceError
from podwright.switches import running_config
from podwright.switches.cli_driver import CHANGE, CliDriver
from podwright.switches.running_config import Dialect
from podwright.switches.state import SwitchState

DIALECT = Dialect(
    indent="  ",
    separator="",
    example_port="Ethernet1/1",
    # All VLANs are in instance 0, which is the tree that RSTP makes with other bridges (IEEE 802.1Q-2018 13.5).
    spanning_tree_mode="mst",
    priority="spanning-tree mst 0 priority ",
    path_cost="spanning-tree mst 0 cost ",
    edge={"access": "spanning-tree port type edge", "trunk": "spanning-tree port type edge trunk"},
    longest_description=80,
    width=80,
    switchport_first=True,
)
TRIAL = "podwright-"
"""How the names of our checkpoints, jobs and schedules begin."""

NOT_RUN = "Yet to be executed"


def configuration(state: SwitchState) -> str:
    """The running configuration of a switch in this state, as far as podwright configures it."""
    return running_config.configuration(DIALECT, state)


def parse(text: str) -> SwitchState:
    """The state in a running configuration."""
    return running_config.parse(DIALECT, text)


def schedules(text: str) -> dict[str, tuple[str, bool]]:
    """{schedule: (user, whether it has yet to run)} in the answer to `show scheduler schedule`."""
    found = {}
    for block in re.split(r"^Schedule Name *: *", text, flags=re.MULTILINE)[1:]:
        user = re.search(r"^User Name *: *(\S+)", block, re.MULTILINE)
        found[block.split()[0]] = (user[1] if user else "unknown", NOT_RUN in block)
    return found


def start_after(clock: str, timeout_s: int) -> str:
    """The time, as `time start` takes it, of the first whole minute at least `timeout_s` after a `show clock`.

    Raises:
        ValueError: it is no answer to `show clock`.
    """
    told = re.search(r"(\d+:\d+:\d+)\.\d+ \S+ \S+ (\w+ \d+ \d+)", clock)
    if not told:
        raise ValueError(f"{clock.strip()!r} is no time")
    end = datetime.strptime(" ".join(told.groups()), "%H:%M:%S %b %d %Y") + timedelta(seconds=timeout_s + 59)
    return f"{end:%Y:%m:%d:%H:%M}"


class Driver(CliDriver):
    """A switch of this platform."""

    dialect = DIALECT
    platform = Platform.CISCO_NXOS
    last_line = ""
    save_command = "copy running-config startup-config"
    port_status = "cisco_nxos"
    _name = ""
    """Of our checkpoint, job and schedule, while it is for us to remove them."""

    _scheduled = False

    def lock(self) -> None:
        """Refuse a switch without a scheduler, or one that is about to go back; remove what a dead controller left."""
        if "enabled" not in self._terminal.run("show feature | include scheduler", CHANGE):
            raise DeviceError(
                f"{self.access.where}: cannot {CHANGE}: the switch has no scheduler to take a change back by itself; "
                "configure `feature scheduler`"
            )
        answer = self._terminal.run("show scheduler schedule", CHANGE)
        for name, (user, waits) in sorted(schedules(answer).items()):
            if name.startswith(TRIAL) and waits:
                raise DeviceError(
                    f"{self.access.where}: a change by user {user} waits for its confirmation; wait until whoever "
                    f"changes the switch is done, or until schedule {name} has taken it back"
                )
            if name.startswith(TRIAL):
                self._unschedule(name, CHANGE)
                self._terminal.run(f"no checkpoint {name}", CHANGE)

    def commit_on_trial(self, timeout_s: int) -> None:
        """Give the commands after scheduling the way back; go back at once when one is refused."""
        self._name = f"{TRIAL}{uuid4().hex[:8]}"
        self._schedule(timeout_s)
        # It has the schedule in it, so that going back leaves the scheduler alone, which is at work then.
        self._terminal.run(f"checkpoint {self._name}", CHANGE)
        self._terminal.enter_configuration("configure terminal", CHANGE)
        self._give(self._payload.splitlines())

    def confirm(self) -> None:
        """Remove the schedule and its job."""
        self._unschedule(self._name, "confirm the change")
        self._scheduled = False

    def take_back(self) -> None:
        """Roll back to the checkpoint, and remove the schedule that would."""
        intent = "take the change back"
        name, self._name = self._name, ""  # should this fail, the schedule is to do it
        self._terminal.leave_configuration(intent)
        answer = self._terminal.run(f"rollback running-config checkpoint {name}", intent)
        if "fail" in answer.lower():
            said = answer.strip().splitlines()[-1]
            raise DeviceError(f"{self.access.where}: cannot {intent}: {said}; see `show rollback log exec`")
        self._name = name

    def unlock(self) -> None:
        """Remove the checkpoint, and a schedule that is to go back no more."""
        name, self._name = self._name, ""
        if name and self._scheduled:
            self._unschedule(name, "remove the schedule")
        if name:
            self._terminal.run(f"no checkpoint {name}", "remove the checkpoint")
        self._scheduled = False

    def _schedule(self, timeout_s: int) -> None:
        """Have the switch go back to a checkpoint of our name."""
        name = self._name
        try:
            start = start_after(self._terminal.run("show clock", CHANGE), timeout_s)
        except ValueError as error:
            raise DeviceError(f"{self.access.where}: cannot {CHANGE}: `show clock`: {error}; set the clock") from error
        self._terminal.enter_configuration("configure terminal", CHANGE)
        self._terminal.run_all(
            [
                f"scheduler job name {name}",
                f"rollback running-config checkpoint {name}",
                "exit",
                f"scheduler schedule name {name}",
                f"job name {name}",
                f"time start {start}",
            ],
            CHANGE,
        )
        self._terminal.leave_configuration(CHANGE)
        self._scheduled = True

    def _unschedule(self, name: str, intent: str) -> None:
        self._terminal.enter_configuration("configure terminal", intent)
        self._terminal.run_all([f"no scheduler schedule name {name}", f"no scheduler job name {name}"], intent)
        self._terminal.leave_configuration(intent)
