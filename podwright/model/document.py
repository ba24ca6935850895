"""YAML documents that remember where everything in them stands.

A declaration may be spread over several files. Their mappings are merged down
to the things with a name: an account, say, stands in one file as a whole, and a
zone's pods may have a file each. Paths are tuples of keys and indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import yaml

from podwright.errors import Mistake

KeyPath: TypeAlias = tuple[str | int, ...]

# Where mappings of several files are merged; * is any name. Lists are joined.
_MERGED = {
    (),
    *((key,) for key in ("accounts", "data_centers", "images", "offerings", "vpns", "zones")),
    ("zones", "*"),
    ("zones", "*", "firewall_rules"),
    ("zones", "*", "pods"),
}
_JOINED = {("zones", "*", "cables")}


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int | None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Finding(NamedTuple):
    """A mistake by the path of what is wrong; `Document.mistake` says where that stands."""

    path: KeyPath
    found: str | None
    expected: str
    remedy: str


@dataclass
class Document:
    """What was read, where it stands, and what was wrong with its form."""

    value: Any = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    complete: bool = True
    """False where a file could not be read, so that what it declares is unknown"""

    def place(self, path: KeyPath) -> Place:
        """Where `path` stands, or, where it is missing, what should hold it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places[path]

    def mistake(self, finding: Finding) -> Mistake:
        """The finding with its place."""
        file, line = self.place(finding.path)
        return Mistake(file, line, dotted(finding.path), finding.found, finding.expected, finding.remedy)


def dotted(path: KeyPath) -> str:
    """The path as people write it: `zones.east.cables[3]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in path).removeprefix(".")


def read_document(file: str, text: str) -> Document:
    """Read one YAML document; `file` is the name that mistakes give it."""
    document = Document(places={(): Place(file, 1)})
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        document.value = _Reader(file, document, loader).read(node, ()) if node else {}
    except yaml.YAMLError as error:
        document.complete = False
        document.mistakes.append(_syntax_mistake(file, error))
    finally:
        loader.dispose()
    return document


def merge(documents: Iterable[Document]) -> Document:
    """One document of many; whatever two of them declare is a mistake that names both places."""
    merged = Document(value={})
    for document in documents:
        merged.mistakes += document.mistakes
        merged.complete &= document.complete
        for path, place in document.places.items():
            merged.places.setdefault(path, place)
        if isinstance(document.value, dict):
            merged.value = _merge(merged, document, merged.value, document.value, (), ())
        elif document.complete:
            found = Finding((), shown(document.value), "a mapping", "start with `key: value` lines")
            merged.mistakes.append(document.mistake(found))
            merged.complete = False
    return merged


def shown(value: Any) -> str:
    """A value the way it stands in a YAML file, shortened."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = f'"{value}"' if isinstance(value, str) and (not value or value.isdecimal()) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class _Reader:
    """Turns YAML nodes into values and notes their places."""

    def __init__(self, file: str, document: Document, loader: yaml.SafeLoader) -> None:
        self.file = file
        self.document = document
        self.loader = loader
        self.open: set[yaml.Node] = set()  # the nodes around this one: an alias to one of them would never end

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        if not isinstance(node, yaml.CollectionNode):
            return self.scalar(node)
        if node in self.open:
            raise _syntax_error("an alias stands for what holds it", node)
        self.open.add(node)
        value = self.mapping(node, path) if isinstance(node, yaml.MappingNode) else self.sequence(node, path)
        self.open.remove(node)
        return value

    def scalar(self, node: yaml.Node) -> Any:
        try:
            return self.loader.construct_object(node)
        except ValueError as error:  # such as the date 2026-02-30
            raise _syntax_error(str(error), node) from error

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        value: dict[str, Any] = {}
        inherited = [pair for key, merged in node.value if _is_merge(key) for pair in self.merged(merged)]
        for key_node, value_node in inherited:
            self.entry(value, key_node, value_node, path)
        own: set[str] = set()
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                continue
            key = self.key(key_node, path)
            if key in own:
                first = self.document.places[(*path, key)]
                self.wrong(key_node, (*path, key), _twice(key, first))
                continue
            own.add(key)
            self.entry(value, key_node, value_node, path)
        return value

    def sequence(self, node: yaml.Node, path: KeyPath) -> list[Any]:
        value = []
        for index, item in enumerate(node.value):
            self.note(item, (*path, index))
            value.append(self.read(item, (*path, index)))
        return value

    def entry(self, value: dict[str, Any], key_node: yaml.Node, value_node: yaml.Node, path: KeyPath) -> None:
        key = str(key_node.value)
        self.note(key_node, (*path, key))
        value[key] = self.read(value_node, (*path, key))

    def key(self, node: yaml.Node, path: KeyPath) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _syntax_error("a key is text, neither a list nor a mapping", node)
        key = str(node.value)
        if node.tag != "tag:yaml.org,2002:str":
            kind = node.tag.rpartition(":")[2]
            self.wrong(node, (*path, key), (f"{key} ({kind})", "text", f'put the name in quotes: "{key}"'))
        return key

    def merged(self, node: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """The pairs that `<<: *anchor` brings, those that win last."""
        sources = reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if isinstance(source, yaml.MappingNode):
                yield from (pair for key, value in source.value if _is_merge(key) for pair in self.merged(value))
                yield from (pair for pair in source.value if not _is_merge(pair[0]))

    def note(self, node: yaml.Node, path: KeyPath) -> None:
        self.document.places[path] = Place(self.file, node.start_mark.line + 1)

    def wrong(self, node: yaml.Node, path: KeyPath, words: tuple[str, str, str]) -> None:
        place = Place(self.file, node.start_mark.line + 1)
        self.document.mistakes.append(Mistake(*place, dotted(path), *words))


def _is_merge(key: yaml.Node) -> bool:
    return bool(key.tag == "tag:yaml.org,2002:merge")


def _syntax_error(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _twice(key: str, first: Place) -> tuple[str, str, str]:
    return (key, "declared only once", f"{first} declares it, too: remove one or join them")


def _syntax_mistake(file: str, error: yaml.YAMLError) -> Mistake:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    remedy = f"{problem}: correct the line or the one before it"
    return Mistake(file, mark.line + 1 if mark else None, "", "this", "YAML", remedy)


def _merge(merged: Document, document: Document, ours: Any, theirs: Any, path: KeyPath, pattern: KeyPath) -> Any:
    if pattern in _MERGED and isinstance(ours, dict) and isinstance(theirs, dict):
        return _merge_keys(merged, document, ours, theirs, path, pattern)
    if pattern in _JOINED and isinstance(ours, list) and isinstance(theirs, list):
        for index in range(len(theirs)):
            merged.places[(*path, len(ours) + index)] = document.places[(*path, index)]
        return ours + theirs
    finding = Finding(path, *_twice(str(path[-1]), merged.places[path]))
    merged.mistakes.append(document.mistake(finding))
    return ours


def _merge_keys(
    merged: Document, document: Document, ours: dict[str, Any], theirs: dict[str, Any], path: KeyPath, pattern: KeyPath
) -> dict[str, Any]:
    for key, value in theirs.items():
        below = (*pattern, "*" if pattern in {("zones",), ("zones", "*", "pods")} else key)
        if key in ours:
            ours[key] = _merge(merged, document, ours[key], value, (*path, key), below)
        else:
            ours[key] = value
    return ours
