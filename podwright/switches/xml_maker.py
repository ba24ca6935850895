"""XML written as calls: the same as with `lxml.builder.ElementMaker`, for texts of thousands of elements.

That one makes a document for each element, and moves it when it gets a parent, 7 us
each. Nobody searches what a driver writes, so here it becomes text at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape


class Tree:
    """An element, with all that is in it."""

    __slots__ = ("attributes", "children", "maker", "tag", "text")

    def __init__(self, maker: Maker, tag: str, content: Sequence[Tree | str | Mapping[str, str]]) -> None:
        self.maker = maker
        self.tag = tag
        self.text: str | None = None
        self.attributes = ""
        self.children: list[Tree] = []
        for part in content:
            if isinstance(part, Tree):
                self.children.append(part)
            elif isinstance(part, str):
                self.text = part
            else:
                self.attributes = "".join(f' {name}="{escape(value)}"' for name, value in part.items())

    def append(self, child: Tree) -> None:
        """Put an element at the end."""
        self.children.append(child)

    def forget_attributes(self) -> None:
        """Leave out all attributes, here and in all that is in the element."""
        self.attributes = ""
        for child in self.children:
            child.forget_attributes()

    def write(self, lines: list[str], indent: str, around: Maker | None) -> None:
        """Add the element's lines; `around` is whose namespace is the default there."""
        head = self.tag + self.attributes if self.maker is around else self.tag + self.maker.declared + self.attributes
        if self.children:
            lines.append(f"{indent}<{head}>")
            for child in self.children:
                child.write(lines, indent + "  ", self.maker)
            lines.append(f"{indent}</{self.tag}>")
        elif self.text is None:
            lines.append(f"{indent}<{head}/>")
        else:
            lines.append(f"{indent}<{head}>{escape(self.text)}</{self.tag}>")


class Maker:
    """Makes elements of a namespace: `maker.tag(...)`, or `maker("tag", ...)` where a tag is no name of Python's."""

    def __init__(self, *, namespace: str, nsmap: Mapping[str | None, str]) -> None:
        """Make elements of `namespace`, which declare `nsmap`: {prefix: namespace}, None for the default."""
        self.namespace = namespace
        self.declared = "".join(
            f' xmlns{f":{prefix}" if prefix else ""}="{escape(uri)}"' for prefix, uri in nsmap.items()
        )

    def __call__(self, tag: str, *content: Tree | str | Mapping[str, str]) -> Tree:
        """An element with text, attributes ({qualified name: value}) and elements in it."""
        return Tree(self, tag, content)

    def __getattr__(self, tag: str) -> Callable[..., Tree]:
        def make(*content: Any) -> Tree:
            return Tree(self, tag, content)

        setattr(self, tag, make)
        return make


def document(tag: str, namespaces: Mapping[str, str], trees: Iterable[Tree]) -> str:
    """The text of a root element, whose tag and attributes' names may have prefixes, with elements in it."""
    lines: list[str] = []
    for tree in trees:
        tree.write(lines, "  ", None)
    declared = "".join(f' xmlns:{prefix}="{escape(uri)}"' for prefix, uri in namespaces.items())
    if not lines:
        return f"<{tag}{declared}/>\n"
    return "\n".join([f"<{tag}{declared}>", *lines, f"</{tag}>", ""])
