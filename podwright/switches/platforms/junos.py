"""Juniper switches with Enhanced Layer 2 Software (ELS), in Junos' own XML over NETCONF: interfaces, VLANs, RSTP.

What the elements mean: Junos OS CLI reference, statements `interface-mode`, `members`, `native-vlan-id`, `vlans` and
`rstp`. A VLAN is kept by its name there, not by its id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from lxml import etree

from podwright.switches.access import Access
from podwright.switches.junos_session import JunosSession
from podwright.switches.netconf import DELETE, NC, REPLACE, as_text
from podwright.switches.state import (
    ALL_VLANS,
    Change,
    Port,
    SwitchState,
    applied,
    difference,
    range_ids,
    range_texts,
)
from podwright.switches.transaction import commit
from podwright.switches.xml_maker import KEPT, Attribute, Element, Maker, document

JUNOS = "http://xml.juniper.net/xnm/1.1/xnm"
FILTER = f'<configuration xmlns="{JUNOS}"><interfaces/><protocols><rstp/></protocols><vlans/></configuration>'

# What Junos takes as the name of a VLAN, but for the names that this driver itself gives. The length is that of
# Juniper's published module junos-qfx-conf-vlans.
VLAN_NAME = re.compile(r"(?!vlan-\d+$)[A-Za-z][A-Za-z0-9_-]{1,63}")

junos = Maker(namespace=JUNOS, nsmap={None: JUNOS})


class Driver:
    """A switch of this platform."""

    def __init__(self, access: Access) -> None:
        self._session = JunosSession(access)

    def read(self) -> SwitchState:
        """The committed configuration."""
        return self._session.understood(parse_data, self._session.running(FILTER))

    def collect(self) -> str:
        """The `<data>` of a `<get-config>`, indented."""
        return as_text(self._session.running(FILTER))

    def forwarding(self) -> None:
        """Not told."""

    def render(self, change: Change, before: SwitchState) -> str:
        """The `<config>` of an `<edit-config>`; what is deleted was there before, for Junos complains otherwise."""
        return render(change, before)

    def apply(self, change: Change, before: SwitchState) -> None:
        """Commit a change, confirmed over a connection made after it."""
        commit(self._session, render(change, before), self.read, applied(change, before))

    def close(self) -> None:
        """Close the session."""
        self._session.close()


def configuration(state: SwitchState) -> str:
    """The `<data>` that a `<get-config>` of such a device answers, as far as podwright configures it."""
    empty = SwitchState({}, {}, None)
    return document("nc:data", NC, [_configuration(difference(empty, state), empty, None)])


def render(change: Change, before: SwitchState) -> str:
    """The `<config>` that makes a change: what differs and nothing else."""
    return document("nc:config", NC, [_configuration(change, before, REPLACE)])


def _configuration(change: Change, before: SwitchState, whole: Attribute | None) -> Element:
    """What a change makes; `whole` is the attribute of what takes the place of all that was there."""
    parts = []
    ports, ports_before = change.ports.items(), before.ports or {}
    if ports:
        parts.append(junos.interfaces(*(_interface(name, port, ports_before.get(name), whole) for name, port in ports)))
    if ports or change.priority is not None:
        priority = None if change.priority is None else junos("bridge-priority", str(change.priority))
        rstp_ports = (
            _rstp_port(name, port.path_cost, port.edge, whole) if port else _no_interface(name) for name, port in ports
        )
        parts.append(junos.protocols(junos.rstp(priority, *rstp_ports)))
    if vlans := list(_vlans(before.vlans or {}, applied(change, before).vlans or {}, whole)):
        parts.append(junos.vlans(*vlans))
    return junos.configuration(*parts)


def _interface(name: str, port: Port | None, before: Port | None, whole: Attribute | None) -> Element:
    """A port; whatever else is configured on it stays, as long as it is a port of ours."""
    if port is None:
        return _no_interface(name)
    return junos.interface(
        junos.name(name),
        *_leaf("description", port.description, before.description if before else ""),
        *_leaf("disable", not port.vlans, before is not None and not before.vlans),
        *_leaf("native-vlan-id", _native(port), _native(before)),
        junos.unit(junos.name("0"), junos.family(junos("ethernet-switching", whole, *_membership(port)))),
    )


def _no_interface(name: str) -> Element:
    return junos.interface(DELETE, junos.name(name))


def _leaf(name: str, value: str | int | bool | None, before: str | int | bool | None) -> Iterator[Element]:
    """A leaf that has a value, is deleted, or was not there and is not; True is an empty one that is there."""
    if value or (value == 0 and value is not False):
        yield junos(name) if value is True else junos(name, str(value))
    elif before:
        yield junos(name, DELETE)


def _native(port: Port | None) -> int | None:
    """The VLAN of a trunk's untagged frames."""
    return port.untagged if port is not None and port.mode == "trunk" else None


def _membership(port: Port) -> Iterator[Element]:
    """The VLANs of a port, as ranges. A trunk's native VLAN has to be a member too."""
    yield junos("interface-mode", port.mode)
    if port.vlans:
        yield junos.vlan(*(junos.members(text) for text in range_texts(port.vlans, "-")))


@lru_cache(KEPT)
def _rstp_port(name: str, cost: int | None, edge: bool, whole: Attribute | None) -> Element:
    leaf = None if cost is None else junos.cost(str(cost))
    return junos.interface(whole, junos.name(name), leaf, junos.edge() if edge else None)


def _vlans(before: Mapping[int, str], after: Mapping[int, str], whole: Attribute | None) -> Iterator[Element]:
    """What differs between two sets of VLANs; a VLAN that is kept by another name is another one for Junos."""
    old, new = _by_key(before), _by_key(after)
    for key in sorted(old.keys() - new.keys()):
        yield junos.vlan(DELETE, junos.name(key))
    for key in sorted(new, key=lambda key: new[key][0]):
        number, name = new[key]
        if old.get(key) != new[key]:
            yield _vlan(key, number, "" if name == key else name, whole)


@lru_cache(KEPT)
def _vlan(key: str, number: int, description: str, whole: Attribute | None) -> Element:
    described = junos.description(description) if description else None
    return junos.vlan(whole, junos.name(key), described, junos("vlan-id", str(number)))


def _by_key(vlans: Mapping[int, str]) -> dict[str, tuple[int, str]]:
    """{name that Junos keeps a VLAN by: (id, name)}: `vlan-ID` where the name is none for Junos, or not unique."""
    times = Counter(vlans.values())
    return {
        name if times[name] == 1 and VLAN_NAME.fullmatch(name) else f"vlan-{number}": (number, name)
        for number, name in vlans.items()
    }


def parse(text: str) -> SwitchState:
    """The switching configuration in the text of a `<data>`, as `configuration` renders it or a device tells it."""
    return parse_data(etree.fromstring(text.encode()))


def parse_data(data: Any) -> SwitchState:
    """The switching configuration in the `<data>` of a `<get-config>`; ports that are not switched are not ours.

    The namespace of Junos' elements has the release in it, and may be missing.
    """
    ids = dict(_named_vlans(data))
    rstp = {
        _text(found, "name").removesuffix(".0"): found
        for found in data.iterfind("{*}configuration/{*}protocols/{*}rstp/{*}interface")
    }
    ports = {}
    for interface in data.iterfind("{*}configuration/{*}interfaces/{*}interface"):
        switching = interface.find("{*}unit/{*}family/{*}ethernet-switching")
        if switching is not None:
            name = _text(interface, "name")
            ports[name] = _port(interface, switching, rstp.get(name), {key: number for key, (number, _) in ids.items()})
    priority = data.findtext("{*}configuration/{*}protocols/{*}rstp/{*}bridge-priority")
    return SwitchState(dict(ids.values()), ports, _priority(priority) if priority else None)


def _named_vlans(data: Any) -> Iterator[tuple[str, tuple[int, str]]]:
    for vlan in data.iterfind("{*}configuration/{*}vlans/{*}vlan"):
        key, number = _text(vlan, "name"), _text(vlan, "vlan-id")
        if number:  # without an id it is one of Junos' private or routed constructs
            yield key, (int(number), _text(vlan, "description") if key == f"vlan-{number}" else key)


def _port(interface: Any, switching: Any, rstp: Any, ids: Mapping[str, int]) -> Port:
    carried = frozenset(
        vlan for found in switching.iterfind("{*}vlan/{*}members") for vlan in _member_ids(found.text, ids)
    )
    mode = "trunk" if _text(switching, "interface-mode") == "trunk" else "access"
    native = _text(interface, "native-vlan-id")
    untagged = next(iter(carried), None) if mode == "access" else int(native) if native else None
    enabled = interface.find("{*}disable") is None
    cost = "" if rstp is None else _text(rstp, "cost")
    return Port(
        mode="trunk" if mode == "trunk" else "access",
        tagged=carried - {untagged} if enabled and mode == "trunk" else frozenset(),
        untagged=untagged if enabled else None,
        description=_text(interface, "description"),
        edge=rstp is not None and rstp.find("{*}edge") is not None,
        path_cost=int(cost) if cost else None,
    )


def _member_ids(text: str, ids: Mapping[str, int]) -> range | frozenset[int]:
    """A member: `all`, a name, an id, or a range of ids."""
    if text == "all":
        return ALL_VLANS
    if text in ids:
        return range(ids[text], ids[text] + 1)
    return range_ids(text, "-")


def _priority(text: str) -> int:
    """A bridge priority, which Junos shows as a number or in units of 4096 as `4k`, `8k` and so on."""
    return int(text[:-1]) * 1024 if text.endswith("k") else int(text)


def _text(element: Any, name: str) -> str:
    text: str = element.findtext(f"{{*}}{name}", "")
    return text
