"""What was done to leases, by whom and when; and what that says about the time to come. Pure but for `this_run`."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from podwright.allocation.grant import Lease, LeaseChange
from podwright.allocation.placement import PlacementChange
from podwright.allocation.pools import shown

PLACEMENT_POOL = "placement"
DECLARED = "declared"


class Run(NamedTuple):
    """Who changes leases: an operator or a job, on a controller, with a command."""

    operator: str
    host: str
    command: str


class Event(NamedTuple):
    """One change. `before` and `after` are states of a lease, or what a pool was declared to hold; None is none."""

    at: int
    """When (Unix time, s)"""
    pool: str
    scope: str
    value: int | None
    holder: str
    purpose: str
    before: str | None
    after: str | None

    @property
    def shown(self) -> str:
        """The value as operators write it."""
        return "" if self.value is None else shown(self.pool, self.value)  # type: ignore[arg-type]


class Recorded(NamedTuple):
    """A change that was written down, and in which run."""

    number: int
    """of the run"""
    run: Run
    event: Event


def this_run(command: str) -> Run:
    """Whoever runs this process; under sudo, whoever called it.

    Args:
        command: what it does, in words of ours: a command line may hold secrets.
    """
    try:
        operator = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        operator = str(os.getuid())
    return Run(operator[:64], socket.gethostname()[:255], command[:191])


def entries(changes: Iterable[LeaseChange] | Iterable[PlacementChange], at: int) -> Iterator[tuple[Any, ...]]:
    """The events of changes, as plain tuples: there may be 100,000."""
    for before, after in changes:
        record = after or before
        assert record is not None
        was, is_now = before and before.state, after and after.state
        if isinstance(record, Lease):
            yield (at, *record[:5], was, is_now)
        else:
            yield (at, PLACEMENT_POOL, record.scope, None, record.domain, record.hypervisor, was, is_now)
