"""Switches that serve the IETF's interfaces and IEEE 802.1Q's VLAN bridge over NETCONF (RFC 6241).

ietf-interfaces (RFC 8343) has no VLANs of ports: those are IEEE Std 802.1Q's, in its own modules over the very same
interfaces. The bridge is the switch's and is never made here, for it has an address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from lxml import etree

from podwright.errors import DeviceError, PodwrightError
from podwright.switches.access import Access
from podwright.switches.netconf import NC, REMOVE, REPLACE, Session, as_text
from podwright.switches.state import Change, Port, PortForwarding, SwitchState, applied, difference
from podwright.switches.transaction import commit
from podwright.switches.vlan_bridge import DEFAULT_VLAN, PortSettings, Registration, ids_of, settings_of
from podwright.switches.vlan_bridge_data import (
    BRIDGE,
    BRIDGE_TYPE,
    COMPONENT_TYPE,
    CONFIGURATION,
    DEVICES_CHOICE,
    FORWARDING,
    INTERFACES,
    PORT_NUMBERS,
    PREFIXES,
    PRIORITY_STEP,
    RSTP,
    UNSEEN,
    Bridge,
    add_numbers,
    parse_forwarding,
    parsed,
)
from podwright.switches.xml_maker import KEPT, Attribute, Element, Maker, document

interfaces = Maker(namespace=INTERFACES, nsmap={None: INTERFACES})
dot1q = Maker(namespace=BRIDGE, nsmap={None: BRIDGE})
rstp = Maker(namespace=RSTP, nsmap={None: RSTP})


class Driver:
    """A switch of this platform."""

    def __init__(self, access: Access) -> None:
        self._session = Session(access)
        self._bridge: Bridge | None = None

    def read(self) -> SwitchState:
        """The running configuration."""
        bridge, state = self._session.understood(parsed, self._running())
        self._bridge = replace(bridge, numbers=bridge.numbers or {})
        return state

    def collect(self) -> str:
        """The `<data>` of a `<get-config>`, and the numbers of ports in it, indented."""
        return as_text(self._running(), PREFIXES)

    def forwarding(self) -> dict[str, PortForwarding] | None:
        """What the state of VLANs and ports says; None when the device has none."""
        return self._session.understood(parse_forwarding, self._session.operational(FORWARDING))

    def render(self, change: Change, before: SwitchState) -> str:
        """The `<config>` of an `<edit-config>`, for the bridge that was read last if one was."""
        return render(change, before, self._bridge or UNSEEN)

    def apply(self, change: Change, before: SwitchState) -> None:
        """Commit a change, confirmed over a connection made after it."""
        if self._bridge is None:
            self.read()
        try:
            payload = self.render(change, before)
        except PodwrightError as error:
            raise DeviceError(f"{self._session.access.where}: {error}") from error
        commit(self._session, payload, self.read, applied(change, before))

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def _running(self) -> Any:
        """The running configuration, with the numbers of ports, which are state."""
        data = self._session.running(CONFIGURATION)
        add_numbers(data, self._session.operational(PORT_NUMBERS))
        return data


def configuration(state: SwitchState) -> str:
    """The `<data>` that a `<get-config>` of such a device answers, as far as podwright configures it.

    Raises:
        PodwrightError: no bridge can be in that state.
    """
    empty = SwitchState({}, {}, None)
    change = difference(empty, state)
    kinds = (dot1q("bridge-type", BRIDGE_TYPE), dot1q.type(COMPONENT_TYPE))
    parts = _component(change, empty, UNSEEN, None)
    return document("nc:data", NC, [*_interfaces(change, UNSEEN), _bridges(UNSEEN, parts, *kinds)])


def render(change: Change, before: SwitchState, bridge: Bridge) -> str:
    """The `<config>` that makes a change: what differs and nothing else.

    Raises:
        PodwrightError: the bridge cannot be changed to that.
    """
    parts = list(_component(change, before, bridge, REPLACE))
    bridges = [_bridges(bridge, parts)] if parts else []
    return document("nc:config", NC, [*_interfaces(change, bridge), *bridges])


def _interfaces(change: Change, bridge: Bridge) -> Iterator[Element]:
    if change.ports:
        yield interfaces.interfaces(*(_interface(name, port, bridge) for name, port in change.ports.items()))


def _interface(name: str, port: Port | None, bridge: Bridge) -> Element:
    """A port. One that podwright gives up stays in the bridge, for only there it has a number; it is shut."""
    settings = PortSettings() if port is None else settings_of(port)
    edge, cost = (False, None) if port is None else (port.edge, port.path_cost)
    return interfaces.interface(
        interfaces.name(name),
        interfaces.description("" if port is None else port.description),
        interfaces.enabled(_text(port is not None and bool(port.vlans))),
        _bridge_port(bridge.name, bridge.component, settings, edge, cost),
    )


@lru_cache(KEPT)
def _bridge_port(bridge: str, component: str, settings: PortSettings, edge: bool, cost: int | None) -> Element:
    """How a port takes part in a bridge: every leaf has a value, so none is left of what the port was."""
    return dot1q(
        "bridge-port",
        dot1q("bridge-name", bridge),
        dot1q("component-name", component),
        dot1q.pvid(str(settings.pvid)),
        dot1q("acceptable-frame", settings.frames),
        dot1q("enable-ingress-filtering", _text(settings.filtering)),
        dot1q("enable-restricted-vlan-registration", _text(settings.restricted)),
        rstp.rstp(rstp("fix-port-path-cost", str(cost or DEVICES_CHOICE)), rstp("admin-edge-port", _text(edge))),
    )


def _bridges(
    bridge: Bridge, parts: Iterable[Element], kind: Element | None = None, of: Element | None = None
) -> Element:
    """The bridge with what is in its component, of these kinds."""
    component = dot1q.component(dot1q.name(bridge.component), of, *parts)
    return dot1q.bridges(dot1q.bridge(dot1q.name(bridge.name), kind, component))


def _component(change: Change, before: SwitchState, bridge: Bridge, whole: Attribute | None) -> Iterator[Element]:
    """What a change makes of the component; `whole` is the attribute of what takes the place of all that was there."""
    if entries := list(_entries(change, before, bridge, whole)):
        yield dot1q("filtering-database", *entries)
    if change.vlans:
        yield dot1q("bridge-vlan", *(_vlan(number, name) for number, name in change.vlans.items()))
    if change.priority is not None:
        priority = rstp("bridge-priority", str(change.priority // PRIORITY_STEP))
        yield rstp.rstp(rstp("force-protocol-version", "rstp"), rstp("bridge-id", priority))


def _entries(change: Change, before: SwitchState, bridge: Bridge, whole: Attribute | None) -> Iterator[Element]:
    """The entries that a change of ports takes away, and then those that it makes."""
    if not change.ports:
        return
    old = bridge.entries_before(before.ports or {})
    new = bridge.entries_after(applied(change, before).ports or {})
    for vlans in sorted(old.keys() - new.keys(), key=lambda text: min(ids_of(text))):
        yield dot1q("vlan-registration-entry", REMOVE, *_entry_key(bridge, vlans))
    for vlans, registrations in new.items():
        if old.get(vlans) != registrations:
            ports = (_port_map(number, registration) for number, registration in registrations.items())
            static = dot1q("entry-type", "static")
            yield dot1q("vlan-registration-entry", whole, *_entry_key(bridge, vlans), static, *ports)


def _entry_key(bridge: Bridge, vlans: str) -> tuple[Element, Element]:
    return dot1q("database-id", bridge.database), dot1q.vids(vlans)


@lru_cache(KEPT)
def _port_map(number: str, registration: Registration) -> Element:
    leaves = [dot1q("registrar-admin-control", registration.control)]
    if registration.transmitted is not None:
        leaves.append(dot1q("vlan-transmitted", registration.transmitted))
    return dot1q("port-map", dot1q("port-ref", number), dot1q("static-vlan-registration-entries", *leaves))


@lru_cache(KEPT)
def _vlan(number: int, name: str | None) -> Element:
    """A VLAN and its name, with which it is in no port yet."""
    if number == DEFAULT_VLAN:
        raise PodwrightError(f"vlans.{number}: every bridge has that VLAN by itself; take another id")
    return dot1q.vlan(
        *([REMOVE] if name is None else []), dot1q.vid(str(number)), None if name is None else dot1q.name(name)
    )


def _text(value: bool) -> str:
    return "true" if value else "false"


def parse(text: str) -> SwitchState:
    """The switching configuration in the text of a `<data>`, as `configuration` renders it or `collect` tells it.

    Raises:
        PodwrightError: it is not of one VLAN bridge.
    """
    return parse_data(etree.fromstring(text.encode()))


def parse_data(running: Any) -> SwitchState:
    """The switching configuration in a `<data>` with the numbers of ports."""
    return parsed(running)[1]
