"""YAML as keys, items and text, each with its line; what a text means is for its reader to say.

It is made from the events of libyaml's parser. Nodes and constructors, which say
what a text means, take eight times as long, and nothing that is read here needs
them: 100,000 leases are 2 s instead of 17 s.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import yaml

from podwright.errors import InvalidInput, Mistake

# Enough for every file that is read here; a file that is deeper was made to hurt.
_MAX_DEPTH = 16

# What YAML 1.2 takes for nothing (10.3.2, core schema), as long as it is not quoted.
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))


class Keys(NamedTuple):
    """A mapping."""

    line: int
    entries: dict[str, Node]
    lines: dict[str, int]
    """{key: where its value starts}"""


class Items(NamedTuple):
    """A sequence."""

    line: int
    items: list[Node]
    lines: list[int]
    """Where each item starts"""


Node: TypeAlias = Keys | Items | str | None


def read(text: str, file: str) -> Node:
    """The one document of a text; `file` is the name that mistakes give it.

    Raises:
        InvalidInput: it is not YAML, has a key twice, or anchors and aliases.
    """
    loader = _LOADER(text)
    try:
        loader.get_event()  # of the stream
        if isinstance(loader.get_event(), yaml.StreamEndEvent):
            return None
        node = _node(loader, loader.get_event(), 0)
        loader.get_event()  # the end of the document
        after = loader.get_event()
        if not isinstance(after, yaml.StreamEndEvent):
            raise _error("there is a second document", after)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        remedy = f"{problem}: correct the line or the one before it"
        raise InvalidInput([Mistake(file, mark.line + 1 if mark else None, "", "this", "YAML", remedy)]) from error
    finally:
        loader.dispose()
    return node


def shown(node: Node) -> str:
    """A node in a few words."""
    if isinstance(node, Keys | Items):
        return "a mapping" if isinstance(node, Keys) else "a list"
    if node is None:
        return "null"
    text = node if node.strip() and node.isprintable() else repr(node)
    return text if len(text) <= 80 else f"{text[:77]}..."


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _node(loader: Any, event: Any, depth: int) -> Node:
    if getattr(event, "anchor", None) is not None:
        raise _error("anchors and aliases are not understood here", event)
    if isinstance(event, yaml.ScalarEvent):
        return None if event.implicit[0] and event.value in _NULLS else str(event.value)
    if depth == _MAX_DEPTH:
        raise _error(f"more than {_MAX_DEPTH} levels", event)
    if isinstance(event, yaml.MappingStartEvent):
        return _keys(loader, event, depth)
    return _items(loader, event, depth)


def _keys(loader: Any, start: Any, depth: int) -> Keys:
    entries: dict[str, Node] = {}
    lines: dict[str, int] = {}
    while not isinstance(event := loader.get_event(), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent):
            raise _error("a key is text, neither a list nor a mapping", event)
        key = str(event.value)
        if key in entries:
            raise _error(f"{key} is there twice", event)
        event = loader.get_event()
        lines[key] = event.start_mark.line + 1
        entries[key] = _node(loader, event, depth + 1)
    return Keys(start.start_mark.line + 1, entries, lines)


def _items(loader: Any, start: Any, depth: int) -> Items:
    items: list[Node] = []
    lines: list[int] = []
    while not isinstance(event := loader.get_event(), yaml.SequenceEndEvent):
        lines.append(event.start_mark.line + 1)
        items.append(_node(loader, event, depth + 1))
    return Items(start.start_mark.line + 1, items, lines)


def _error(problem: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
