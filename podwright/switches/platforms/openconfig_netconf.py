"""Switches that serve OpenConfig over NETCONF (RFC 6241): interfaces, VLANs of the default instance, RSTP."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

from lxml import etree

from podwright.switches.access import Access
from podwright.switches.netconf import INTERFACE_TYPES, NC, REMOVE, REPLACE, Session, as_text
from podwright.switches.state import (
    ALL_VLANS,
    Change,
    Port,
    PortForwarding,
    SwitchState,
    applied,
    difference,
    range_ids,
    range_texts,
)
from podwright.switches.transaction import commit
from podwright.switches.xml_maker import KEPT, Attribute, Element, Maker, document

INTERFACES = "http://openconfig.net/yang/interfaces"
ETHERNET = "http://openconfig.net/yang/interfaces/ethernet"
VLAN = "http://openconfig.net/yang/vlan"
NETWORK_INSTANCE = "http://openconfig.net/yang/network-instance"
NETWORK_INSTANCE_TYPES = "http://openconfig.net/yang/network-instance-types"
SPANNING_TREE = "http://openconfig.net/yang/spanning-tree"
SPANNING_TREE_TYPES = "http://openconfig.net/yang/spanning-tree/types"

PATHS = {"if": INTERFACES, "eth": ETHERNET, "vlan": VLAN, "ni": NETWORK_INSTANCE, "stp": SPANNING_TREE}
# Prefixes in the values of identities.
PREFIXES = ("ianaift", "oc-ni-types", "oc-stp-types")

FILTER = f"""
<interfaces xmlns="{INTERFACES}"/>
<network-instances xmlns="{NETWORK_INSTANCE}"/>
<stp xmlns="{SPANNING_TREE}"/>
"""

interfaces = Maker(namespace=INTERFACES, nsmap={None: INTERFACES, "ianaift": INTERFACE_TYPES})
ethernet = Maker(namespace=ETHERNET, nsmap={None: ETHERNET})
vlan = Maker(namespace=VLAN, nsmap={None: VLAN})
instance = Maker(namespace=NETWORK_INSTANCE, nsmap={None: NETWORK_INSTANCE, "oc-ni-types": NETWORK_INSTANCE_TYPES})
spanning_tree = Maker(namespace=SPANNING_TREE, nsmap={None: SPANNING_TREE, "oc-stp-types": SPANNING_TREE_TYPES})


class Driver:
    """A switch of this platform."""

    def __init__(self, access: Access) -> None:
        self._session = Session(access)

    def read(self) -> SwitchState:
        """The running configuration."""
        return self._session.understood(parse_data, self._session.running(FILTER))

    def collect(self) -> str:
        """The `<data>` of a `<get-config>`, indented."""
        return as_text(self._session.running(FILTER), PREFIXES)

    def forwarding(self) -> dict[str, PortForwarding] | None:
        """What the `state` containers say; None when the device has none."""
        return parse_forwarding(self._session.operational(FILTER))

    def render(self, change: Change, before: SwitchState) -> str:
        """The `<config>` of an `<edit-config>`; what the device is before it does not matter."""
        del before
        return render(change)

    def apply(self, change: Change, before: SwitchState) -> None:
        """Commit a change, confirmed over a connection made after it."""
        commit(self._session, self.render(change, before), self.read, applied(change, before))

    def close(self) -> None:
        """Close the session."""
        self._session.close()


def configuration(state: SwitchState) -> str:
    """The `<data>` that a `<get-config>` of such a device answers, as far as podwright configures it."""
    return document("nc:data", NC, _subtrees(difference(SwitchState({}, {}, None), state), None))


def render(change: Change) -> str:
    """The `<config>` that makes a change: what differs and nothing else."""
    return document("nc:config", NC, _subtrees(change, REPLACE))


def _subtrees(change: Change, whole: Attribute | None) -> Iterator[Element]:
    """What a change makes; `whole` is the attribute of what takes the place of all that was there."""
    if change.ports:
        yield interfaces.interfaces(*(_interface(name, port, whole) for name, port in change.ports.items()))
    if change.vlans:
        yield _default_instance(change)
    if change.ports or change.priority is not None:
        yield _stp(change, whole)


def _interface(name: str, port: Port | None, whole: Attribute | None) -> Element:
    if port is None:
        return interfaces.interface(interfaces.name(name), REMOVE)
    key = interfaces.name(name)
    return interfaces.interface(
        key,
        interfaces.config(
            key,
            _ETHERNET_TYPE,
            interfaces.description(port.description),
            interfaces.enabled("true" if port.vlans else "false"),
        ),
        ethernet.ethernet(vlan("switched-vlan", vlan.config(*_membership(port)), whole)),
    )


_ETHERNET_TYPE = interfaces.type("ianaift:ethernetCsmacd")


def _membership(port: Port) -> list[Element]:
    """The VLANs of a port. A trunk's native VLAN is one of its `trunk-vlans` too: many devices drop it otherwise."""
    members = [vlan("interface-mode", port.mode.upper())]
    if port.untagged is not None:
        members.append(vlan("native-vlan" if port.mode == "trunk" else "access-vlan", str(port.untagged)))
    if port.mode == "trunk":
        members += [vlan("trunk-vlans", text) for text in range_texts(port.vlans, "..")]
    return members


def _default_instance(change: Change) -> Element:
    """The default network instance, which is where a switch keeps its VLANs."""
    return instance(
        "network-instances",
        instance(
            "network-instance",
            instance.name("default"),
            instance.config(instance.name("default"), instance.type("oc-ni-types:DEFAULT_INSTANCE")),
            instance.vlans(*(_vlan(number, name) for number, name in change.vlans.items())),
        ),
    )


@lru_cache(KEPT)
def _vlan(number: int, name: str | None) -> Element:
    key = instance("vlan-id", str(number))
    if name is None:
        return instance.vlan(key, REMOVE)
    return instance.vlan(key, instance.config(key, instance.name(name)))


def _stp(change: Change, whole: Attribute | None) -> Element:
    protocol, rstp, edges = [], [], []
    if change.priority is not None:
        mode = spanning_tree.config(spanning_tree("enabled-protocol", "oc-stp-types:RSTP"))
        protocol.append(spanning_tree("global", mode))
        rstp.append(spanning_tree.config(spanning_tree("bridge-priority", str(change.priority))))
    if change.ports:
        ports = change.ports.items()
        costs = (_rstp_port(name, port.path_cost, whole) if port else _no_port(name) for name, port in ports)
        kinds = (_edge_port(name, port.edge) if port else _no_port(name) for name, port in ports)
        rstp.append(spanning_tree.interfaces(*costs))
        edges.append(spanning_tree.interfaces(*kinds))
    return spanning_tree.stp(*protocol, spanning_tree.rstp(*rstp), *edges)


@lru_cache(KEPT)
def _rstp_port(name: str, cost: int | None, whole: Attribute | None) -> Element:
    key = spanning_tree.name(name)
    leaves = [] if cost is None else [spanning_tree.cost(str(cost))]
    return spanning_tree.interface(key, spanning_tree.config(key, *leaves), whole)


@lru_cache(KEPT)
def _edge_port(name: str, edge: bool) -> Element:
    key = spanning_tree.name(name)
    kind = spanning_tree("edge-port", "oc-stp-types:EDGE_ENABLE" if edge else "oc-stp-types:EDGE_DISABLE")
    return spanning_tree.interface(key, spanning_tree.config(key, kind))


def _no_port(name: str) -> Element:
    return spanning_tree.interface(spanning_tree.name(name), REMOVE)


def parse(text: str) -> SwitchState:
    """The switching configuration in the text of a `<data>`, as `configuration` renders it or a device tells it."""
    return parse_data(etree.fromstring(text.encode()))


def parse_data(running: Any) -> SwitchState:
    """The switching configuration in the `<data>` of a `<get-config>`; ports that are not switched are not ours."""
    vlans = {
        int(found.findtext("ni:vlan-id", namespaces=PATHS)): found.findtext("ni:config/ni:name", "", namespaces=PATHS)
        for found in running.iterfind("ni:network-instances/ni:network-instance/ni:vlans/ni:vlan", PATHS)
    }
    costs = {
        found.findtext("stp:name", namespaces=PATHS): int(cost)
        for found in running.iterfind("stp:stp/stp:rstp/stp:interfaces/stp:interface", PATHS)
        if (cost := found.findtext("stp:config/stp:cost", namespaces=PATHS))
    }
    edges = {
        found.findtext("stp:name", namespaces=PATHS)
        for found in running.iterfind("stp:stp/stp:interfaces/stp:interface", PATHS)
        if found.findtext("stp:config/stp:edge-port", "", namespaces=PATHS).endswith("EDGE_ENABLE")
    }
    ports = {}
    for name, interface, membership in _switched(running, "config"):
        ports[name] = _port(interface.find("if:config", PATHS), membership, name in edges, costs.get(name))
    priority = running.findtext("stp:stp/stp:rstp/stp:config/stp:bridge-priority", namespaces=PATHS)
    return SwitchState(vlans, ports, int(priority) if priority else None)


def parse_forwarding(operational: Any) -> dict[str, PortForwarding] | None:
    """What ports do in fact, from the `<data>` of a `<get>`; None when no port has such state."""
    port_states = {
        found.findtext("stp:name", namespaces=PATHS): state.rpartition(":")[2].lower()
        for found in operational.iterfind("stp:stp/stp:rstp/stp:interfaces/stp:interface", PATHS)
        if (state := found.findtext("stp:state/stp:port-state", namespaces=PATHS))
    }
    ports = {}
    for name, interface, membership in _switched(operational, "state"):
        _, tagged, untagged = _carried(membership)
        link_up = interface.findtext("if:state/if:oper-status", namespaces=PATHS) == "UP"
        ports[name] = PortForwarding(tagged, untagged, link_up, port_states.get(name, "disabled"))
    return ports or None


def _switched(data: Any, part: str) -> Iterator[tuple[str, Any, Any]]:
    """(name, interface, the container `part` of its `switched-vlan`) of every switched port."""
    for interface in data.iterfind("if:interfaces/if:interface", PATHS):
        membership = interface.find(f"eth:ethernet/vlan:switched-vlan/vlan:{part}", PATHS)
        if membership is not None:
            yield interface.findtext("if:name", namespaces=PATHS), interface, membership


def _port(config: Any, membership: Any, edge: bool, path_cost: int | None) -> Port:
    mode, tagged, untagged = _carried(membership)
    enabled = config.findtext("if:enabled", namespaces=PATHS) != "false"
    return Port(
        mode=mode,
        tagged=tagged if enabled else frozenset(),
        untagged=untagged if enabled else None,
        description=config.findtext("if:description", "", namespaces=PATHS),
        edge=edge,
        path_cost=path_cost,
    )


def _carried(membership: Any) -> tuple[Literal["access", "trunk"], frozenset[int], int | None]:
    """(mode, tagged VLANs, untagged VLAN) of a `config` or `state` of `switched-vlan`."""
    if membership.findtext("vlan:interface-mode", namespaces=PATHS) == "ACCESS":
        access = membership.findtext("vlan:access-vlan", namespaces=PATHS)
        return "access", frozenset(), int(access) if access else None
    native = membership.findtext("vlan:native-vlan", namespaces=PATHS)
    untagged = int(native) if native else None
    texts = [found.text for found in membership.iterfind("vlan:trunk-vlans", PATHS)]
    # The published module: a trunk for which no VLANs are specified allows all.
    carried = frozenset(vlan_id for text in texts for vlan_id in range_ids(text, "..")) if texts else ALL_VLANS
    return "trunk", carried - {untagged}, untagged
