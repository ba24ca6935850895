"""OSPF between the firewalls and the zone switches of a zone, where it has that."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from podwright.model.cloud import Zone
from podwright.model.views import Device
from podwright.plan import names
from podwright.plan.ground import Ground
from podwright.plan.host_networks import own_address
from podwright.plan.state import Routing

_ANYWHERE = IPv4Network("0.0.0.0/0")


def firewall_routing(ground: Ground, device: Device) -> Routing | None:
    """A firewall leads anywhere, and zone switches to the zone's public networks."""
    zone = ground.zone_of(device)
    return _routing(device, zone, [_ANYWHERE], public_networks(zone))


def zone_switch_routing(ground: Ground, device: Device) -> Routing | None:
    """The same from the other side."""
    zone = ground.zone_of(device)
    return _routing(device, zone, public_networks(zone), [_ANYWHERE])


def public_networks(zone: Zone) -> list[IPv4Network]:
    """What a zone is known by outside."""
    return sorted(pod.networks.public.subnet for pod in zone.pods.values())


def _routing(
    device: Device, zone: Zone, announced: Iterable[IPv4Network], accepted: Iterable[IPv4Network]
) -> Routing | None:
    transit = zone.transit
    if transit is None or zone.routing != "ospf":
        return None
    routers = {
        name: own_address(shared, rank)
        for shared, kind in (
            (transit.firewall_address, zone.firewalls),
            (transit.zone_switch_address, zone.zone_switches),
        )
        for rank, name in enumerate(sorted(kind))
    }
    shared = transit.firewall_address if device.kind == "firewall" else transit.zone_switch_address
    return {
        "interface": names.vlan_interface(transit.vlan),
        "router_id": str(routers[device.name]),
        "network": str(transit.subnet),
        "neighbours": [str(address) for name, address in sorted(routers.items()) if name != device.name],
        "announced": [str(network) for network in announced],
        "accepted": [str(network) for network in accepted],
        "preferred_with": str(shared),
        "key": device.zone,
    }
