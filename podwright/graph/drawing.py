"""The picture as SVG."""

from __future__ import annotations

import svg

from podwright.graph.blocks import FONT_SIZE, LINE_HEIGHT, PADDING, Box, Line
from podwright.graph.layout import Picture

_STYLE = (
    f"text {{ font-size: {FONT_SIZE:g}px; }}"
    """
text { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1c2733; }
text.head { font-weight: bold; }
rect { fill: #ffffff; stroke: #5b6b7b; stroke-width: 1; }
.title, .note { fill: none; stroke: none; }
.zone { fill: #f4f6f8; stroke: #9aa8b5; }
.pod { fill: #e9edf1; stroke: #b4bfc9; }
.rack { fill: #e1e7ec; stroke: #b4bfc9; }
.upstream { fill: #fdf3dc; }
.firewall { fill: #f3dbdb; }
.zone_switch { fill: #dbe7f3; }
.pod_switch { fill: #dcefe5; }
.storage_server { fill: #efe3f3; }
.machine, .legend { stroke-width: 0.6; }
.routing_appliance { stroke-width: 1.6; stroke-dasharray: 4 2; }
.cable { fill: none; stroke: #5b6b7b; stroke-width: 1.4; }
.cable-0 { stroke: #2f6fab; }
.cable-1 { stroke: #c2632a; }
.cable-2 { stroke: #3b8f5a; }
.cable-3 { stroke: #8a4fa8; }
circle { stroke: none; fill: #1c2733; }
"""
)


def draw(picture: Picture) -> str:
    """Draw a picture: frames, then cables, then what stands in the frames."""
    frames = [box for box in picture.boxes if box.kind in ("zone", "pod", "rack")]
    others = [box for box in picture.boxes if box.kind not in ("zone", "pod", "rack")]
    elements: list[svg.Element] = [svg.Style(text=_STYLE)]
    elements += map(_box, frames)
    elements += (element for line in picture.lines for element in _line(line))
    elements += map(_box, others)
    image = svg.SVG(
        width=_number(picture.width),
        height=_number(picture.height),
        viewBox=svg.ViewBoxSpec(0, 0, _number(picture.width), _number(picture.height)),
        elements=[
            svg.Rect(
                x=0,
                y=0,
                width=_number(picture.width),
                height=_number(picture.height),
                class_=["title"],
                style="fill: #ffffff",
            ),
            *elements,
        ],
    )
    return f"{image.as_str()}\n"


def _box(box: Box) -> svg.G:
    elements: list[svg.Element] = [svg.Title(text=f"{box.name}: {box.hint}")] if box.hint else []
    elements.append(
        svg.Rect(
            x=_number(box.x),
            y=_number(box.y),
            width=_number(box.width),
            height=_number(box.height),
            rx=3,
            class_=[box.kind],
            style=f"fill: {box.fill}" if box.fill else None,
        )
    )
    elements += [
        svg.Text(
            x=_number(box.x + PADDING),
            y=_number(box.y + PADDING + number * LINE_HEIGHT + FONT_SIZE - 2),
            text=line,
            class_=["head"] if number == 0 and box.kind in _HEADED else None,
        )
        for number, line in enumerate(box.lines)
    ]
    return svg.G(elements=elements)


_HEADED = ("title", "zone", "pod", "rack", "firewall", "zone_switch", "pod_switch", "storage_server", "hypervisor")


def _line(line: Line) -> list[svg.Element]:
    points = [svg.Point(_number(x), _number(y)) for x, y in line.points]
    hint: list[svg.Element] = [svg.Title(text=line.hint)] if line.hint else []
    elements: list[svg.Element] = [svg.Polyline(points=points, class_=line.kind.split(), elements=hint)]
    if line.joint:
        x, y = line.points[-1]
        elements.append(svg.Circle(cx=_number(x), cy=_number(y), r=2))
    return elements


def _number(value: float) -> float:
    """A length with one digit, which is more than a screen shows."""
    return round(value, 1)
