"""Zone switches: which of the pair answers for a gateway, and who may pass."""

from __future__ import annotations

from itertools import permutations

from podwright.model.cloud import Zone
from podwright.model.views import Device, infrastructure, routed
from podwright.plan import names
from podwright.plan.ground import Ground
from podwright.plan.host_networks import upstream_port, zone_switch_network, zone_switch_rank
from podwright.plan.routing import zone_switch_routing
from podwright.plan.state import Forwarding, Gateway, VirtualAddress, ZoneSwitchState

_FIRST_PRIORITY, _PRIORITY_STEP = 150, 50
_ADVERTISEMENT_INTERVAL_MS = 100


def zone_switch_state(ground: Ground, device: Device) -> ZoneSwitchState:
    """The desired state of a zone switch."""
    return {
        "device": device.name,
        "kind": "zone_switch",
        "zone": device.zone,
        "pod": None,
        "management_address": str(device.declared.management_address),
        "network": zone_switch_network(ground, device),
        "gateway": _gateway(ground, device),
    }


def priority_of(rank: int) -> int:
    """The VRRP priority of the first device by name (rank 0) and of those after it."""
    return max(1, _FIRST_PRIORITY - _PRIORITY_STEP * rank)


def _gateway(ground: Ground, device: Device) -> Gateway:
    zone = ground.zone_of(device)
    priority = priority_of(zone_switch_rank(zone, device.name))
    upstream = upstream_port(ground, device)
    networks = sorted(
        (
            (network, f"{name}/{purpose}")
            for name, pod in zone.pods.items()
            for purpose, network in routed(pod.networks).items()
        ),
        key=lambda each: each[0].vlan,
    )
    router_ids = {
        router: value for (of_zone, router), value in ground.leases.vrrp_ids.items() if of_zone == device.zone
    }
    addresses = [
        virtual_address(
            names.vlan_interface(network.vlan),
            f"{network.gateway}/{network.subnet.prefixlen}",
            router_ids[router],
            priority,
        )
        for network, router in networks
    ]
    outside = []
    if zone.transit is not None:
        inner = names.vlan_interface(zone.transit.vlan)
        shared = f"{zone.transit.zone_switch_address}/{zone.transit.subnet.prefixlen}"
        addresses.append(virtual_address(inner, shared, router_ids["transit/zone_switches"], priority))
        outside = [inner]
    if upstream is not None:
        shared = f"{zone.upstream.address}/{zone.upstream.network.prefixlen}"
        addresses.append(virtual_address(upstream.port, shared, router_ids["upstream"], priority))
        outside = [upstream.port]
    public, tunnels = _interfaces(zone, "public"), _interfaces(zone, "tunnel")
    return {
        "virtual_addresses": addresses,
        "forwarding": [*_forwarding([*public, *outside]), *_forwarding(tunnels)],
        "routing": zone_switch_routing(ground, device),
    }


def _interfaces(zone: Zone, purpose: str) -> list[str]:
    """The interfaces in the networks of all pods that are for `purpose`, by VLAN."""
    networks = [network for pod in zone.pods.values() for network in [infrastructure(pod.networks).get(purpose)]]
    return [names.vlan_interface(vlan) for vlan in sorted(network.vlan for network in networks if network)]


def virtual_address(interface: str, address: str, router_id: int, priority: int) -> VirtualAddress:
    """An address that the devices of one rank each share, of which the highest priority answers."""
    return {
        "interface": interface,
        "address": address,
        "virtual_router_id": router_id,
        "priority": priority,
        "advertisement_interval_ms": _ADVERTISEMENT_INTERVAL_MS,
    }


def _forwarding(interfaces: list[str]) -> list[Forwarding]:
    """Each reaches all others: public networks and the way out, and tunnel networks among themselves."""
    return [{"from": near, "to": far} for near, far in permutations(interfaces, 2)]
