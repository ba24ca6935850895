"""Make a switch what it shall be, and see that it is."""

from __future__ import annotations

from dataclasses import dataclass

from podwright.errors import DeviceError
from podwright.switches.driver import Driver
from podwright.switches.state import Change, SwitchState, applied, difference


@dataclass(frozen=True)
class Outcome:
    """What a switch was, what of it had to change, and what it is now."""

    before: SwitchState
    change: Change
    after: SwitchState
    """What the change makes of it, whether or not the change was made."""

    observed: SwitchState
    """The running configuration, read last."""

    forwarding: SwitchState | None
    """What the switch says that it does; None when it does not tell."""


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
        driver.apply(change)
        observed = driver.read()
        _insist(observed, after)
    return Outcome(before, change, after, observed, driver.forwarding())


def _insist(observed: SwitchState, expected: SwitchState) -> None:
    lost = difference(observed, expected)
    if lost:
        names = [*(f"VLAN {vlan}" for vlan in lost.vlans), *lost.ports, *(["priority"] if lost.priority else [])]
        raise DeviceError(
            f"the switch said ok and kept something else: {', '.join(names)} differ when read back; "
            "see its log, and compare its models with what the driver sends"
        )
