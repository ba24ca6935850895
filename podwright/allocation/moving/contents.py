"""What is moved: all that a database holds, and where each record of it stands in a file. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from podwright.allocation.grant import Lease
from podwright.allocation.history import Event, Run
from podwright.allocation.placement import Placement
from podwright.allocation.pools import DeclaredPool
from podwright.allocation.volumes import Volume
from podwright.errors import Mistake

Record = TypeVar("Record")
Key = tuple[str, str]


class Device(NamedTuple):
    """A device that may carry a lease."""

    cloud: str
    name: str
    kind: str


class PastRun(NamedTuple):
    """A run that changed something."""

    number: int
    at: int
    """When (Unix time, s)"""
    by: Run


class PastEvent(NamedTuple):
    """What a run changed."""

    run: int
    event: Event


class Contents(NamedTuple):
    """All that a database holds."""

    pools: Sequence[DeclaredPool]
    leases: Sequence[Lease]
    placements: Sequence[Placement]
    volumes: Sequence[Volume]
    devices: Sequence[Device]
    runs: Sequence[PastRun]
    history: Sequence[PastEvent]
    """In the order in which it happened"""


class Source(NamedTuple):
    """Where something stands in a file."""

    file: str
    line: int | None
    path: str

    def mistake(self, key: str, found: str | None, expected: str, remedy: str) -> Mistake:
        """What is wrong with a key of it; with it as a whole, where `key` is empty."""
        return Mistake(self.file, self.line, ".".join(filter(None, (self.path, key))), found, expected, remedy)

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Located(NamedTuple, Generic[Record]):
    """A record and where it stands."""

    record: Record
    source: Source
    outside: bool = False
    """Of a lease: that its value is no longer in its pool is known"""


class Read(NamedTuple):
    """What is right in a file, and what is not."""

    pools: Sequence[Located[DeclaredPool]]
    undeclared: Sequence[Key]
    """Pools (name, scope) that leases are from although nobody has declared them yet"""
    leases: Sequence[Located[Lease]]
    placements: Sequence[Located[Placement]]
    volumes: Sequence[Located[Volume]]
    devices: Sequence[Located[Device]]
    runs: Sequence[Located[PastRun]]
    history: Sequence[Located[PastEvent]]
    mistakes: Sequence[Mistake]
