"""Cables from a tier to the one below: a lane for each device of the upper tier, and taps down to the lower one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from podwright.graph.blocks import Box, Line

LANE = 9.0
"""from one lane to the next"""


class Cable(NamedTuple):
    """A cable between two devices that are drawn."""

    upper: str
    lower: str
    hint: str


class Row(NamedTuple):
    """Boxes of a lower tier that stand in a row."""

    top: float
    """the y above which there is room for lanes, `lanes_height` of it"""
    boxes: Sequence[Box]


def lanes_height(upper: Sequence[Box]) -> float:
    """The room between two tiers."""
    return LANE * (len(upper) + 1)


def wire(upper: Sequence[Box], rows: Sequence[Row], cables: Iterable[Cable]) -> list[Line]:
    """Draw the cables from the devices of a tier to rows of devices below.

    A device's lane comes down from it, runs above the first row, and goes on to the others at the left, from x = 0.

    Args:
        upper: the boxes of the tier.
        rows: the boxes below.
        cables: between them.
    """
    by_pair: dict[tuple[str, str], list[str]] = {}
    for cable in cables:
        by_pair.setdefault((cable.upper, cable.lower), []).append(cable.hint)
    lines: list[Line] = []
    for number, device in enumerate(upper):
        taps = [_taps(device, number, len(upper), row, by_pair) for row in rows]
        lines += _lane(device, number, len(upper), taps)
        lines += [tap for row in taps for tap in row]
    return lines


def _taps(device: Box, number: int, of: int, row: Row, cables: Mapping[tuple[str, str], Sequence[str]]) -> list[Line]:
    """From each box of a row up to the lane of a device."""
    taps = []
    for box in row.boxes:
        hints = cables.get((device.name, box.name))
        if hints:
            x = box.x + box.width * (number + 1) / (of + 1)
            lane = row.top - LANE * (of - number)
            taps.append(Line(((x, box.y), (x, lane)), _kind(number), "; ".join(hints), joint=True))
    return taps


def _lane(device: Box, number: int, of: int, taps: Sequence[Sequence[Line]]) -> list[Line]:
    """The lane of a device: from below it to the last tap of each row."""
    used = [row for row in taps if row]
    if not used:
        return []
    start = device.x + device.width / 2 + (number - (of - 1) / 2) * 3
    down = number * LANE
    lines = []
    for row_number, row in enumerate(used):
        lane = row[0].points[-1][1]
        ends = [tap.points[-1][0] for tap in row]
        if row_number == 0:
            lines.append(Line(((start, device.bottom), (start, lane)), _kind(number), device.name))
            ends.append(start)
        if len(used) > 1:
            ends.append(down)
        lines.append(Line(((min(ends), lane), (max(ends), lane)), _kind(number), device.name))
    if len(used) > 1:
        first, last = (row[0].points[-1][1] for row in (used[0], used[-1]))
        lines.append(Line(((down, first), (down, last)), _kind(number), device.name))
    return lines


def _kind(number: int) -> str:
    return f"cable cable-{number % 4}"
