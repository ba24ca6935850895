"""Blocks of a picture: boxes and lines that have a size and can be put beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

FONT_SIZE = 11.0
LINE_HEIGHT = 15.0
CHARACTER = 7.0
"""The width of a character at most: 0.602 em in DejaVu Sans Mono, which some programs round up to whole pixels"""
PADDING = 7.0


@dataclass(frozen=True)
class Box:
    """A rectangle with lines of text at its top."""

    name: str
    kind: str
    lines: tuple[str, ...]
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    fill: str = ""
    """a colour of its own; else that of its kind"""
    hint: str = ""
    """what the pointer shows"""

    @property
    def right(self) -> float:
        """The x of its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of its lower side."""
        return self.y + self.height


class Line(NamedTuple):
    """A cable, or a part of several."""

    points: tuple[tuple[float, float], ...]
    kind: str
    hint: str = ""
    joint: bool = False
    """whether its last point is where it joins another line"""


@dataclass(frozen=True)
class Block:
    """Boxes and lines within a width and a height."""

    width: float
    height: float
    boxes: tuple[Box, ...] = ()
    lines: tuple[Line, ...] = ()

    def moved(self, right: float, down: float) -> Block:
        """The same somewhere else; its size counts from where it was."""
        return replace(
            self,
            boxes=tuple(replace(box, x=box.x + right, y=box.y + down) for box in self.boxes),
            lines=tuple(
                line._replace(points=tuple((x + right, y + down) for x, y in line.points)) for line in self.lines
            ),
        )


def text_box(name: str, kind: str, lines: Sequence[str], fill: str = "", hint: str = "") -> Box:
    """A box that is as large as its text."""
    width = max(len(line) for line in lines) * CHARACTER + 2 * PADDING
    height = len(lines) * LINE_HEIGHT + 2 * PADDING - 4
    return Box(name, kind, tuple(lines), width, height, fill=fill, hint=hint)


def of_box(box: Box) -> Block:
    """A block of one box."""
    return Block(box.width, box.height, (box,))


def beside(blocks: Iterable[Block], gap: float) -> Block:
    """Blocks in a row, their upper sides in line."""
    return _joined(_in_turn(blocks, gap, 1, 0))


def below(blocks: Iterable[Block], gap: float) -> Block:
    """Blocks in a column, their left sides in line."""
    return _joined(_in_turn(blocks, gap, 0, 1))


def in_rows(items: Sequence[Block], columns: int) -> list[Sequence[Block]]:
    """Rows of so many."""
    return [items[first : first + columns] for first in range(0, len(items), columns)]


def framed(name: str, kind: str, lines: Sequence[str], content: Block, hint: str = "") -> Block:
    """A block in a box, below the text of the box."""
    title = text_box(name, kind, lines)
    width = max(title.width, content.width + 2 * PADDING)
    height = title.height + (content.height + PADDING if content.boxes else 0)
    frame = Box(name, kind, tuple(lines), width, height, hint=hint)
    inside = content.moved(PADDING, title.height)
    return Block(width, height, (frame, *inside.boxes), inside.lines)


def _in_turn(blocks: Iterable[Block], gap: float, right: int, down: int) -> Iterator[tuple[Block, float, float]]:
    x = y = 0.0
    for block in blocks:
        yield block.moved(x, y), x, y
        x += right * (block.width + gap)
        y += down * (block.height + gap)


def _joined(placed: Iterable[tuple[Block, float, float]]) -> Block:
    placed = list(placed)
    return Block(
        max((x + block.width for block, x, _ in placed), default=0.0),
        max((y + block.height for block, _, y in placed), default=0.0),
        tuple(box for block, _, _ in placed for box in block.boxes),
        tuple(line for block, _, _ in placed for line in block.lines),
    )
