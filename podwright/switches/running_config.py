"""The running configuration of switches with the command line that Cisco's IOS made common: text of a state, and back.

Such switches differ in indentation, in what they leave out because it is the default, and in a few words. That is a
`Dialect`; all else is the same and is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from podwright.errors import DeviceError, PodwrightError
from podwright.switches.state import ALL_VLANS, Port, SwitchState, range_ids, range_texts

DEFAULT_VLAN = 1
"""VLAN of an access port, and native VLAN of a trunk, for which none is configured; no device says so."""

DEFAULT_PRIORITY = 32768
"""IEEE 802.1Q-2018 table 13-2; no device says so either."""

LONGEST_VLAN_NAME = 32
"""IEEE 802.1Q-2018 12.10.2.1.3."""

_ALLOWED = "switchport trunk allowed vlan "
_NATIVE = "switchport trunk native vlan "
_ACCESS = "switchport access vlan "
_SWITCHED_PORT = re.compile(r"interface ((?!App)(?:\w*(?:Ethernet|GigE)|[Pp]ort-[Cc]hannel)\d+(?:/\d+)*)")
_VLANS = re.compile(r"vlan (\d[\d,-]*)")
# What makes an interface something else than a switched port of its own: a routed one, or a member of a channel.
_FOREIGN = (
    *("ip address", "no ip address", "vrf ", "channel-group ", "encapsulation "),
    *("switchport mode dot1q-tunnel", "switchport mode private-vlan", "switchport mode fabricpath"),
)
_OURS = ("description ", "shutdown", "no shutdown", "switchport", "no switchport", "spanning-tree ", *_FOREIGN)


@dataclass(frozen=True)
class Dialect:
    """How a platform writes what all such platforms have."""

    indent: str
    separator: str
    """The line between sections."""

    example_port: str
    spanning_tree_mode: str
    priority: str
    """Command of the bridge priority, up to the number."""

    path_cost: str
    """Command of a port's path cost, up to the number."""

    edge: Mapping[Literal["access", "trunk"], str]
    longest_description: int
    """Characters."""

    width: int | None
    """Columns after which a list of allowed VLANs goes on in a line with `add`; None where it never does."""

    preamble: tuple[str, ...] = ()
    """Lines that hold in every state."""

    switchport_first: bool = False
    """Whether a port has to be told `switchport` on models where it is routed by default."""

    access_is_default: bool = True
    """Whether a port is an access port unless told otherwise; else it negotiates with its neighbour what it is."""

    reserved_vlans: frozenset[int] = frozenset({DEFAULT_VLAN})
    """VLANs that the platform has by itself, which can be neither made nor removed."""


def configuration(dialect: Dialect, state: SwitchState) -> str:
    """The running configuration of a device in a state, as far as it is podwright's.

    Raises:
        PodwrightError: the platform cannot be in that state; all the reasons.
    """
    check(dialect, state)
    return text_of(dialect, sections_of(dialect, state))


def sections_of(dialect: Dialect, state: SwitchState) -> list[list[str]]:
    """The sections of a configuration: a line at the margin, and those under it, none folded or indented."""
    heads = [*dialect.preamble, *_spanning_tree(dialect, state.priority)]
    vlans = [[f"vlan {vlan}", *_vlan_lines(name)] for vlan, name in sorted((state.vlans or {}).items())]
    ports = [[f"interface {name}", *_port_lines(dialect, port)] for name, port in _sorted_ports(state.ports or {})]
    return [*([line] for line in heads), *vlans, *ports]


def _vlan_lines(name: str) -> list[str]:
    return [f"name {name}"] if name else []


def text_of(dialect: Dialect, sections: Sequence[Sequence[str]]) -> str:
    """Sections as the device writes them."""
    lines: list[str] = []
    for head, *children in sections:
        lines += [head, *(f"{dialect.indent}{line}" for child in children for line in folded(child, dialect.width))]
        lines += [dialect.separator] if children or _VLANS.fullmatch(head) or head.startswith("interface ") else []
    return "".join(f"{line}\n" for line in lines)


def folded(line: str, width: int | None) -> list[str]:
    """A line that allows VLANs as the lines of at most `width` columns that do so."""
    if width is None or len(line) <= width or not line.startswith(_ALLOWED):
        return [line]
    head, lines = _ALLOWED, [""]
    for item in line.removeprefix(_ALLOWED).removeprefix("add ").split(","):
        if lines[-1] and len(f"{head}{lines[-1]},{item}") > width:
            head = f"{_ALLOWED}add "
            lines.append("")
        lines[-1] += f",{item}" if lines[-1] else item
    first = f"{_ALLOWED}add " if line.startswith(f"{_ALLOWED}add ") else _ALLOWED
    return [f"{first}{lines[0]}", *(f"{_ALLOWED}add {more}" for more in lines[1:])]


def _spanning_tree(dialect: Dialect, priority: int | None) -> list[str]:
    if priority is None:
        return []
    mode = f"spanning-tree mode {dialect.spanning_tree_mode}"
    return [mode] if priority == DEFAULT_PRIORITY else [mode, f"{dialect.priority}{priority}"]


def _sorted_ports(ports: Mapping[str, Port]) -> list[tuple[str, Port]]:
    """By number, as devices list them."""
    return sorted(ports.items(), key=lambda item: [int(part) if part.isdigit() else part for part in _parts(item[0])])


def _parts(name: str) -> list[str]:
    return re.split(r"(\d+)", name)


def _port_lines(dialect: Dialect, port: Port) -> list[str]:
    """The lines under `interface`.

    An access port allows no VLAN as a trunk: should anything make it one, nothing passes, and a port of ours differs
    from an unused one in every state.
    """
    lines = [f"description {port.description}"] if port.description else []
    lines += ["shutdown"] if not port.vlans else []
    lines += ["switchport"] if dialect.switchport_first else []
    if port.mode == "access":
        if port.untagged not in (None, DEFAULT_VLAN):
            lines.append(f"{_ACCESS}{port.untagged}")
        lines.append(f"{_ALLOWED}none")
        lines += [] if dialect.access_is_default else ["switchport mode access"]
    else:
        native = _native(port)
        lines += [] if native == DEFAULT_VLAN else [f"{_NATIVE}{native}"]
        lines += [] if port.vlans == ALL_VLANS else [f"{_ALLOWED}{vlan_list(port.vlans) or 'none'}"]
        lines.append("switchport mode trunk")
    lines += [dialect.edge[port.mode]] if port.edge else []
    return lines if port.path_cost is None else [*lines, f"{dialect.path_cost}{port.path_cost}"]


def _native(port: Port) -> int:
    """The native VLAN of a trunk; where nothing passes untagged, one that the trunk does not allow."""
    if port.untagged is not None:
        return port.untagged
    return next(vlan for vlan in range(1, 4095) if vlan not in port.tagged)


def vlan_list(vlans: Iterable[int]) -> str:
    """VLANs as `10,20,101-140`."""
    return ",".join(range_texts(vlans, "-"))


def vlan_ids(text: str) -> frozenset[int]:
    """The VLANs of `10,20,101-140`.

    Raises:
        DeviceError: it is no such list.
    """
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
        raise DeviceError(f"the configuration has {text!r} where a list of VLANs such as 10,20,101-140 should be")
    return frozenset(vlan for item in text.split(",") for vlan in range_ids(item, "-"))


def parse(dialect: Dialect, text: str) -> SwitchState:
    """The state in a running configuration.

    A port on which nothing but the link is configured is unused: it is not in the state.

    Raises:
        DeviceError: a list of VLANs is not one.
    """
    vlans: dict[int, str] = {}
    ports: dict[str, Port] = {}
    heads: set[str] = set()
    found = list(sections_in(text))
    down = any(head == "system default switchport shutdown" for head, *_ in found)
    for head, *lines in found:
        heads.add(head)
        if listed := _VLANS.fullmatch(head):
            name = next((line.removeprefix("name ") for line in lines if line.startswith("name ")), "")
            # NX-OS lists all VLANs in one line before it names them, each in a section of its own.
            vlans.update({vlan: name or vlans.get(vlan, "") for vlan in vlan_ids(listed[1]) - {DEFAULT_VLAN}})
        elif (named := _SWITCHED_PORT.fullmatch(head)) and (port := _port(dialect, lines, down)):
            ports[named[1]] = port
    return SwitchState(dict(sorted(vlans.items())), dict(sorted(ports.items())), _priority(dialect, heads))


def sections_in(text: str) -> Iterator[list[str]]:
    """The sections of a running configuration: each line at the margin, with the lines indented under it."""
    section: list[str] = []
    banner_end = ""
    for line in text.splitlines():
        stripped = line.strip()
        if banner_end:
            banner_end = "" if banner_end in stripped else banner_end
        elif line.startswith("banner "):
            banner_end = _banner_end(stripped)
        elif stripped and not stripped.startswith("!"):
            if line[0] != " ":
                if section:
                    yield section
                section = []
            section.append(stripped)
    if section:
        yield section


def _banner_end(line: str) -> str:
    """What ends a banner: a line `EOF` on EOS, else the character that it began with, shown as `^C` if not printable.

    Empty for a banner that ends in its own line.
    """
    _, _, *rest = line.split(maxsplit=2)
    if not rest:
        return "EOF"
    delimiter = rest[0][:2] if rest[0].startswith("^") else rest[0][0]
    return "" if delimiter in rest[0].removeprefix(delimiter) else delimiter


def _priority(dialect: Dialect, heads: set[str]) -> int | None:
    """The bridge priority of the spanning tree that podwright uses; None where another one is in use."""
    if f"spanning-tree mode {dialect.spanning_tree_mode}" not in heads:
        return None
    told = [head.removeprefix(dialect.priority) for head in heads if head.startswith(dialect.priority)]
    return int(told[0]) if told else DEFAULT_PRIORITY


def _port(dialect: Dialect, lines: Sequence[str], down: bool) -> Port | None:
    """A switched port of its own that is in use."""
    if _is_foreign(lines) or set(lines) <= {"shutdown", "no shutdown", "switchport"}:
        return None
    trunk = "switchport mode trunk" in lines
    # A port that negotiates may become a trunk: what it may carry counts.
    negotiates = not dialect.access_is_default and "switchport mode access" not in lines
    shut = "shutdown" in lines or (down and "no shutdown" not in lines)
    mode: Literal["access", "trunk"] = "trunk" if trunk or negotiates else "access"
    carried, untagged = _carried(lines, mode)
    cost = _told(lines, dialect.path_cost)
    return Port(
        mode=mode,
        tagged=frozenset() if shut else carried - {untagged},
        untagged=None if shut else untagged,
        description=_told(lines, "description "),
        edge=_is_edge(dialect, lines),
        path_cost=int(cost) if cost else None,
    )


def _is_edge(dialect: Dialect, lines: Sequence[str]) -> bool:
    """Whether a port is an edge port; the word after the command says what else it may be."""
    told = [
        line.removeprefix(dialect.edge["access"]).split() for line in lines if line.startswith(dialect.edge["access"])
    ]
    return any(words[:1] not in (["disable"], ["network"]) for words in told)


def _carried(lines: Sequence[str], mode: Literal["access", "trunk"]) -> tuple[frozenset[int], int | None]:
    """(all VLANs, the untagged one) of a port that is not shut."""
    if mode == "access":
        access = int(_told(lines, _ACCESS) or DEFAULT_VLAN)
        return frozenset({access}), access
    allowed = _allowed(lines)
    native = int(_told(lines, _NATIVE) or DEFAULT_VLAN)
    return allowed, native if native in allowed else None


def _allowed(lines: Sequence[str]) -> frozenset[int]:
    """The VLANs that a trunk allows: all, unless lines say which."""
    allowed = ALL_VLANS
    for line in lines:
        if line.startswith(_ALLOWED):
            match line.removeprefix(_ALLOWED).split():
                case ["none"]:
                    allowed = frozenset()
                case ["all"]:
                    allowed = ALL_VLANS
                case ["add", listed]:
                    allowed |= vlan_ids(listed)
                case ["except", listed]:
                    allowed = ALL_VLANS - vlan_ids(listed)
                case words:
                    allowed = vlan_ids(" ".join(words))
    return allowed


def _told(lines: Sequence[str], command: str) -> str:
    return next((line.removeprefix(command) for line in lines if line.startswith(command)), "")


def managed(dialect: Dialect, text: str) -> str:
    """Of a running configuration, the lines that `parse` looks at: no others leave the device's session."""
    kept = [
        [head, *(line for line in lines if line.startswith((*_OURS, "name ")))]
        for head, *lines in sections_in(text)
        if _VLANS.fullmatch(head)
        or _SWITCHED_PORT.fullmatch(head)
        or head.startswith(("spanning-tree mode ", "vtp mode ", dialect.priority, "system default switchport"))
    ]
    return text_of(dialect, kept)


def ports_of(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """(all interfaces that could be switched ports, those that are something else) in a running configuration."""
    found = {
        named[1]: lines for head, *lines in sections_in(text) if (named := _SWITCHED_PORT.fullmatch(head)) is not None
    }
    foreign = {name for name, lines in found.items() if _is_foreign(lines)}
    return frozenset(found), frozenset(foreign)


def _is_foreign(lines: Sequence[str]) -> bool:
    return "no switchport" in lines or any(line.startswith(_FOREIGN) for line in lines)


def check(dialect: Dialect, state: SwitchState) -> None:
    """Refuse a state in which the platform cannot be.

    Raises:
        PodwrightError: all the reasons.
    """
    mistakes = [
        *(mistake for vlan, name in (state.vlans or {}).items() for mistake in _vlan_mistakes(dialect, vlan, name)),
        *(mistake for name, port in (state.ports or {}).items() for mistake in _port_mistakes(dialect, name, port)),
    ]
    if mistakes:
        raise PodwrightError("\n".join(mistakes))


def _vlan_mistakes(dialect: Dialect, vlan: int, name: str) -> Iterator[str]:
    if vlan in dialect.reserved_vlans:
        kept = vlan_list(dialect.reserved_vlans)
        yield f"vlans.{vlan}: the switch has the VLANs {kept} by itself, for its own ends; take another id"
    if len(name) > LONGEST_VLAN_NAME or not _is_plain(name) or " " in name:
        yield (
            f"vlans.{vlan}: {name!r} is not a VLAN name; give at most {LONGEST_VLAN_NAME} printable ASCII characters "
            "without a space"
        )


def _port_mistakes(dialect: Dialect, name: str, port: Port) -> Iterator[str]:
    if not _SWITCHED_PORT.fullmatch(f"interface {name}"):
        yield f"ports.{name}: not the name of a port; write it in full, as the switch does: {dialect.example_port}"
    text = port.description
    if len(text) > dialect.longest_description or not _is_plain(text) or " ".join(text.split()) != text:
        yield (
            f"ports.{name}.description: {text!r} is not a description; give at most {dialect.longest_description} "
            "printable ASCII characters, with single spaces between words"
        )
    if port.tagged == ALL_VLANS:
        yield f"ports.{name}.tagged: all VLANs are tagged, which leaves none to be the native one; leave one out"


def _is_plain(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text)
