"""What holds for ranges of numbers and of addresses alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from podwright.model.checks.declaration import Declaration
from podwright.model.document import Finding, KeyPath
from podwright.model.fields import AddressesBetween, NumberRange

Range = TypeVar("Range", NumberRange, AddressesBetween)


def with_paths(declared: Sequence[Range] | None, path: KeyPath) -> list[tuple[Range, KeyPath]]:
    """The ranges that `path` lists, each with its own path; without those that are wrong."""
    return [(item, (*path, index)) for index, item in enumerate(declared or ()) if item]


def apart(declaration: Declaration, ranges: Sequence[tuple[Range, KeyPath]]) -> Iterator[Finding]:
    """A mistake for each range that overlaps another."""
    ordered = sorted(ranges, key=lambda one: (one[0].first, one[0].last))
    furthest = None
    for item, path in ordered:
        if furthest is not None and item.first <= furthest[0].last:
            remedy = f"{declaration.where(furthest[1])} is {furthest[0]}: leave out what both have"
            yield Finding(path, str(item), "a range of its own", remedy)
        if furthest is None or item.last > furthest[0].last:
            furthest = (item, path)
