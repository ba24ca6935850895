"""Room: what is left of things that have limits, and how people read of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from operator import truediv


def unlimited(limits: Iterable[int | None]) -> tuple[float, ...]:
    """The limits as numbers to count down from; None is no limit."""
    return tuple(inf if limit is None else limit for limit in limits)


def share(needs: Iterable[int], left: Iterable[float]) -> float:
    """The largest share that somebody needs of anything that is left (of what is not limited: none)."""
    return max(map(truediv, needs, left), default=0)


def left_in_words(left: Sequence[float], needs: Sequence[int], units: Sequence[str]) -> str:
    """What is left of all that is limited, and how much of it is missing."""
    missing = [need - amount for amount, need in zip(left, needs, strict=True)]
    short = amounts(missing, units, [amount > 0 for amount in missing])
    return amounts(left, units, [amount != inf for amount in left]) + (f" ({short} too few)" if short else "")


def amounts(numbers: Sequence[float], units: Sequence[str], which: Sequence[bool]) -> str:
    """`1 vCPUs, 100 MiB and 500 IOPS`."""
    words = [f"{number} {unit}" for number, unit, shown in zip(numbers, units, which, strict=True) if shown]
    return " and ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])


def pod_in_words(scope: str) -> str:
    """`east/p1` is `pod p1 in zone east`."""
    zone, _, pod = scope.partition("/")
    return f"pod {pod} in zone {zone}"


def pod_path(scope: str) -> str:
    """Where a pod is declared."""
    zone, _, pod = scope.partition("/")
    return f"zones.{zone}.pods.{pod}"


def some(names: Sequence[str], at_most: int = 8) -> str:
    """The first of many, for people."""
    more = len(names) - at_most
    return ", ".join([*names[:at_most], *([f"{more} more"] if more > 0 else [])])
