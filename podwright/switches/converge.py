"""Make a switch what it shall be, and see that it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from podwright.switches.driver import Driver
from podwright.switches.state import Change, PortForwarding, SwitchState, applied, astray, difference

SETTLE_TIMEOUT_S = 5
"""How long a device's forwarding plane may take to follow its configuration before that is worth telling."""


@dataclass(frozen=True)
class Outcome:
    """What a switch was, what of it had to change, and what it is now."""

    before: SwitchState
    change: Change
    after: SwitchState
    """What the change makes of it, whether or not the change was made."""

    observed: SwitchState
    """The running configuration, read last."""

    forwarding: Mapping[str, PortForwarding] | None
    """What the switch's ports do in fact, by name; None when it does not tell."""

    @property
    def astray(self) -> dict[str, str]:
        """How ports do other than they are configured to; empty too when the switch does not tell."""
        return {} if self.forwarding is None else astray(self.observed, self.forwarding)


def converge(driver: Driver, desired: SwitchState, *, dry_run: bool = False) -> Outcome:
    """Bring a switch to `desired`; with `dry_run`, see what that would take.

    Raises:
        DeviceError: the switch refused, could not be reached, or said ok and kept something else.
    """
    before = driver.read()
    change = difference(before, desired)
    after = applied(change, before)
    observed = before
    if change and not dry_run:
        driver.apply(change, before)
        observed = driver.read()
    return _settled(driver, Outcome(before, change, after, observed, driver.forwarding()))


def _settled(driver: Driver, outcome: Outcome) -> Outcome:
    """The outcome once the forwarding plane has followed the configuration, or does not in time."""
    end = time.monotonic() + SETTLE_TIMEOUT_S
    while outcome.astray and time.monotonic() < end:
        time.sleep(0.05)
        outcome = replace(outcome, forwarding=driver.forwarding())
    return outcome
