"""Networks of storage servers, hypervisors and zone switches, and what those of firewalls have in common with them."""

from __future__ import annotations

from ipaddress import IPv4Address

from podwright.model.cloud import Hypervisor, Network, Pod, StorageServer, Zone
from podwright.model.devices import LinuxDevice
from podwright.model.edge import Transit
from podwright.model.fabrics import Fabric, fabric_of, fabrics, vlans_of
from podwright.model.storage_share import StorageShare, storage_share
from podwright.model.views import Device, is_transparent, routed
from podwright.plan import names
from podwright.plan.ground import Ground, Link
from podwright.plan.state import HostNetwork, Route, Segment, Share, Uplinks, VlanInterface
from podwright.plan.trunks import carried, needed_by
from podwright.plan.tunnels import needs_tunnels, tunnel, tunnel_routes

# IEEE 802.1Q-2018, 13.26.3: the worst priority, so that a zone switch never becomes root of a pod.
_ZONE_SWITCH_PRIORITY = 61440

# What FRR finds comes before a route of the kernel with this metric: its first byte is the distance (zebra(8)).
_LAST_RESORT_METRIC = 254 << 24


def storage_server_network(ground: Ground, device: Device) -> HostNetwork:
    """Uplinks and an address in the storage network."""
    return _host_network(ground, device)


def hypervisor_network(ground: Ground, device: Device) -> HostNetwork:
    """The same, a segment for each network that a domain is in, and ways to the other pods that those are in.

    Its uplinks are where guests and storage meet; storage servers' carry nothing else. To public pod switches it has a
    bond of its own.
    """
    network = _host_network(ground, device)
    share = storage_share(ground.pod_of(device))
    if share is not None and network["uplinks"] is not None:
        network["uplinks"]["share"] = share_of_links(share)
    if "public" in fabrics(ground.pod_of(device)):
        network["public_uplinks"] = _uplinks(ground, device, "public")
    network["segments"] = _segments(ground, device)
    declared, tunnels = device.declared, ground.pod_of(device).networks.tunnel
    if tunnels and needs_tunnels(ground, device):
        assert isinstance(declared, Hypervisor)
        network["interfaces"][names.vlan_interface(tunnels.vlan)] = {
            "vlan": tunnels.vlan,
            "addresses": [f"{declared.tunnel_address}/{tunnels.subnet.prefixlen}"],
            "description": "tunnel",
        }
        network["routes"] = tunnel_routes(ground, device)
    return network


def zone_switch_network(ground: Ground, device: Device) -> HostNetwork:
    """Trunks to the pods with an address in each routed network, and a port to the provider.

    Each fabric of a pod has a bridge, and so a spanning tree, of its own: RSTP knows no VLANs, and in a tree over
    several it could block a link that a VLAN of just one has to use (IEEE 802.1Q-2018 13.4).
    """
    zone = ground.zone_of(device)
    rank = zone_switch_rank(zone, device.name)
    upstream = upstream_port(ground, device)
    network = empty_network(device)
    network["trunks"] = {
        link.port: {
            "tagged": carried(ground, device, link),
            "bridge": _pod_bridge(zone.pods[link.far_pod], link.fabric),
        }
        for link in ground.links[device.name]
        if link.far_pod is not None
    }
    if zone.transit is not None:
        network["trunks"] |= {
            link.port: {"tagged": carried(ground, device, link), "bridge": names.TRANSIT_BRIDGE}
            for link in ground.links[device.name]
            if link.far_kind in ("firewall", "zone_switch")
        }
    network["spanning_tree"] = {"priority": _ZONE_SWITCH_PRIORITY}
    network["interfaces"] = {
        names.vlan_interface(declared.vlan): _own_interface(pod, purpose, declared, rank)
        for pod in zone.pods.values()
        for purpose, declared in routed(pod.networks).items()
    }
    if zone.transit is not None:
        transit = transit_interface(zone.transit, zone.transit.zone_switch_address, rank)
        network["interfaces"] |= {name: {**each, "bridge": names.TRANSIT_BRIDGE} for name, each in transit.items()}
        network["routes"] = [transit_route(zone, "0.0.0.0/0", zone.transit.firewall_address)]
    if upstream is not None:
        address = own_address(zone.upstream.address, rank)
        network["routed_ports"] = {
            upstream.port: {
                "addresses": [f"{address}/{zone.upstream.network.prefixlen}"],
                "description": "upstream",
            }
        }
        network["routes"] = [{"destination": "0.0.0.0/0", "gateway": str(zone.upstream.gateway)}]
    return network


def zone_switch_rank(zone: Zone, name: str) -> int:
    """0 for the first zone switch by name, 1 for the second."""
    return sorted(zone.zone_switches).index(name)


def own_address(shared: IPv4Address, rank: int) -> IPv4Address:
    """A zone switch's own address beside the one that it shares."""
    return shared + 1 + rank


def transit_interface(transit: Transit, shared: IPv4Address, rank: int) -> dict[str, VlanInterface]:
    """The interface of a firewall or a zone switch in the network between them, by its name."""
    address = f"{own_address(shared, rank)}/{transit.subnet.prefixlen}"
    interface: VlanInterface = {"vlan": transit.vlan, "addresses": [address], "description": "transit"}
    return {names.vlan_interface(transit.vlan): interface}


def transit_route(zone: Zone, destination: str, gateway: IPv4Address) -> Route:
    """A static way through the transit network; with OSPF it is the last resort."""
    route: Route = {"destination": destination, "gateway": str(gateway)}
    if zone.routing == "ospf":
        route["metric"] = _LAST_RESORT_METRIC
    return route


def upstream_port(ground: Ground, device: Device) -> Link | None:
    """The first port of a firewall or a zone switch that leads to the provider, also by a transparent firewall."""
    through = "firewall" if device.kind == "zone_switch" and is_transparent(ground.zone_of(device)) else None
    links = ground.links[device.name]
    return next(
        (link for link in links if link.far.device == "upstream" or (through and link.far_kind == through)), None
    )


def share_of_links(share: StorageShare) -> Share:
    """What storage's VLAN keeps of links, as states say it."""
    return {
        "vlan": share.vlan,
        "guaranteed_mbit_s": share.guaranteed_mbit_s,
        "link_mbit_s": share.link_mbit_s,
    }


def _host_network(ground: Ground, device: Device) -> HostNetwork:
    assert isinstance(device.declared, StorageServer | Hypervisor)
    pod = ground.pod_of(device)
    storage = pod.networks.storage
    network = empty_network(device)
    network["uplinks"] = _uplinks(ground, device, fabric_of(pod, "storage"))
    network["interfaces"] = {
        names.vlan_interface(storage.vlan): {
            "vlan": storage.vlan,
            "addresses": [f"{device.declared.storage_address}/{storage.subnet.prefixlen}"],
            "description": "storage",
        }
    }
    return network


def _uplinks(ground: Ground, device: Device, fabric: Fabric) -> Uplinks:
    """The bond of a host to the pod switches of a fabric."""
    links = [link for link in ground.links[device.name] if link.far_kind == "pod_switch"]
    return {
        "members": [link.port for link in links if link.fabric == fabric],
        "tagged": sorted(vlans_of(ground.pod_of(device), fabric, needed_by(ground, device))),
    }


def empty_network(device: Device) -> HostNetwork:
    """A network with nothing in it, of the device's backend."""
    assert isinstance(device.declared, LinuxDevice)
    network: HostNetwork = {
        "backend": device.declared.network_backend,
        "uplinks": None,
        "trunks": {},
        "spanning_tree": None,
        "segments": {},
        "interfaces": {},
        "routed_ports": {},
        "routes": [],
    }
    if device.declared.network_backend == "openvswitch":
        network["datapath"] = device.declared.datapath
    return network


def _segments(ground: Ground, device: Device) -> dict[str, Segment]:
    networks = ground.pod_of(device).networks
    segments: dict[str, Segment] = {}
    for domain in ground.domains_on.get(device.name, ()):
        for guest_network, vlan in ground.guest_vlans(domain).items():
            segment: Segment = {"vlan": vlan, "description": f"{domain.account}/{guest_network}"}
            if elsewhere := tunnel(ground, device, domain.account, guest_network):
                segment["tunnel"] = elsewhere
            segments[names.guest_segment(vlan)] = segment
        if domain.role == "routing_appliance":
            for name, network in (("management", networks.management), ("public", networks.public)):
                segments[names.infrastructure_segment(network.vlan)] = {"vlan": network.vlan, "description": name}
    return segments


def _pod_bridge(pod: Pod, fabric: Fabric) -> str:
    if fabric == "public":
        return names.public_bridge(pod.networks.public.vlan)
    return names.pod_bridge(pod.networks.management.vlan)


def _own_interface(pod: Pod, purpose: str, network: Network, rank: int) -> VlanInterface:
    assert network.gateway is not None
    return {
        "vlan": network.vlan,
        "addresses": [f"{own_address(network.gateway, rank)}/{network.subnet.prefixlen}"],
        "description": purpose,
        "bridge": _pod_bridge(pod, fabric_of(pod, purpose)),
    }
