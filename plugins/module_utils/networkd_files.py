"""What systemd-networkd has to be told so that a host has its network (systemd.network(5), systemd.netdev(5)).

With Open vSwitch these are addresses, routes and tunnels. The backend `linux` makes
the other links here too: bonds or VLAN-aware bridges (of the trunks), and on them one
VLAN interface per segment (in a bridge of its own) and per address of the host. A transparent
firewall has a bridge of two ports, which filters no VLANs: that is for the packet filter.

A tunnel (VXLAN, RFC 7348) is one more port of its segment. It and the segment's VLAN
are isolated from each other (split horizon): frames of the one never leave by the
other, only the machines in the segment talk to both.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils.errors import DeviceError
from ansible_collections.podwright.cloud.plugins.module_utils.uplinks import BRIDGE, bond_of, bonds, members

DIRECTORY = "/etc/systemd/network"
PREFIX = "50-podwright-"
HEADER = "# Written by podwright; a change made here does not last.\n"
TRANSPARENT_BRIDGE = "transparent"

# Frames for nobody known go to every hypervisor that has the segment (RFC 7348 section 4.2, without multicast).
EVERYBODY = "00:00:00:00:00:00"
_VXLAN_PORT = 4789  # RFC 7348 section 8

# In a link or a tunnel.
ISOLATED = {"isolated": True}

Network = dict[str, Any]
Option = tuple[str, Any]
Section = tuple[str, list[Option]]


def wanted(network: Network) -> dict[str, Any]:
    """Say which files, links, addresses and routes a host with `network` has.

    Returns:
        `{files: {name: text}, links: {name: {kind, vlan, over, master}}, vlans: {port: [number]},
        tunnels: {name: {vni, local, remotes, bridge}}, addresses: {name: [a/b]}, routes: {destination: gateway}}`;
        `links`, `vlans` and a tunnel's `bridge` only with the backend `linux`. What is isolated says so.

    Raises:
        DeviceError: no interface reaches the gateway of a route.
    """
    addressed = {**network["interfaces"], **network["routed_ports"]}
    files = dict(_linux_files(network)) if network["backend"] == "linux" else dict(_port_files(network))
    return {
        "files": dict(sorted(files.items())),
        "links": dict(sorted(_links(network))) if network["backend"] == "linux" else {},
        "vlans": {name: [str(vlan) for vlan in vlans] for name, vlans in sorted(_trunk_vlans(network).items())},
        "tunnels": dict(sorted(_tunnels(network))),
        "addresses": {name: sorted(interface["addresses"]) for name, interface in sorted(addressed.items())},
        "routes": {route["destination"]: route["gateway"] for route in network["routes"]},
    }


def bridge_of(item: dict[str, Any]) -> str:
    """Name the bridge that a trunk or an interface is on."""
    return item.get("bridge") or BRIDGE


def vlan_link(parent: str, vlan: int) -> str:
    """Name the VLAN interface that joins a segment to the trunk."""
    return f"{parent}.{vlan}"


def tunnel_link(vni: int) -> str:
    """Name the interface by which a segment goes on in other pods: 13 characters at most."""
    return f"vxlan{vni}"


def sections_text(sections: list[Section]) -> str:
    """Write sections as systemd.syntax(7) has them."""
    blocks = ["".join([f"[{title}]\n", *(f"{key}={value}\n" for key, value in options)]) for title, options in sections]
    return "\n".join(blocks)


def _port_files(network: Network) -> Iterator[tuple[str, str]]:
    """Bring up the ports that Open vSwitch forwards on, and give the host its addresses."""
    for name in [*members(network), *network["trunks"]]:
        yield _network_file(name)
    yield from _tunnel_files(network)
    yield from _address_files(network)


def _linux_files(network: Network) -> Iterator[tuple[str, str]]:
    for bond in bonds(network):
        yield _netdev_file(bond.name, "bond", ("Bond", [("Mode", "active-backup"), ("MIIMonitorSec", "100ms")]))
        yield _network_file(bond.name, network_options=_stacked(network, bond.name), ready=True)
        for name in network[bond.key]["members"]:
            yield _network_file(name, network_options=[("Bond", bond.name)])
    yield from _trunk_files(network)
    yield from _transparent_files(network)
    for name, segment in network["segments"].items():
        leg = vlan_link(_parent(network, segment), segment["vlan"])
        # A tenant's multicast is the tenant's: without a querier, snooping would lose it.
        options: list[Option] = [("STP", "no"), ("MulticastSnooping", "no")]
        yield _netdev_file(name, "bridge", ("Bridge", options), description=segment.get("description"))
        yield _network_file(name, ready=True)
        yield _netdev_file(leg, "vlan", ("VLAN", [("Id", segment["vlan"])]))
        yield _network_file(leg, network_options=[("Bridge", name)], isolated="tunnel" in segment)
    yield from _tunnel_files(network)
    for name, interface in network["interfaces"].items():
        yield _netdev_file(name, "vlan", ("VLAN", [("Id", interface["vlan"])]))
    yield from _address_files(network)


def _tunnel_files(network: Network) -> Iterator[tuple[str, str]]:
    for name, tunnel in _tunnels(network):
        options = [("VNI", tunnel["vni"]), ("Local", tunnel["local"]), ("DestinationPort", _VXLAN_PORT)]
        yield _netdev_file(name, "vxlan", ("VXLAN", [*options, ("MacLearning", "yes"), ("Independent", "yes")]))
        bridge: list[Option] = [("Bridge", tunnel["bridge"])] if tunnel["bridge"] else []
        isolated = True if "isolated" in tunnel else None
        yield _network_file(name, network_options=bridge, isolated=isolated, peers=tunnel["remotes"], ready=True)


def _trunk_files(network: Network) -> Iterator[tuple[str, str]]:
    """VLAN-aware bridges whose ports carry exactly their tagged VLANs; the host itself is one more port of each."""
    tree = network["spanning_tree"]
    options: list[Option] = [("VLANFiltering", "yes"), ("DefaultPVID", "none"), ("STP", "yes" if tree else "no")]
    options += [("Priority", tree["priority"])] if tree else []
    vlans = _trunk_vlans(network)
    for name in _bridges(network):
        yield _netdev_file(name, "bridge", ("Bridge", options))
        yield _network_file(name, network_options=_stacked(network, name), vlans=vlans[name], ready=True)
    for name, trunk in network["trunks"].items():
        yield _network_file(name, network_options=[("Bridge", bridge_of(trunk))], vlans=vlans[name])


def _transparent_files(network: Network) -> Iterator[tuple[str, str]]:
    """A bridge in a cable, and its ports; without a spanning tree and queries of multicast it says nothing by itself.

    The port outside stays down until somebody adds to its file that the frames are filtered (transparent_firewall.py).
    The port inside follows it, so that the neighbour there sees a cable that leads nowhere.
    """
    if not network.get("transparent_bridge"):
        return
    outside, inside = (network["transparent_bridge"][side] for side in ("outside", "inside"))
    options: list[Option] = [("STP", "no"), ("MulticastSnooping", "no")]
    port: list[Option] = [("Bridge", TRANSPARENT_BRIDGE)]
    yield _netdev_file(TRANSPARENT_BRIDGE, "bridge", ("Bridge", options))
    yield _network_file(TRANSPARENT_BRIDGE, ready=True)
    yield _network_file(outside, network_options=port, activation="always-down")
    yield _network_file(inside, network_options=[*port, ("BindCarrier", outside)], activation="bound")


def _trunk_vlans(network: Network) -> dict[str, list[int]]:
    """Say which VLANs the ports of VLAN-aware bridges carry; the host has those that it uses."""
    if network["backend"] != "linux":
        return {}
    items = [*network["segments"].values(), *network["interfaces"].values()]
    used = {name: {item["vlan"] for item in items if bridge_of(item) == name} for name in _bridges(network)}
    carried = {name: set(trunk["tagged"]) for name, trunk in network["trunks"].items()}
    return {name: sorted(vlans) for name, vlans in {**used, **carried}.items()}


def _address_files(network: Network) -> Iterator[tuple[str, str]]:
    routes = _routes_by_interface(network)
    for name, interface in {**network["interfaces"], **network["routed_ports"]}.items():
        options: list[Option] = [("Description", interface["description"])] if interface.get("description") else []
        options += [("Address", address) for address in sorted(interface["addresses"])]
        yield _network_file(name, network_options=options, routes=routes.get(name, []), ready=True)


def _routes_by_interface(network: Network) -> dict[str, list[dict[str, Any]]]:
    addressed = {**network["interfaces"], **network["routed_ports"]}
    result: dict[str, list[dict[str, Any]]] = {}
    for route in network["routes"]:
        gateway = IPv4Address(route["gateway"])
        for name, interface in sorted(addressed.items()):
            if any(gateway in IPv4Interface(address).network for address in interface["addresses"]):
                result.setdefault(name, []).append(route)
                break
        else:
            raise DeviceError(
                f"network.routes: no interface has an address in the network of gateway {gateway}; "
                f"found {', '.join(sorted(addressed)) or 'none'}; correct the gateway or add the interface"
            )
    return result


def _links(network: Network) -> Iterator[tuple[str, dict[str, Any]]]:
    for bond in bonds(network):
        yield bond.name, _link("bond")
        for name in network[bond.key]["members"]:
            yield name, _link(None, master=bond.name)
    for name in _bridges(network):
        yield name, _link("bridge")
    for name, trunk in network["trunks"].items():
        yield name, _link(None, master=bridge_of(trunk))
    if network.get("transparent_bridge"):
        yield TRANSPARENT_BRIDGE, _link("bridge")
        for side in ("outside", "inside"):
            yield network["transparent_bridge"][side], _link(None, master=TRANSPARENT_BRIDGE)
    for name, segment in network["segments"].items():
        yield name, _link("bridge")
        parent = _parent(network, segment)
        leg = _link("vlan", vlan=segment["vlan"], over=parent, master=name)
        yield vlan_link(parent, segment["vlan"]), leg | (ISOLATED if "tunnel" in segment else {})
    for name, interface in network["interfaces"].items():
        yield name, _link("vlan", vlan=interface["vlan"], over=_parent(network, interface))


def _tunnels(network: Network) -> Iterator[tuple[str, dict[str, Any]]]:
    is_linux = network["backend"] == "linux"
    for name, segment in network["segments"].items():
        if tunnel := segment.get("tunnel"):
            remotes = sorted(tunnel["remotes"])
            there = {"bridge": name, **ISOLATED} if is_linux else {"bridge": None}
            yield (
                tunnel_link(tunnel["vni"]),
                {"vni": tunnel["vni"], "local": tunnel["local"], "remotes": remotes, **there},
            )


def _link(
    kind: str | None, *, vlan: int | None = None, over: str | None = None, master: str | None = None
) -> dict[str, Any]:
    return {"kind": kind, "vlan": vlan, "over": over, "master": master}


def _stacked(network: Network, parent: str) -> list[Option]:
    """The VLAN interfaces on a bond or bridge."""
    segments = network["segments"].values()
    legs = [vlan_link(parent, segment["vlan"]) for segment in segments if _parent(network, segment) == parent]
    own = [name for name, interface in network["interfaces"].items() if _parent(network, interface) == parent]
    return [("VLAN", name) for name in sorted([*legs, *own])]


def _parent(network: Network, item: dict[str, Any]) -> str:
    """Name the bond or bridge that a segment or an interface is on."""
    bond = bond_of(network, item["vlan"])
    return bond.name if bond else bridge_of(item)


def _bridges(network: Network) -> list[str]:
    """Name the VLAN-aware bridges, each a spanning tree of its own."""
    return sorted({bridge_of(trunk) for trunk in network["trunks"].values()})


def _netdev_file(name: str, kind: str, section: Section, *, description: str | None = None) -> tuple[str, str]:
    options: list[Option] = [("Name", name), ("Kind", kind)]
    options += [("Description", description)] if description else []
    return f"{PREFIX}{name}.netdev", HEADER + sections_text([("NetDev", options), section])


def _network_file(
    name: str,
    *,
    network_options: list[Option] | None = None,
    vlans: list[int] | None = None,
    routes: list[dict[str, Any]] | None = None,
    isolated: bool | None = None,
    peers: list[str] | None = None,
    ready: bool = False,
    activation: str = "always-up",
) -> tuple[str, str]:
    """Describe a link that gets no address but those named; `ready` ones are set up before they have a carrier.

    An `isolated` port of a bridge talks only to ports that are not; networkd leaves a port as it is where the file does
    not say. `peers` are the other ends of a tunnel.

    A link is up whoever sets it down: Open vSwitch does so for a moment when it gives a tap device its MAC, and where
    networkd set it up in that moment it would stay down.

    A host is online once its links are set up: a dead cable must not hold up its boot, and without any link to wait
    for, systemd-networkd-wait-online.service(8) would wait two minutes. With another `activation`, it may be down.
    """
    options = [*(network_options or []), ("LinkLocalAddressing", "no")]
    options += [("ConfigureWithoutCarrier", "yes")] if ready else []
    online = "no-carrier" if activation == "always-up" else "no"
    sections: list[Section] = [
        ("Match", [("Name", name)]),
        ("Link", [("ActivationPolicy", activation), ("RequiredForOnline", online)]),
        ("Network", options),
    ]
    if isolated is not None:
        sections.append(("Bridge", [("Isolated", "yes" if isolated else "no")]))
    for peer in peers or []:
        entry: list[Option] = [("MACAddress", EVERYBODY), ("Destination", peer), ("AssociatedWith", "self")]
        sections.append(("BridgeFDB", entry))
    if vlans:
        sections.append(("BridgeVLAN", [("VLAN", vlan) for vlan in vlans]))
    for route in routes or []:
        way: list[Option] = [("Destination", route["destination"]), ("Gateway", route["gateway"])]
        sections.append(("Route", [*way, *([("Metric", route["metric"])] if route.get("metric") else [])]))
    return f"{PREFIX}{name}.network", HEADER + sections_text(sections)
