"""Every error that podwright raises on the controller.

    PodwrightError
    ├── InvalidInput          the declaration is wrong; nothing was touched (exit code 4)
    ├── AllocationError       a lease cannot be had (exit code 4)
    │   └── DatabaseError     the database of leases cannot be used (exit code 3)
    ├── PlanError             there is no plan, or not of this inventory, or no device can have it (exit code 3)
    ├── CollectionError       what was collected cannot be kept there (exit code 3)
    ├── DeviceError           a device refused, vanished or lied (exit code 3)
    │   └── SessionLost       it does not answer any more (exit code 3)
    └── LabError              the lab cannot start, stop or be entered (exit code 3)

A message says where, what was found, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a declaration.

    `found` is None where something is missing. `line` counts from 1 and is None
    for what is wrong with a whole file.
    """

    file: str
    line: int | None
    path: str
    found: str | None
    expected: str
    remedy: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        verdict = f"{self.expected} is missing" if self.found is None else f"{self.found} is not {self.expected}"
        return ": ".join(part for part in (place, self.path, f"{verdict}; {self.remedy}") if part)


class PodwrightError(Exception):
    """Base of all; its text is meant for the operator."""

    is_invalid_input: ClassVar[bool] = False
    """Whether what was asked for has to be changed before it is asked for again (exit code 4, else 3)"""


class InvalidInput(PodwrightError):  # noqa: N818  (the input is wrong, not the program)
    """The declaration is wrong; the text lists every mistake, a line each."""

    is_invalid_input = True

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


class AllocationError(PodwrightError):
    """A lease cannot be had: a pool is empty, a value is taken."""

    is_invalid_input = True


class DatabaseError(AllocationError):
    """The database of leases cannot be reached, read or written, or is not one."""

    is_invalid_input = False


class PlanError(PodwrightError):
    """There is no plan, or it was made from another inventory or changed by hand, or no device can have it."""


class CollectionError(PodwrightError):
    """Configurations cannot be kept in a directory, or a device gave such as may not be."""


class DeviceError(PodwrightError):
    """A device refused a change, could not be reached or did not keep what it accepted."""


class SessionLost(DeviceError):  # noqa: N818  (named for what happened)
    """A device ended its session, or fell silent amid it: asking it more over that session is of no use."""


class LabError(PodwrightError):
    """The lab cannot start, stop or be entered."""
