"""Firewalls: their networks, which of the pair answers, who may connect through them, and VPNs to other zones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from podwright.model.cloud import Zone
from podwright.model.edge import Firewall as DeclaredFirewall
from podwright.model.edge import FirewallRule
from podwright.model.views import Device, appliances, edge, is_transparent, zone_management_subnet
from podwright.model.vpn_traffic import KINDS, Networks, by_kind
from podwright.plan import names
from podwright.plan.ground import Ground, Link
from podwright.plan.host_networks import empty_network, own_address, transit_interface, transit_route, upstream_port
from podwright.plan.routing import firewall_routing, public_networks
from podwright.plan.state import (
    Firewall,
    FirewallState,
    HostNetwork,
    Management,
    Neighbourhood,
    Pass,
    RoutedPort,
    Selectors,
    SharedAddress,
    Translation,
    VpnEnd,
)
from podwright.plan.zone_gateways import priority_of, virtual_address

_MANAGEMENT_INTERFACE = "eth0"


def firewall_state(ground: Ground, device: Device) -> FirewallState:
    """The desired state of a firewall."""
    return {
        "device": device.name,
        "kind": "firewall",
        "zone": device.zone,
        "pod": None,
        "management_address": str(device.declared.management_address),
        "network": _network(ground, device),
        "firewall": _firewall(ground, device),
    }


def _network(ground: Ground, device: Device) -> HostNetwork:
    """What carries data, and ports to management networks."""
    network = (_bridged if is_transparent(ground.zone_of(device)) else _routed)(ground, device)
    network["routed_ports"] |= _management_ports(ground, device)
    return network


def _bridged(ground: Ground, device: Device) -> HostNetwork:
    """A bridge between the provider and the zone switch behind the firewall."""
    network = empty_network(device)
    upstream, behind = upstream_port(ground, device), _zone_switch_behind(ground, device)
    if upstream is not None and behind is not None:
        network["transparent_bridge"] = {"outside": upstream.port, "inside": behind.port}
    return network


def _routed(ground: Ground, device: Device) -> HostNetwork:
    """A bond to the zone switches in the transit network, and a port to the provider."""
    zone = ground.zone_of(device)
    transit, rank = zone.transit, _rank(zone, device)
    assert transit is not None
    members = [link.port for link in ground.links[device.name] if link.far_kind == "zone_switch"]
    network = empty_network(device)
    network["uplinks"] = {"members": members, "tagged": [transit.vlan]}
    network["interfaces"] = transit_interface(transit, transit.firewall_address, rank)
    network["routes"] = [
        transit_route(zone, str(subnet), transit.zone_switch_address) for subnet in public_networks(zone)
    ]
    if (upstream := upstream_port(ground, device)) is not None:
        address = f"{own_address(zone.upstream.address, rank)}/{zone.upstream.network.prefixlen}"
        network["routed_ports"][upstream.port] = {"addresses": [address], "description": "upstream"}
        network["routes"].append({"destination": "0.0.0.0/0", "gateway": str(zone.upstream.gateway)})
    return network


def _zone_switch_behind(ground: Ground, device: Device) -> Link | None:
    """The cable of a transparent firewall to its zone switch."""
    return next((link for link in ground.links[device.name] if link.far_kind == "zone_switch"), None)


def _management_ports(ground: Ground, device: Device) -> dict[str, RoutedPort]:
    """The ports to the management networks of the zone switches and of each pod, where they are translated."""
    return {
        link.port: {"addresses": [_address_inside(ground, device, link)], "description": str(link.far)}
        for link in ground.links[device.name]
        if link.far.device == "management"
    }


def _address_inside(ground: Ground, device: Device, link: Link) -> str:
    zone, declared = ground.zone_of(device), device.declared
    assert isinstance(declared, DeclaredFirewall)
    if link.far.name is None:
        inside = declared.inside_management_address
        assert inside is not None
        return f"{inside}/{zone_management_subnet(zone, inside).prefixlen}"
    management = zone.pods[link.far.name].networks.management
    assert management.gateway is not None
    address = own_address(management.gateway, len(zone.zone_switches) + _rank(zone, device))
    return f"{address}/{management.subnet.prefixlen}"


def _firewall(ground: Ground, device: Device) -> Firewall:
    zone = ground.zone_of(device)
    upstream = upstream_port(ground, device)
    firewall: Firewall = {
        "virtual_addresses": list(_shared_addresses(ground, zone, device, upstream)),
        "outside": [upstream.port] if upstream else [],
        "inside": _inside(ground, device),
        "public_networks": [str(subnet) for subnet in public_networks(zone)],
        "rules": [_pass(ground, device.zone, name, rule) for name, rule in sorted(zone.firewall_rules.items())],
        "management": _management(ground, device),
        "vpns": dict(_vpns(ground, device.zone)),
        "routing": firewall_routing(ground, device),
    }
    if is_transparent(zone) and (behind := _zone_switch_behind(ground, device)):
        firewall["transparent"] = _neighbourhood(zone, behind.far.device)
    return firewall


def _inside(ground: Ground, device: Device) -> list[str]:
    zone = ground.zone_of(device)
    if is_transparent(zone):
        behind = _zone_switch_behind(ground, device)
        return [behind.port] if behind else []
    assert zone.transit is not None
    return [names.vlan_interface(zone.transit.vlan)]


def _neighbourhood(zone: Zone, behind: str) -> Neighbourhood:
    """The provider's network, with the zone switches in it that a transparent firewall stands before, and others do."""
    upstream = zone.upstream
    own = {name: str(own_address(upstream.address, rank)) for rank, name in enumerate(edge(zone))}
    return {
        "network": str(upstream.network),
        "gateway": str(upstream.gateway),
        "shared": str(upstream.address),
        "behind": own[behind],
        "beyond": [address for name, address in own.items() if name != behind],
    }


def _shared_addresses(ground: Ground, zone: Zone, device: Device, upstream: Link | None) -> Iterator[SharedAddress]:
    """At the provider and in the transit network, which move together, and at the controllers', which moves alone.

    A controllers' network that is cut off must not stop customers' traffic. A transparent firewall has the last alone.
    """
    transit, priority = zone.transit, priority_of(_rank(zone, device))
    router_ids = {router: value for (of, router), value in ground.leases.vrrp_ids.items() if of == device.zone}
    if transit is not None:
        inner = names.vlan_interface(transit.vlan)
        shared = f"{transit.firewall_address}/{transit.subnet.prefixlen}"
        yield {**virtual_address(inner, shared, router_ids["transit/firewalls"], priority), "moves_alone": False}
    if upstream is not None and not is_transparent(zone):
        shared = f"{zone.upstream.address}/{zone.upstream.network.prefixlen}"
        yield {**virtual_address(upstream.port, shared, router_ids["upstream"], priority), "moves_alone": False}
    if zone.management_reached_through is not None:
        address = zone.management_reached_through.address
        # Firewalls of several zones may meet there: the last byte of the address tells them apart (RFC 5798 5.2.3).
        router_id = address.packed[-1] or 255
        yield {**virtual_address(_MANAGEMENT_INTERFACE, f"{address}/32", router_id, priority), "moves_alone": True}


def _pass(ground: Ground, zone: str, name: str, rule: FirewallRule) -> Pass:
    networks = {"source": _one(rule.source), "destination": _one(rule.destination)}
    if rule.account is not None:
        networks["destination" if rule.direction == "in" else "source"] = _addresses_of(ground, zone, rule.account)
    return {
        "name": name,
        "direction": rule.direction,
        "action": rule.action,
        "sources": networks["source"],
        "destinations": networks["destination"],
        "protocol": rule.protocol,
        "ports": [str(ports) for ports in sorted(rule.ports, key=lambda each: (each.first, each.last))],
    }


def _one(network: IPv4Network | None) -> list[str] | None:
    return None if network is None else [str(network)]


def _addresses_of(ground: Ground, zone: str, account: str) -> list[str]:
    """The public addresses of an account in a zone."""
    return [
        f"{ground.leases.public_addresses[appliance.name]}/32"
        for appliance in appliances(ground.cloud)
        if (appliance.account, appliance.zone) == (account, zone)
    ]


def _management(ground: Ground, device: Device) -> Management:
    zone = ground.zone_of(device)
    return {
        "interface": _MANAGEMENT_INTERFACE,
        "controllers": _texts(zone.controllers) or None,
        "translation": _translation(zone),
        "ports": {name: port["addresses"][0] for name, port in _management_ports(ground, device).items()},
    }


def _translation(zone: Zone) -> Translation | None:
    if zone.management_reached_through is None:
        return None
    reached = zone.management_reached_through.network
    return {"network": str(zone.management_network), "reached_through": str(reached)}


def _vpns(ground: Ground, here: str) -> Iterator[tuple[str, VpnEnd]]:
    """The VPNs of a zone, each from its side."""
    zones = ground.cloud.zones
    for name, vpn in sorted(ground.cloud.vpns.items()):
        if here in vpn.networks:
            (there,) = (zone for zone in vpn.networks if zone != here)
            yield (
                name,
                {
                    "local_address": str(zones[here].upstream.address),
                    "remote_address": str(zones[there].upstream.address),
                    "local_id": f"{here}.{ground.cloud.domain}",
                    "remote_id": f"{there}.{ground.cloud.domain}",
                    "traffic": _traffic(zones[here], vpn.networks[here], zones[there], vpn.networks[there]),
                },
            )


def _traffic(here: Zone, local: Networks, there: Zone, remote: Networks) -> dict[str, Selectors]:
    """Who talks to whom, where both ends have somebody of a kind."""
    ends, others = by_kind(here, local), by_kind(there, remote)
    return {
        kind: {"local": _texts(ends[kind]), "remote": _texts(others[kind])}
        for kind in KINDS
        if kind in ends and kind in others
    }


def _texts(networks: Iterable[IPv4Network]) -> list[str]:
    return [str(network) for network in sorted(networks)]


def _rank(zone: Zone, device: Device) -> int:
    return sorted(zone.firewalls).index(device.name)
