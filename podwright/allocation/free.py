"""The free values of a pool, as ranges: who comes next, what a fixed value leaves, what a return closes. Pure.

Kept beside the leases, they make the lowest free value one look-up however many
leases there are. Ranges never touch: neighbours of one section are one range.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from podwright.allocation.pools import Pool


class FreeRange(NamedTuple):
    """Values from `first` to `last`, both included, of one section of a pool."""

    section: str
    last: int
    first: int


class FreeChanges(NamedTuple):
    """What became of free ranges; a range is known by its section and last value."""

    gone: list[FreeRange]
    moved: list[FreeRange]
    new: list[FreeRange]

    def __bool__(self) -> bool:
        return bool(self.gone or self.moved or self.new)


class FreeValues:
    """The free ranges of a pool, or those of them that matter for some requests.

    Made from a part of them, it knows as many of the lowest of each section as will be asked for, and for every
    value that will be taken or returned the range that holds it and those that touch it.
    """

    def __init__(self, pool: Pool, kept: Iterable[FreeRange], ranges: Iterable[FreeRange] | None = None) -> None:
        """Start from what is free.

        Args:
            pool: as it is declared.
            kept: the ranges as they are written down.
            ranges: the ranges as they are in truth, where the pool was declared anew; None when that is `kept`.
        """
        self.pool = pool
        self._before = {(each.section, each.last): each for each in kept}
        # Descending, so that the lowest range is at the end, where it is cheap to take away.
        self._sections: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for each in sorted(self._before.values() if ranges is None else ranges, reverse=True):
            self._sections[each.section].append((-each.last, each.first))

    def take_lowest(self, sections: Iterable[str], count: int = 1) -> list[int]:
        """Take the lowest free values of the first section, then of the next; fewer than `count` if all are empty."""
        taken: list[int] = []
        for section in sections:
            ranges = self._sections.get(section)
            while ranges and len(taken) < count:
                minus_last, first = ranges.pop()
                end = min(first + count - len(taken), 1 - minus_last)
                taken += range(first, end)
                if end <= -minus_last:
                    ranges.append((minus_last, end))
        return taken

    def take(self, value: int) -> bool:
        """Take this value; False when it is not free."""
        section = self.pool.section_of(value)
        if section is None:
            return False
        ranges = self._sections[section]
        index = _holder(ranges, value)
        if index < 0 or ranges[index][1] > value:
            return False
        minus_last, first = ranges.pop(index)
        if first < value:
            ranges.insert(index, (1 - value, first))
        if value < -minus_last:
            ranges.insert(index, (minus_last, value + 1))
        return True

    def give_back(self, value: int) -> None:
        """Make a value free again; one that the pool no longer has is gone."""
        section = self.pool.section_of(value)
        if section is None:
            return
        ranges = self._sections[section]
        index = _holder(ranges, value)
        first, minus_last = value, -value
        if index + 1 < len(ranges) and -ranges[index + 1][0] == value - 1:
            first = ranges.pop(index + 1)[1]
        if index >= 0 and ranges[index][1] == value + 1:
            minus_last = ranges.pop(index)[0]
            index -= 1
        ranges.insert(index + 1, (minus_last, first))

    def changes(self) -> FreeChanges:
        """What is different from the ranges that this was made from."""
        after = {
            (section, -minus_last): FreeRange(section, -minus_last, first)
            for section, ranges in self._sections.items()
            for minus_last, first in ranges
        }
        before = self._before
        return FreeChanges(
            gone=[before[key] for key in before.keys() - after.keys()],
            moved=[after[key] for key in after.keys() & before.keys() if after[key] != before[key]],
            new=[after[key] for key in after.keys() - before.keys()],
        )


def _holder(ranges: list[tuple[int, int]], value: int) -> int:
    """The index of the lowest range that ends at `value` or above; -1 when all end below."""
    return bisect_left(ranges, (-value + 1,)) - 1


def free_values(pool: Pool, taken: Iterable[int]) -> list[FreeRange]:
    """The free ranges of a pool of which all leases have these values."""
    inside: Mapping[str, list[int]] = defaultdict(list)
    for value in taken:
        section = pool.section_of(value)
        if section is not None:
            inside[section].append(value)
    return [
        FreeRange(section, each.stop - 1, each.start)
        for section, ranges in pool.sections.items()
        for whole in ranges
        for each in _gaps(whole, sorted(value for value in inside[section] if value in whole))
    ]


def _gaps(whole: range, taken: Iterable[int]) -> Iterable[range]:
    start = whole.start
    for value in taken:
        if start < value:
            yield range(start, value)
        start = value + 1
    if start < whole.stop:
        yield range(start, whole.stop)
