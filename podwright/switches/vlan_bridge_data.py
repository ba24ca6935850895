"""What a switch tells of its VLAN bridge, by ieee802-dot1q-bridge and ieee802-dot1q-rstp-bridge of IEEE Std 802.1Q.

The entries of a bridge call ports by numbers that the switch gives them and tells as state, so those are read with the
configuration. In a text that no switch told, which has no numbers, entries call ports by their names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from podwright.errors import PodwrightError
from podwright.switches.state import ALL_VLANS, Port, PortForwarding, SwitchState
from podwright.switches.vlan_bridge import (
    ALL_FRAMES,
    DEFAULT_VLAN,
    Entries,
    Membership,
    PortSettings,
    Registration,
    entries_of,
    memberships,
    passing,
)

INTERFACES = "urn:ietf:params:xml:ns:yang:ietf-interfaces"
BRIDGE = "urn:ieee:std:802.1Q:yang:ieee802-dot1q-bridge"
RSTP = "urn:ieee:std:802.1Q:yang:ieee802-dot1q-rstp-bridge"
PATHS = {"if": INTERFACES, "dot1q": BRIDGE, "rstp": RSTP}

PRIORITY_STEP = 4096
"""What the module counts bridge priorities in (ieee802-dot1q-rstp, `id-priority`)."""

BRIDGE_TYPE, COMPONENT_TYPE = "customer-vlan-bridge", "c-vlan-component"
PORT_TYPES = frozenset({"ethernetCsmacd", "ieee8023adLag", ""})
"""Of the interfaces that may be ports of a bridge, those that cables end at: others lead into the switch itself. A text
that no switch told has no types, which are the switch's to know."""

DEVICES_CHOICE = "0"
"""The path cost of a port that the device is to find by the port's speed (ieee802-dot1q-rstp, `fix-port-path-cost`)"""

# The other states have the same names in IEEE 802.1D.
PORT_STATES = {"discarding": "blocking"}
# Prefixes in the values of identities.
PREFIXES = ("ianaift",)

_PORT_KEY = f'<bridge-port xmlns="{BRIDGE}"><bridge-name/><component-name/>'
_BRIDGE_KEY = "<name/><bridge-type/><component><name/><type/>"
CONFIGURATION = f"""
<interfaces xmlns="{INTERFACES}"><interface>
  <name/><type/><description/><enabled/>
  {_PORT_KEY}
    <pvid/><acceptable-frame/><enable-ingress-filtering/><enable-restricted-vlan-registration/><rstp xmlns="{RSTP}"/>
  </bridge-port>
</interface></interfaces>
<bridges xmlns="{BRIDGE}"><bridge>
  {_BRIDGE_KEY}
    <filtering-database><vlan-registration-entry/></filtering-database>
    <bridge-vlan><vlan><vid/><name/></vlan></bridge-vlan>
    <rstp xmlns="{RSTP}"><bridge-id><bridge-priority/></bridge-id></rstp>
  </component>
</bridge></bridges>
"""
PORT_NUMBERS = f"""
<interfaces xmlns="{INTERFACES}"><interface><name/>{_PORT_KEY}<port-number/></bridge-port></interface></interfaces>
"""
FORWARDING = f"""
<interfaces xmlns="{INTERFACES}"><interface>
  <name/><type/><oper-status/>{_PORT_KEY}<rstp xmlns="{RSTP}"><port-state/></rstp></bridge-port>
</interface></interfaces>
<bridges xmlns="{BRIDGE}"><bridge>{_BRIDGE_KEY}<bridge-vlan><vlan/></bridge-vlan></component></bridge></bridges>
"""


@dataclass(frozen=True)
class Bridge:
    """The VLAN bridge of a switch, as far as it is the switch's own."""

    name: str
    component: str
    numbers: Mapping[str, str] | None = None
    """{port: its number}; None where entries call ports by name"""

    database: str = "1"
    """which filtering database the entries are in"""

    entries: Entries | None = None
    """Those that there are; None where no switch was asked"""

    def number(self, port: str) -> str:
        """What entries call a port.

        Raises:
            PodwrightError: the bridge has no such port.
        """
        if self.numbers is None:
            return port
        if port not in self.numbers:
            raise PodwrightError(
                f"ports.{port}: component {self.component!r} of bridge {self.name!r} has no port of that name with a "
                f"number; it has {', '.join(sorted(self.numbers)) or 'none'}; name the port as the switch does, and "
                "make it a port of that component there (`bridge-port` of the interface)"
            )
        return self.numbers[port]

    def entries_before(self, ports: Mapping[str, Port]) -> Entries:
        """The entries that there are, on a switch whose ports are these."""
        return entries_of(ports, {}, ()) if self.entries is None else self.entries

    def entries_after(self, ports: Mapping[str, Port]) -> Entries:
        """The entries that there shall be when the switch has these ports; what is said of others' stays.

        Raises:
            PodwrightError: the bridge has not all of these ports.
        """
        before = self.entries or {}
        named = {number for registrations in before.values() for number in registrations}
        others = named - set((self.numbers or {}).values())
        return entries_of({self.number(name): port for name, port in ports.items()}, before, others)


class Place(NamedTuple):
    """Where a switch keeps its VLANs."""

    bridge: str
    component: str
    element: Any
    """the component"""


UNSEEN = Bridge("bridge", "component")
"""The bridge of a switch that was not asked"""


def parsed(data: Any) -> tuple[Bridge, SwitchState]:
    """The bridge, and the state that it is in.

    Raises:
        PodwrightError: there is not exactly one VLAN bridge, or it keeps its VLANs as no driver can.
    """
    place = _place(data)
    component = place.element
    ports = {name: (interface, port) for name, interface, port in _bridge_ports(data, place)}
    numbers = {
        name: number
        for name, (_, port) in ports.items()
        if (number := port.findtext("dot1q:port-number", namespaces=PATHS))
    }
    database, entries = _told_entries(component)
    bridge = Bridge(place.bridge, place.component, numbers or None, database, entries)
    registered = memberships(entries)
    switched = {
        name: _port(interface, port, registered.get(numbers.get(name, "") if numbers else name, Membership()))
        for name, (interface, port) in ports.items()
    }
    named = {
        int(found.findtext("dot1q:vid", namespaces=PATHS)): found.findtext("dot1q:name", "", namespaces=PATHS)
        for found in component.iterfind("dot1q:bridge-vlan/dot1q:vlan", PATHS)
    }
    priority = component.findtext("rstp:rstp/rstp:bridge-id/rstp:bridge-priority", namespaces=PATHS)
    state = SwitchState(
        # Ids from 4096 on are of VLANs that the bridge has for itself (`vlan-index-type`).
        {vlan: name for vlan, name in named.items() if vlan in ALL_VLANS and vlan != DEFAULT_VLAN},
        {name: port for name, port in switched.items() if port is not None},
        int(priority) * PRIORITY_STEP if priority else None,
    )
    return bridge, state


def add_numbers(configured: Any, operational: Any) -> None:
    """Put the port numbers of a `<get>` into the `<data>` of a `<get-config>`."""
    numbers = {
        found.findtext("if:name", namespaces=PATHS): found.find("dot1q:bridge-port/dot1q:port-number", PATHS)
        for found in operational.iterfind("if:interfaces/if:interface", PATHS)
    }
    for interface in configured.iterfind("if:interfaces/if:interface", PATHS):
        port = interface.find("dot1q:bridge-port", PATHS)
        number = numbers.get(interface.findtext("if:name", namespaces=PATHS))
        if port is not None and number is not None:
            port.append(number)


def _place(data: Any) -> Place:
    """The VLAN bridge of a switch.

    Raises:
        PodwrightError: there is not exactly one.
    """
    found = [
        Place(_name(bridge), _name(component), component)
        for bridge in data.iterfind("dot1q:bridges/dot1q:bridge", PATHS)
        if _identity(bridge, "dot1q:bridge-type") == BRIDGE_TYPE
        for component in bridge.iterfind("dot1q:component", PATHS)
        if _identity(component, "dot1q:type") == COMPONENT_TYPE
    ]
    if len(found) != 1:
        named = ", ".join(f"{place.component!r} of bridge {place.bridge!r}" for place in found) or "none"
        raise PodwrightError(
            f"the switch has not exactly one {COMPONENT_TYPE} in bridges of type {BRIDGE_TYPE}, but {named}; leave one "
            "there with all ports in it, or make it (ieee802-dot1q-bridge): its address is the switch's to know"
        )
    return found[0]


def _bridge_ports(data: Any, place: Place) -> Iterator[tuple[str, Any, Any]]:
    """(name, interface, its `bridge-port`) of every port of a component that a cable may end at."""
    for interface in data.iterfind("if:interfaces/if:interface", PATHS):
        port = interface.find("dot1q:bridge-port", PATHS)
        if port is None or _identity(interface, "if:type") not in PORT_TYPES:
            continue
        names = tuple(port.findtext(f"dot1q:{of}-name", namespaces=PATHS) for of in ("bridge", "component"))
        if names == (place.bridge, place.component):
            yield interface.findtext("if:name", namespaces=PATHS), interface, port


def _told_entries(component: Any) -> tuple[str, Entries]:
    """(the filtering database, the entries in it), without those that MVRP made.

    Raises:
        PodwrightError: there is more than one database.
    """
    databases, entries = set(), {}
    for found in component.iterfind("dot1q:filtering-database/dot1q:vlan-registration-entry", PATHS):
        if found.findtext("dot1q:entry-type", namespaces=PATHS) != "dynamic":
            databases.add(found.findtext("dot1q:database-id", namespaces=PATHS))
            entries[found.findtext("dot1q:vids", namespaces=PATHS)] = dict(_registrations(found))
    if len(databases) > 1:
        raise PodwrightError(
            f"the switch has VLAN registration entries in the filtering databases {', '.join(sorted(databases))}; "
            "leave those of one, for an entry of several VLANs is in one"
        )
    return next(iter(databases), UNSEEN.database), entries


def _registrations(entry: Any) -> Iterator[tuple[str, Registration]]:
    for port in entry.iterfind("dot1q:port-map", PATHS):
        static = port.find("dot1q:static-vlan-registration-entries", PATHS)
        if static is not None:
            control = static.findtext("dot1q:registrar-admin-control", "normal", namespaces=PATHS)
            transmitted = static.findtext("dot1q:vlan-transmitted", namespaces=PATHS)
            yield port.findtext("dot1q:port-ref", namespaces=PATHS), Registration(control, transmitted)


def _port(interface: Any, port: Any, membership: Membership) -> Port | None:
    """A port; None where it is shut and has no settings, and so is in no use."""
    enabled = interface.findtext("if:enabled", namespaces=PATHS) != "false"
    settings = PortSettings(
        port.findtext("dot1q:acceptable-frame", ALL_FRAMES, namespaces=PATHS),
        int(port.findtext("dot1q:pvid", str(DEFAULT_VLAN), namespaces=PATHS)),
        port.findtext("dot1q:enable-ingress-filtering", namespaces=PATHS) == "true",
        port.findtext("dot1q:enable-restricted-vlan-registration", namespaces=PATHS) == "true",
    )
    if not enabled and settings.frames == ALL_FRAMES:
        return None
    mode, tagged, untagged = passing(settings, membership)
    cost = port.findtext("rstp:rstp/rstp:fix-port-path-cost", DEVICES_CHOICE, namespaces=PATHS)
    return Port(
        mode=mode,
        tagged=tagged if enabled else frozenset(),
        untagged=untagged if enabled else None,
        description=interface.findtext("if:description", "", namespaces=PATHS),
        edge=port.findtext("rstp:rstp/rstp:admin-edge-port", namespaces=PATHS) == "true",
        path_cost=None if cost == DEVICES_CHOICE else int(cost),
    )


def parse_forwarding(operational: Any) -> dict[str, PortForwarding] | None:
    """What ports do in fact, from the `<data>` of a `<get>`; None when no VLAN tells its ports.

    `egress-ports` are a VLAN's member set (IEEE 802.1Q-2018 8.8.10), `untagged-ports` its untagged set (8.8.2).

    Raises:
        PodwrightError: there is not exactly one VLAN bridge.
    """
    place = _place(operational)
    members, untagged_sets = _vlans_by_port(place, "egress-ports"), _vlans_by_port(place, "untagged-ports")
    if not members:
        return None
    ports = {}
    for name, interface, port in _bridge_ports(operational, place):
        carried = members.get(name, frozenset())
        untagged = carried & untagged_sets.get(name, frozenset())
        state = port.findtext("rstp:rstp/rstp:port-state", "unknown", namespaces=PATHS)
        ports[name] = PortForwarding(
            # Several that are untagged are none that any port is configured to: so that it is told, one is tagged, too.
            carried - untagged if len(untagged) < 2 else carried,
            min(untagged, default=None),
            interface.findtext("if:oper-status", namespaces=PATHS) == "up",
            PORT_STATES.get(state, state),
        )
    return ports


def _vlans_by_port(place: Place, leaf: str) -> dict[str, frozenset[int]]:
    """{port: the VLANs that name it in a leaf-list}."""
    vlans: defaultdict[str, set[int]] = defaultdict(set)
    for vlan in place.element.iterfind("dot1q:bridge-vlan/dot1q:vlan", PATHS):
        for found in vlan.iterfind(f"dot1q:{leaf}", PATHS):
            vlans[found.text].add(int(vlan.findtext("dot1q:vid", namespaces=PATHS)))
    return {name: frozenset(ids) for name, ids in vlans.items()}


def _name(element: Any) -> str:
    name: str = element.findtext("dot1q:name", "", namespaces=PATHS)
    return name


def _identity(element: Any, path: str) -> str:
    """An identity without its prefix."""
    text: str = element.findtext(path, "", namespaces=PATHS)
    return text.rpartition(":")[2]
