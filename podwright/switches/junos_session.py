"""A NETCONF session with a Junos device, whose confirmed commit is Junos' own."""

from __future__ import annotations

import math
import time
from typing import Any

from lxml import etree
from ncclient.operations import RPCError
from ncclient.operations.rpc import RaiseMode

from podwright.errors import DeviceError
from podwright.switches.netconf import CHANGE, Session


class JunosSession(Session):
    """A `Trial` of `commit confirmed` (Junos XML Management Protocol Developer Guide, `<commit-configuration>`).

    A change on trial hangs on a clock of the device, in whole minutes, and not on this session.
    """

    _trial_ends: float = 0

    def lock(self) -> None:
        """Lock the candidate as `configure exclusive` does.

        What someone has left in it uncommitted is not discarded: an operator in the CLI edits the same candidate.
        """
        device = self._opened()
        with self._asking(CHANGE):
            try:
                device.lock("candidate")
            except RPCError as error:
                raise DeviceError(
                    f"{self.access.where}: the candidate configuration cannot be locked: {str(error.message).strip()}; "
                    "wait until whoever edits it has committed it or rolled it back (`rollback 0`)"
                ) from error

    def stage(self, payload: str) -> None:
        """Edit the candidate; `payload` is the `<config>` of an `<edit-config>`."""
        with self._asking(CHANGE):
            self._opened().edit_config(payload, target="candidate")

    def commit_on_trial(self, timeout_s: int) -> None:
        """Commit until the whole minutes in which `timeout_s` fits have passed."""
        minutes = max(1, math.ceil(timeout_s / 60))
        with self._asking(CHANGE):
            self._ask(
                f"<commit-configuration><confirmed/><confirm-timeout>{minutes}</confirm-timeout></commit-configuration>"
            )
        self._trial_ends = time.monotonic() + timeout_s

    def confirm(self) -> None:
        """Commit again, which confirms."""
        with self._asking("confirm the change"):
            self._ask("<commit-configuration/>")

    def save(self) -> None:
        """Nothing: what is committed outlives a restart."""

    def take_back(self) -> None:
        """Load and commit what was committed before, unless the device may have done so itself.

        After that, what was committed before is the change.
        """
        if time.monotonic() < self._trial_ends:
            with self._asking("take the change back"):
                self._ask('<load-configuration rollback="1"/>')
                self._ask("<commit-configuration/>")

    def _ask(self, operation: str) -> None:
        self._opened().dispatch(etree.fromstring(operation))

    def _connect(self) -> Any:
        opened = super()._connect()
        # Junos warns of what it does all the same, such as a statement that is not there and shall go.
        opened.raise_mode = RaiseMode.ERRORS
        return opened
