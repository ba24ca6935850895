"""Guest networks in several pods: which hypervisors reach each other by VXLAN (RFC 7348).

In a pod a guest network is a VLAN. A hypervisor sends what its own machines say
into that VLAN and, encapsulated, to each hypervisor of other pods that has a
machine in the network. What comes out of a tunnel goes to its machines only, and
never from the VLAN into a tunnel or back (split horizon), so there is no loop,
no frame comes twice, and no hypervisor speaks for others.
"""

from __future__ import annotations

from ipaddress import IPv4Address

from podwright.model.cloud import Hypervisor
from podwright.model.views import Device
from podwright.plan.ground import Ground
from podwright.plan.state import Route, Tunnel


def needs_tunnels(ground: Ground, device: Device) -> bool:
    """Whether a hypervisor has a machine in a guest network that is in other pods, too."""
    return any(_peers(ground, device, *network) for network in _networks_on(ground, device))


def tunnel(ground: Ground, device: Device, account: str, network: str) -> Tunnel | None:
    """Where a hypervisor finds a guest network of its domains in other pods; None when it is in this one alone."""
    peers = _peers(ground, device, account, network)
    if not peers:
        return None
    return {
        "vni": ground.leases.vnis[account, network],
        "local": str(_address(ground, device.name)),
        "remotes": [str(address) for address in sorted({_address(ground, peer) for peer in peers})],
    }


def tunnel_routes(ground: Ground, device: Device) -> list[Route]:
    """The ways to the tunnel networks of the pods where a hypervisor has peers."""
    own = ground.pod_of(device).networks.tunnel
    peers = {peer for network in _networks_on(ground, device) for peer in _peers(ground, device, *network)}
    pods = sorted({str(ground.devices[peer].pod) for peer in peers})
    networks = [ground.zone_of(device).pods[pod].networks.tunnel for pod in pods]
    return [
        {"destination": str(network.subnet), "gateway": str(own.gateway)} for network in networks if own and network
    ]


def _networks_on(ground: Ground, device: Device) -> set[tuple[str, str]]:
    """The guest networks of a hypervisor's domains, as (account, network)."""
    domains = ground.domains_on.get(device.name, ())
    return {(domain.account, network) for domain in domains for network in domain.guest_networks}


def _peers(ground: Ground, device: Device, account: str, network: str) -> set[str]:
    """The hypervisors of other pods with a domain in a guest network."""
    there = ground.domains_of[account, network]
    return {ground.leases.placements[other.name] for other in there if other.pod != device.pod}


def _address(ground: Ground, hypervisor: str) -> IPv4Address:
    declared = ground.devices[hypervisor].declared
    assert isinstance(declared, Hypervisor) and declared.tunnel_address is not None  # noqa: PT018
    return declared.tunnel_address
