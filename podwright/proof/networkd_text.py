"""The files of systemd-networkd as text (systemd.syntax(7))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import NamedTuple

DIRECTORY = PurePosixPath("etc/systemd/network")

Sections = list[tuple[str, list[tuple[str, str]]]]
"""[(section, [(key, value)])], in the order of the file: both may occur more than once"""


class UnitFile(NamedTuple):
    """A `.netdev` or `.network` file."""

    name: str
    sections: Sections

    def values(self, section: str, key: str) -> Iterator[str]:
        """Every value of a key in all sections of a name."""
        for title, options in self.sections:
            if title == section:
                yield from (value for found, value in options if found == key)

    def each(self, section: str) -> Iterator[Mapping[str, str]]:
        """Every section of a name: {key: value}."""
        yield from (dict(options) for title, options in self.sections if title == section)

    def value(self, section: str, key: str, default: str = "") -> str:
        """The value of a key: the last one counts."""
        return [default, *self.values(section, key)][-1]

    def matched(self, links: Iterable[str]) -> list[str]:
        """The links that `[Match] Name=` is about, of those that there are (systemd.network(5))."""
        patterns = self.value("Match", "Name").split()
        return [link for link in links if any(fnmatchcase(link, pattern) for pattern in patterns)]


def unit_files(files: Mapping[str, str], suffix: str) -> list[UnitFile]:
    """The files of a device's directory of networks that end with `.netdev` or `.network`, by name."""
    paths = {path: PurePosixPath(path) for path in sorted(files)}
    return [
        UnitFile(path.name, parse(files[name]))
        for name, path in paths.items()
        if path.parent == DIRECTORY and path.suffix == suffix
    ]


def parse(text: str) -> Sections:
    """Read a file; lines that start with # or ; are comments."""
    sections: Sections = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            sections.append((line[1:-1], []))
        elif line and line[0] not in "#;" and sections:
            key, _, value = line.partition("=")
            sections[-1][1].append((key.strip(), value.strip()))
    return sections


def is_yes(value: str) -> bool:
    """Whether a value says yes (systemd.syntax(7))."""
    return value.lower() in ("1", "yes", "true", "on")


def vlan_ids(value: str) -> range:
    """The VLANs of `VLAN=` in `[BridgeVLAN]`: an id or a range."""
    first, _, last = value.partition("-")
    return range(int(first), int(last or first) + 1)
