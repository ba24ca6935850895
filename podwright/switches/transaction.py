"""A change to a device that either holds or never was, whatever protocol carries it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from podwright.errors import DeviceError, SessionLost
from podwright.switches.access import Access
from podwright.switches.probe import answering, silent_hosts
from podwright.switches.state import SwitchState, difference

TRIAL_TIMEOUT_S = 60
"""How long a device waits for the confirmation of a change before it takes it back by itself."""

PROBE_TIMEOUT_S = 10
"""How long hosts behind a device may take to answer again after a change, such as while spanning tree settles."""

# What becomes of a change when the session is lost at the commit, at the confirmation, and in between.
UNANSWERED = "a change that reached the switch all the same is taken back by itself within {} s"
UNCONFIRMED = (
    "the switch keeps the change if the confirmation reached it, else it takes the change back by itself within {} s: "
    "deploy again after that"
)
AFTERWARDS = "that was after the change, which the device takes back by itself"


class Trial(Protocol):
    """A change on trial: its steps as one kind of session takes them.

    Each step raises DeviceError when the device refuses it, and SessionLost when the device does not answer any more.
    """

    @property
    def access(self) -> Access:
        """The device."""

    def lock(self) -> None:
        """Keep others from changing the device, or refuse and name who does so now."""

    def stage(self, payload: str) -> None:
        """Hand the device a change that does not take effect yet."""

    def commit_on_trial(self, timeout_s: int) -> None:
        """Make the change take effect; the device takes it back by itself unless it is confirmed in time.

        When the device refuses, nothing of the change is in effect.
        """

    def probe(self) -> None:
        """Log in to the device anew."""

    def confirm(self) -> None:
        """Make the change stay."""

    def save(self) -> None:
        """Make the change outlive a restart, on a device where that takes a word of its own."""

    def take_back(self) -> None:
        """Undo a change on trial at once."""

    def discard(self) -> None:
        """Forget a change that has not taken effect."""

    def unlock(self) -> None:
        """Let others change the device."""

    def abandon(self) -> None:
        """End the session without asking the device, which then gives up the lock and the change on trial itself."""


def commit(trial: Trial, payload: str, read: Callable[[], SwitchState], expected: SwitchState) -> None:
    """Make a change: lock, stage, commit on trial, probe, read back, confirm, save.

    The change is confirmed once the device has answered over a new login, the hosts behind it that answered before
    answer still, and the device says that it is what it shall be. Until then the device takes the change back should
    the controller die or be cut off by it.

    Args:
        trial: the session.
        payload: the change, in the device's syntax.
        read: reads the running configuration over that session.
        expected: what that shall be after the change.

    Raises:
        DeviceError: the change was refused or taken back; the device is as it was, or the message says what it is.
    """
    answered = answering(trial.access.probes)
    tidying: list[Callable[[], None]] = []
    try:
        trial.lock()
        tidying = [trial.discard, trial.unlock]
        trial.stage(payload)
        end = time.monotonic() + TRIAL_TIMEOUT_S
        with _adding(UNANSWERED.format(TRIAL_TIMEOUT_S)):
            trial.commit_on_trial(TRIAL_TIMEOUT_S)
        tidying = [trial.take_back, trial.discard, trial.unlock]
        _probe(trial, answered)
        with _adding(AFTERWARDS):
            observed = read()
        _hurry(trial, end)
        insist(trial.access, observed, expected)
        with _adding(UNCONFIRMED.format(TRIAL_TIMEOUT_S)):
            trial.confirm()
        tidying = [trial.unlock]
        trial.save()
    except SessionLost:
        trial.abandon()
        raise
    except BaseException:
        _tidy(trial, tidying)
        raise
    trial.unlock()


def insist(access: Access, observed: SwitchState, expected: SwitchState) -> None:
    """Refuse a device that keeps something else than it accepted.

    Raises:
        DeviceError: it does.
    """
    lost = difference(observed, expected)
    if lost:
        names = [*(f"VLAN {vlan}" for vlan in lost.vlans), *lost.ports, *(["priority"] if lost.priority else [])]
        raise DeviceError(
            f"{access.where}: the switch said ok and kept something else: {', '.join(names)} differ when read back; "
            "the change is taken back; see the switch's log, and compare its models with what the driver sends"
        )


@contextmanager
def _adding(consequence: str) -> Iterator[None]:
    """Have the loss of the session say what becomes of the change."""
    try:
        yield
    except SessionLost as error:
        raise SessionLost(f"{error}; {consequence}") from error


def _probe(trial: Trial, answered: Iterable[str]) -> None:
    """See that the controller still reaches a device that has taken a change, and the hosts behind it."""
    try:
        trial.probe()
    except DeviceError as error:
        raise DeviceError(f"{error}; {AFTERWARDS}") from error
    silent = silent_hosts(answered, PROBE_TIMEOUT_S)
    if silent:
        raise DeviceError(
            f"{trial.access.where}: after the change {', '.join(silent)} did not answer any more; the device takes the "
            "change back; see which VLAN of which port they are reached by"
        )


def _hurry(trial: Trial, end: float) -> None:
    """Refuse to go on so late that the device may have taken the change back already."""
    if time.monotonic() > end:
        raise DeviceError(
            f"{trial.access.where}: proving the change took longer than the {TRIAL_TIMEOUT_S} s after which the device "
            "takes it back by itself; see why the switch answers so slowly, and deploy again"
        )


def _tidy(trial: Trial, steps: Iterable[Callable[[], None]]) -> None:
    """Clean up after a failure, which is what counts; a device that does not answer is asked no more."""
    for step in steps:
        try:
            step()
        except SessionLost:
            trial.abandon()
            return
        except DeviceError:
            continue
