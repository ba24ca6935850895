"""XML written as calls, like `lxml.builder.ElementMaker`, for texts of thousands of elements.

That one makes a document for each element, and moves it when it gets a parent, 7 us
each. Nobody searches what a driver writes, so here an element is its text from the
start: one that many devices have can be made once and be put into each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from xml.sax.saxutils import escape

KEPT = 1 << 14
"""Elements of a kind that are kept for other devices, which have many of the same"""


class Attribute(NamedTuple):
    """An attribute of an element."""

    name: str
    """with its prefix, if it has one"""
    value: str


class Element(NamedTuple):
    """An element, with all that is in it."""

    maker: Maker
    tag: str
    rest: str
    """what follows the tag and the namespaces, indented as if the element were the root"""

    def within(self, around: Maker | None) -> str:
        """The text of the element, where the namespace of `around` is the default."""
        declared = "" if self.maker is around else self.maker.declared
        return f"<{self.tag}{declared}{self.rest}"


Content = Element | str | Attribute | None
"""What is in an element; None is nothing"""


class Maker:
    """Makes elements of a namespace: `maker.tag(...)`, or `maker("tag", ...)` where a tag is no name of Python's."""

    def __init__(self, *, namespace: str, nsmap: Mapping[str | None, str]) -> None:
        """Make elements of `namespace`, which declare `nsmap`: {prefix: namespace}, None for the default."""
        self.namespace = namespace
        self.declared = "".join(
            f' xmlns{f":{prefix}" if prefix else ""}="{escape(uri)}"' for prefix, uri in nsmap.items()
        )

    def __call__(self, tag: str, *content: Content) -> Element:
        """An element with text or elements, and attributes."""
        attributes, inside, text = "", "", None
        for part in content:
            if isinstance(part, Element):
                inside += f"\n{part.within(self)}"
            elif isinstance(part, str):
                text = _line(part)
            elif part is not None:
                attributes += f' {part.name}="{escape(part.value)}"'
        if inside:
            return Element(self, tag, f"{attributes}>{_indented(inside)}\n</{tag}>")
        return Element(self, tag, f"{attributes}/>" if text is None else f"{attributes}>{text}</{tag}>")

    def __getattr__(self, tag: str) -> Callable[..., Element]:
        def make(*content: Content) -> Element:
            return self(tag, *content)

        setattr(self, tag, make)
        return make


def document(tag: str, namespaces: Mapping[str, str], elements: Iterable[Element]) -> str:
    """The text of a root element, whose tag and attributes' names may have prefixes, with elements in it."""
    declared = "".join(f' xmlns:{prefix}="{escape(uri)}"' for prefix, uri in namespaces.items())
    inside = "".join(f"\n{element.within(None)}" for element in elements)
    return f"<{tag}{declared}>{_indented(inside)}\n</{tag}>\n" if inside else f"<{tag}{declared}/>\n"


def _line(text: str) -> str:
    """Text as one line, whatever is in it: lines are indented when they get a parent."""
    return escape(text).replace("\n", "&#10;")


def _indented(lines: str) -> str:
    return lines.replace("\n", "\n  ")
