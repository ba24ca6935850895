"""Arista EOS, over its command line.

A change is a configuration session that is committed with a timer (Arista EOS User Manual, "Configure Session":
`configure session <name> commit timer <hh:mm:ss>`, then `commit` to confirm or `abort` to take back). All of a session
takes effect at once or not at all.
"""

from __future__ import annotations

import json
from uuid import uuid4

from hier_config import Platform

from podwright.errors import DeviceError
from podwright.switches import running_config
from podwright.switches.cli_driver import CHANGE, CliDriver
from podwright.switches.running_config import Dialect
from podwright.switches.state import SwitchState

DIALECT = Dialect(
    indent="   ",
    separator="!",
    example_port="Ethernet1",
    spanning_tree_mode="rstp",
    priority="spanning-tree priority ",
    path_cost="spanning-tree cost ",
    edge={"access": "spanning-tree portfast", "trunk": "spanning-tree portfast"},
    longest_description=240,
    width=None,
)
SESSION = "podwright-"
"""How the names of our configuration sessions begin."""


def configuration(state: SwitchState) -> str:
    """The running configuration of a switch in this state, as far as podwright configures it."""
    return running_config.configuration(DIALECT, state)


def parse(text: str) -> SwitchState:
    """The state in a running configuration."""
    return running_config.parse(DIALECT, text)


class Driver(CliDriver):
    """A switch of this platform."""

    dialect = DIALECT
    platform = Platform.ARISTA_EOS
    last_line = "end"
    _name = ""
    """Of our configuration session, while there is one."""

    def lock(self) -> None:
        """Refuse while another session's commit waits for its confirmation: EOS has one timer for all of them.

        Sessions of ours that wait for nothing were left by a controller that died; EOS keeps a few sessions only.
        """
        answer = self._terminal.run("show configuration sessions detail | json", CHANGE)
        for name, state in sorted(self._sessions(answer).items()):
            if "pendingCommitTimer" in state:
                raise DeviceError(
                    f"{self.access.where}: configuration session {name} waits for the confirmation of its commit; wait "
                    f"until whoever changes the switch is done, or end it with `configure session {name} abort`"
                )
            if name.startswith(SESSION) and state == "pending":
                self._terminal.run(f"configure session {name} abort", CHANGE)

    def stage(self, payload: str) -> None:
        """Give the commands in a session of our own, and leave it uncommitted."""
        self._name = f"{SESSION}{uuid4().hex[:8]}"
        self._terminal.enter_configuration(f"configure session {self._name}", CHANGE)
        self._terminal.run_all(payload.splitlines(), CHANGE)
        self._terminal.leave_configuration(CHANGE)

    def commit_on_trial(self, timeout_s: int) -> None:
        """Commit the session with a timer."""
        minutes, seconds = divmod(timeout_s, 60)
        self._terminal.run(f"configure session {self._name} commit timer 00:{minutes:02}:{seconds:02}", CHANGE)

    def confirm(self) -> None:
        """Commit the session again, which stops the timer."""
        self._terminal.run(f"configure session {self._name} commit", "confirm the change")
        self._name = ""

    def take_back(self) -> None:
        """Abort the session, which takes its commit back while the timer runs."""
        self.discard()

    def discard(self) -> None:
        """Abort the session, if it is still there."""
        self._terminal.leave_configuration("discard the change")
        name, self._name = self._name, ""
        if name:
            self._terminal.run(f"configure session {name} abort", "discard the change")

    def unlock(self) -> None:
        """Nothing: a session is its owner's alone."""

    def _sessions(self, answer: str) -> dict[str, str]:
        """{name: state} of the configuration sessions.

        From EOS 4.32 the one whose timer runs is named beside them.
        """
        try:
            told = json.loads(answer)
            states = {name: str(session["state"]) for name, session in told["sessions"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DeviceError(
                f"{self.access.where}: cannot {CHANGE}: `show configuration sessions detail | json` told no "
                "sessions; see whether this EOS has them, and a timer for their commit"
            ) from error
        timed = told.get("commitTimerSessionName")
        return states | ({str(timed): "pendingCommitTimer"} if timed else {})
