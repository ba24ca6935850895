"""Switches that serve OpenConfig over NETCONF (RFC 6241): interfaces, VLANs of the default instance, RSTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from lxml import etree
from lxml.builder import ElementMaker

from podwright.switches.access import Access
from podwright.switches.state import Change, Port, SwitchState, ranges
from podwright.switches.transaction import Session

INTERFACES = "http://openconfig.net/yang/interfaces"
ETHERNET = "http://openconfig.net/yang/interfaces/ethernet"
VLAN = "http://openconfig.net/yang/vlan"
NETWORK_INSTANCE = "http://openconfig.net/yang/network-instance"
NETWORK_INSTANCE_TYPES = "http://openconfig.net/yang/network-instance-types"
SPANNING_TREE = "http://openconfig.net/yang/spanning-tree"
SPANNING_TREE_TYPES = "http://openconfig.net/yang/spanning-tree/types"
INTERFACE_TYPES = "urn:ietf:params:xml:ns:yang:iana-if-type"
NETCONF = "urn:ietf:params:xml:ns:netconf:base:1.0"

PATHS = {"if": INTERFACES, "eth": ETHERNET, "vlan": VLAN, "ni": NETWORK_INSTANCE, "stp": SPANNING_TREE}
# RFC 6241 section 7.2: what to do with an element of <edit-config>; the default is to merge.
OPERATION = f"{{{NETCONF}}}operation"
REPLACE = {OPERATION: "replace"}
REMOVE = {OPERATION: "remove"}

ALL_VLANS = frozenset(range(1, 4095))
FILTER = f"""
<interfaces xmlns="{INTERFACES}"/>
<network-instances xmlns="{NETWORK_INSTANCE}"/>
<stp xmlns="{SPANNING_TREE}"/>
"""

interfaces = ElementMaker(namespace=INTERFACES, nsmap={None: INTERFACES, "ianaift": INTERFACE_TYPES})
ethernet = ElementMaker(namespace=ETHERNET, nsmap={None: ETHERNET})
vlan = ElementMaker(namespace=VLAN, nsmap={None: VLAN})
instance = ElementMaker(
    namespace=NETWORK_INSTANCE, nsmap={None: NETWORK_INSTANCE, "oc-ni-types": NETWORK_INSTANCE_TYPES}
)
spanning_tree = ElementMaker(namespace=SPANNING_TREE, nsmap={None: SPANNING_TREE, "oc-stp-types": SPANNING_TREE_TYPES})


class Driver:
    """A switch of this platform."""

    def __init__(self, access: Access) -> None:
        self._session = Session(access)

    def read(self) -> SwitchState:
        """The running configuration."""
        return parse(self._session.running(FILTER))

    def forwarding(self) -> SwitchState | None:
        """The switching state in the `state` containers, None when the device has none."""
        return parse_forwarding(self._session.operational(FILTER))

    def render(self, change: Change) -> str:
        """The `<config>` of an `<edit-config>`."""
        return render(change)

    def apply(self, change: Change) -> None:
        """Commit a change, confirmed over a connection made after it."""
        self._session.commit(render(change))

    def close(self) -> None:
        """Close the session."""
        self._session.close()


def render(change: Change) -> str:
    """The `<config>` that makes a change: what differs and nothing else."""
    config = etree.Element(f"{{{NETCONF}}}config", nsmap={"nc": NETCONF})
    if change.ports:
        config.append(interfaces.interfaces(*(_interface(name, port) for name, port in change.ports.items())))
    if change.vlans:
        config.append(_default_instance(change))
    if change.ports or change.priority is not None:
        config.append(_stp(change))
    etree.cleanup_namespaces(config, keep_ns_prefixes=["nc", "ianaift", "oc-ni-types", "oc-stp-types"])
    etree.indent(config)
    text: str = etree.tostring(config, encoding="unicode")
    return text + "\n"


def _interface(name: str, port: Port | None) -> Any:
    if port is None:
        return interfaces.interface(interfaces.name(name), REMOVE)
    return interfaces.interface(
        interfaces.name(name),
        interfaces.config(
            interfaces.name(name),
            interfaces.type("ianaift:ethernetCsmacd"),
            interfaces.description(port.description),
            interfaces.enabled("true" if port.vlans else "false"),
        ),
        ethernet.ethernet(vlan("switched-vlan", vlan.config(*_membership(port)), REPLACE)),
    )


def _membership(port: Port) -> list[Any]:
    """The VLANs of a port. A trunk's native VLAN is one of its `trunk-vlans` too: many devices drop it otherwise."""
    members = [vlan("interface-mode", port.mode.upper())]
    if port.untagged is not None:
        members.append(vlan("native-vlan" if port.mode == "trunk" else "access-vlan", str(port.untagged)))
    if port.mode == "trunk":
        members += [vlan("trunk-vlans", text) for text in _range_texts(port.vlans)]
    return members


def _range_texts(vlans: frozenset[int]) -> list[str]:
    return [str(first) if first == last else f"{first}..{last}" for first, last in ranges(vlans)]


def _default_instance(change: Change) -> Any:
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


def _vlan(number: int, name: str | None) -> Any:
    key = instance("vlan-id", str(number))
    if name is None:
        return instance.vlan(key, REMOVE)
    return instance.vlan(key, instance.config(instance("vlan-id", str(number)), instance.name(name)))


def _stp(change: Change) -> Any:
    stp = spanning_tree.stp()
    rstp = spanning_tree.rstp()
    if change.priority is not None:
        stp.append(
            getattr(spanning_tree, "global")(
                spanning_tree.config(spanning_tree("enabled-protocol", "oc-stp-types:RSTP"))
            )
        )
        rstp.append(spanning_tree.config(spanning_tree("bridge-priority", str(change.priority))))
    if change.ports:
        rstp.append(spanning_tree.interfaces(*(_rstp_port(name, port) for name, port in change.ports.items())))
    stp.append(rstp)
    if change.ports:
        stp.append(spanning_tree.interfaces(*(_stp_port(name, port) for name, port in change.ports.items())))
    return stp


def _rstp_port(name: str, port: Port | None) -> Any:
    if port is None:
        return spanning_tree.interface(spanning_tree.name(name), REMOVE)
    cost = [] if port.path_cost is None else [spanning_tree.cost(str(port.path_cost))]
    return spanning_tree.interface(
        spanning_tree.name(name), spanning_tree.config(spanning_tree.name(name), *cost), REPLACE
    )


def _stp_port(name: str, port: Port | None) -> Any:
    if port is None:
        return spanning_tree.interface(spanning_tree.name(name), REMOVE)
    edge = spanning_tree("edge-port", "oc-stp-types:EDGE_ENABLE" if port.edge else "oc-stp-types:EDGE_DISABLE")
    return spanning_tree.interface(spanning_tree.name(name), spanning_tree.config(spanning_tree.name(name), edge))


def parse(running: Any) -> SwitchState:
    """The switching configuration in the `<data>` of a `<get-config>`; ports that are not switched are not ours."""
    return _parse(running, "config")


def parse_forwarding(operational: Any) -> SwitchState | None:
    """What the device does in fact, from the `<data>` of a `<get>`; None when it has no such state."""
    if operational.find(".//vlan:switched-vlan/vlan:state", PATHS) is None:
        return None
    return _parse(operational, "state")


def _parse(data: Any, part: str) -> SwitchState:
    """The switching state in the containers named `part`: `config` or `state`."""
    vlans = {
        int(found.findtext(f"ni:{part}/ni:vlan-id", namespaces=PATHS)): found.findtext(
            f"ni:{part}/ni:name", "", namespaces=PATHS
        )
        for found in data.iterfind("ni:network-instances/ni:network-instance/ni:vlans/ni:vlan", PATHS)
        if found.find(f"ni:{part}", PATHS) is not None
    }
    costs = {
        found.findtext("stp:name", namespaces=PATHS): int(cost)
        for found in data.iterfind("stp:stp/stp:rstp/stp:interfaces/stp:interface", PATHS)
        if (cost := found.findtext(f"stp:{part}/stp:cost", namespaces=PATHS))
    }
    edges = {
        found.findtext("stp:name", namespaces=PATHS)
        for found in data.iterfind("stp:stp/stp:interfaces/stp:interface", PATHS)
        if found.findtext(f"stp:{part}/stp:edge-port", "", namespaces=PATHS).endswith("EDGE_ENABLE")
    }
    ports = {}
    for found in data.iterfind("if:interfaces/if:interface", PATHS):
        name = found.findtext("if:name", namespaces=PATHS)
        membership = found.find(f"eth:ethernet/vlan:switched-vlan/vlan:{part}", PATHS)
        if membership is not None:
            ports[name] = _port(found.find(f"if:{part}", PATHS), membership, name in edges, costs.get(name))
    priority = data.findtext(f"stp:stp/stp:rstp/stp:{part}/stp:bridge-priority", namespaces=PATHS)
    return SwitchState(vlans, ports, int(priority) if priority else None)


def _port(config: Any, membership: Any, edge: bool, path_cost: int | None) -> Port:
    mode: Literal["access", "trunk"]
    mode = "access" if membership.findtext("vlan:interface-mode", namespaces=PATHS) == "ACCESS" else "trunk"
    untagged = membership.findtext("vlan:access-vlan" if mode == "access" else "vlan:native-vlan", namespaces=PATHS)
    tagged = frozenset[int]()
    if mode == "trunk":
        texts = [found.text for found in membership.iterfind("vlan:trunk-vlans", PATHS)]
        # The published module: a trunk for which no VLANs are specified allows all.
        tagged = frozenset(vlan_id for text in texts for vlan_id in _range_ids(text)) if texts else ALL_VLANS
    port = Port(
        mode=mode,
        tagged=tagged,
        untagged=None if untagged is None else int(untagged),
        description=config.findtext("if:description", "", namespaces=PATHS),
        edge=edge,
        path_cost=path_cost,
    )
    port = replace(port, tagged=port.tagged - {port.untagged})
    if config.findtext("if:enabled", namespaces=PATHS) == "false":
        return replace(port, tagged=frozenset(), untagged=None)
    return port


def _range_ids(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)
