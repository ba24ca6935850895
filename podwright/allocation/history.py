"""What was done to leases, by whom and when; and what that says about the time to come. Pure but for `this_run`."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from podwright.allocation.changes import Change, Record
from podwright.allocation.grant import Lease
from podwright.allocation.placement import Placement
from podwright.allocation.pools import pool_name, shown
from podwright.allocation.volumes import Volume

PLACEMENT_POOL = Placement.pool
VOLUME_POOL = Volume.pool
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
        return "" if self.value is None else shown(pool_name(self.pool), self.value)


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


def entries(changes: Iterable[Change], run: int, at: int) -> Iterator[tuple[Any, ...]]:
    """Changes of leases, placements, volumes as plain rows, for there may be 100,000: a run's number and an event."""
    for before, after in changes:
        record = after or before
        if isinstance(record, Lease):
            yield (run, at, *record[:5], before and before.state, after and after.state)
        elif record is not None:
            was, is_now = before and _standing(before), after and _standing(after)
            yield (run, at, record.pool, record.scope, None, record.domain, record.where, was, is_now)


def _standing(record: Record) -> str:
    """The state; of a volume, how large it is in it: `held 10 GiB`."""
    return f"{record.state} {record.size_gib} GiB" if isinstance(record, Volume) else record.state


def size_gib_of(standing: str | None) -> int:
    """How large a volume was before or after a change; 0 when there was none.

    Raises:
        ValueError: it is not what `entries` say of a volume.
    """
    if standing is None:
        return 0
    match = re.fullmatch("(held|releasing) ([0-9]{1,10}) GiB", standing)
    if match is None:
        raise ValueError(standing)
    return int(match[2])
