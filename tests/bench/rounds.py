"""Measuring on a machine that others use, too: what is compared takes turns, and ratios are those of each turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Side:
    """Something that can be done again and again."""

    once: Callable[[int], object]
    """Does it for the given number of times before"""
    times: int = 1
    """How often it is done in a turn"""
    units: int = 1
    """How many leases one of them is"""


@dataclass
class Measured:
    """What a side took in each turn, for one lease."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Leases a second."""
        return 1 / median(self.wall_s)

    @property
    def cpu_us(self) -> float:
        """Microseconds of this process's CPU for one lease."""
        return median(self.cpu_s) * 1e6

    def slower_than(self, other: Measured) -> float:
        """How many times as long as another side it took, of the same turns."""
        return median(mine / its for mine, its in zip(self.wall_s, other.wall_s, strict=True))

    def cpu_slower_than(self, other: Measured) -> float:
        """How many times as much CPU as another side it took, of the same turns."""
        return median(mine / its for mine, its in zip(self.cpu_s, other.cpu_s, strict=True))


def take_turns(sides: Mapping[str, Side], turns: int, at_most_s: float) -> dict[str, Measured]:
    """Let every side have its turns, one after the other; the first turn is for getting warm and does not count.

    Args:
        sides: what to compare.
        turns: how many, if there is time for them.
        at_most_s: no turn begins later than that.
    """
    measured = {name: Measured() for name in sides}
    done = dict.fromkeys(sides, 0)
    ends = time.perf_counter() + at_most_s
    for turn in range(turns + 1):
        if turn > 1 and time.perf_counter() > ends:
            break
        for name, side in _in_turn(sides, turn):
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            for _ in range(side.times):
                side.once(done[name])
                done[name] += 1
            leases = side.times * side.units
            if turn > 0:
                measured[name].wall_s.append((time.perf_counter() - wall_s) / leases)
                measured[name].cpu_s.append((time.process_time() - cpu_s) / leases)
    return measured


def _in_turn(sides: Mapping[str, Side], turn: int) -> Sequence[tuple[str, Side]]:
    """Forwards and backwards, so that nobody always comes after the same one."""
    order = list(sides.items())
    return order if turn % 2 else order[::-1]
