"""What steps take, told as soon as each is done: a bench that is stopped has said what it knew."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import TypeVar

from rich.text import Text

from podwright.report import console

Result = TypeVar("Result")
Argument = TypeVar("Argument")


def heading(title: str, *columns: str) -> None:
    """Begin a table."""
    console.print()
    console.print(Text(title, style="bold"))
    row("", *columns)


def row(name: str, *figures: str) -> None:
    """A line of it."""
    console.print(Text(f"{name:<52}" + "".join(f"{figure:>14}" for figure in figures)), soft_wrap=True)


def cpu_s(step: Callable[[], Result]) -> tuple[float, Result]:
    """(Processor seconds of this process, what the step returns)."""
    started = time.process_time()
    result = step()
    return time.process_time() - started, result


def most_memory() -> str:
    """The most memory that this process has had: Linux counts it in KiB (getrusage(2))."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"


def alone(measure: Callable[[Argument], Result], argument: Argument) -> Result:
    """Measure in a new process, whose memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (argument,))
