"""What the ports of a Cisco switch do in fact, from its `show` commands as ntc-templates read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

from ntc_templates.parse import ParsingException, parse_output
from textfsm.parser import TextFSMError

from podwright.errors import DeviceError
from podwright.switches.running_config import vlan_ids
from podwright.switches.state import ALL_VLANS, PortForwarding, SwitchState

Template = Literal["cisco_ios", "cisco_nxos"]
"""Names of platforms among the templates that read their answers (ntc-templates)."""

COMMANDS: Mapping[Template, tuple[str, str]] = {
    "cisco_ios": ("show interfaces switchport", "show interfaces status"),
    "cisco_nxos": ("show interface switchport", "show interface status"),
}
"""{platform, by ntc-templates' name: its commands for what ports carry, and for whether they are up}"""

Told = TypeVar("Told")
Row = Mapping[str, str | list[str]]


def forwarding(platform: Template, switchport: str, status: str, configured: SwitchState) -> dict[str, PortForwarding]:
    """What the ports do that are configured; VLANs that the switch does not have pass none.

    Args:
        platform: ntc-templates' name of it.
        switchport: the answer to `show interfaces switchport`.
        status: the answer to `show interfaces status`.
        configured: the running configuration.

    Raises:
        DeviceError: the answers are not such.
    """
    commands = COMMANDS[platform]
    carried = {str(row["interface"]): row for row in _rows(platform, commands[0], switchport)}
    links = {str(row["port"]): str(row["status"]) for row in _rows(platform, commands[1], status)}
    present = frozenset(configured.vlans or ())
    result = {}
    for name in sorted(configured.ports or ()):
        row = _of_port(carried, name)
        link = _of_port(links, name)
        if row is not None and link is not None:
            result[name] = _forwarding(row, link, present)
    return result


def _forwarding(row: Row, link: str, present: frozenset[int]) -> PortForwarding:
    tagged, untagged = (frozenset[int](), None) if link == "disabled" else _carried(row)
    return PortForwarding(
        tagged=tagged & present,
        untagged=untagged if untagged in present else None,
        link_up=link == "connected",
        spanning_tree="unknown",
    )


def _carried(row: Row) -> tuple[frozenset[int], int | None]:
    """(tagged VLANs, untagged VLAN) of a port; a port that is down has a mode only by its configuration."""
    mode = str(row["mode"])
    if mode in ("down", ""):
        mode = str(row.get("admin_mode", ""))
    if "trunk" not in mode:
        return frozenset(), int(str(row["access_vlan"]))
    listed = row["trunking_vlans"]
    allowed = _vlans([listed] if isinstance(listed, str) else listed)
    native = int(str(row["native_vlan"]))
    return allowed - {native}, native if native in allowed else None


def _vlans(items: Iterable[str]) -> frozenset[int]:
    words = {"ALL": ALL_VLANS, "NONE": frozenset[int]()}
    return frozenset(vlan for item in items for vlan in (words[item.upper()] if item.isalpha() else vlan_ids(item)))


def _of_port(told: Mapping[str, Told], name: str) -> Told | None:
    """What is told of a port under its name or a shortened one, such as Gi1/0/1 for GigabitEthernet1/0/1."""
    letters, number = _split(name)
    for short, value in told.items():
        first, last = _split(short)
        if last == number and letters.lower().startswith(first.lower()):
            return value
    return None


def _split(name: str) -> tuple[str, str]:
    found = re.fullmatch(r"(\D*)(.*)", name)
    assert found is not None
    return found[1], found[2]


def _rows(platform: str, command: str, answer: str) -> list[Row]:
    try:
        rows: list[Row] = parse_output(platform=platform, command=command, data=answer)
    except (ParsingException, TextFSMError) as error:
        raise DeviceError(f"`{command}` answered what ntc-templates cannot read: {error}") from error
    return rows
