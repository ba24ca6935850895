"""What a switch makes of commands in configuration mode, by hier_config's prediction."""

from __future__ import annotations

from collections.abc import Iterator

from hier_config import Platform, get_hconfig

from podwright.switches.remediation import driver_of
from podwright.switches.running_config import sections_in, vlan_ids, vlan_list
from podwright.switches.state import ALL_VLANS

ALLOWED = "switchport trunk allowed vlan "


class Running:
    """A running configuration. hier_config knows no ranges of VLANs: here they become what they stand for."""

    def __init__(self, platform: Platform, text: str) -> None:
        self._driver = driver_of(platform)
        self._config = get_hconfig(self._driver, "\n".join(_unfolded(text)))

    @property
    def text(self) -> str:
        return "".join(f"{child.cisco_style_text()}\n" for child in self._config.all_children())

    def give(self, commands: list[str]) -> None:
        for section in _sections(commands):
            for head in _each(section[0]):
                for lines in ([], *([line] for line in section[1:])):
                    self._become("\n".join([head, *(f" {self._whole(head, line)}" for line in lines)]))

    def _become(self, change: str) -> None:
        self._config = self._config.future(get_hconfig(self._driver, change))

    def _whole(self, head: str, line: str) -> str:
        """A line that adds to or takes from a list, as the list that comes of it."""
        word, _, listed = line.removeprefix(ALLOWED).partition(" ")
        if not line.startswith(ALLOWED) or word not in ("add", "remove"):
            return line
        allowed = self._allowed(head)
        allowed = allowed | vlan_ids(listed) if word == "add" else allowed - vlan_ids(listed)
        return f"{ALLOWED}{vlan_list(allowed) or 'none'}"

    def _allowed(self, head: str) -> frozenset[int]:
        section = self._config.get_child(equals=head)
        line = section and section.get_child(startswith=ALLOWED)
        if not line:
            return ALL_VLANS
        listed = line.text.removeprefix(ALLOWED)
        return frozenset() if listed == "none" else vlan_ids(listed)


def _unfolded(text: str) -> Iterator[str]:
    """The lines of a configuration without comments, and each list of VLANs in one line."""
    for head, *lines in sections_in(text):
        yield head
        lists = [line.removeprefix(ALLOWED).removeprefix("add ") for line in lines if line.startswith(ALLOWED)]
        yield from (f" {line}" for line in lines if not line.startswith(ALLOWED))
        if lists:
            yield f" {ALLOWED}{','.join(lists)}"


def _sections(commands: list[str]) -> Iterator[list[str]]:
    """Each command at the top with those given in the mode that it enters, up to `exit`."""
    section: list[str] = []
    for command in commands:
        if command == "exit":
            yield section
            section = []
        elif section and command.startswith(" "):
            section.append(command.strip())
        else:
            if section:
                yield section
            section = [command.strip()]
    if section:
        yield section


def _each(head: str) -> Iterator[str]:
    """`vlan 10-12` is three."""
    beginning, _, listed = head.rpartition(" ")
    if beginning not in ("vlan", "no vlan"):
        yield head
    else:
        yield from (f"{beginning} {vlan}" for vlan in sorted(vlan_ids(listed)))
