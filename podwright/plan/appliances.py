"""Routing appliances: the services of an account in a zone, and what a new appliance is born with."""

from __future__ import annotations

from podwright.model.views import Appliance, Domain, reached_at
from podwright.plan.ground import Ground
from podwright.plan.state import DhcpHost, RoutingApplianceState, Services

_LEASE_S = 12 * 60 * 60

# RFC 7348 section 4.3: frames in a tunnel must not be fragmented. Of the 1500 octets that every underlay carries, the
# outer IPv4, UDP and VXLAN headers and the inner Ethernet header take 20 + 8 + 8 + 14 (section 5).
_MTU_OVER_TUNNELS = 1500 - 50


def routing_appliance_state(ground: Ground, appliance: Appliance) -> RoutingApplianceState:
    """The desired state of a routing appliance."""
    zone = ground.cloud.zones[appliance.zone]
    address = ground.leases.management_addresses[appliance.name]
    state: RoutingApplianceState = {
        "device": appliance.name,
        "kind": "routing_appliance",
        "zone": appliance.zone,
        "pod": appliance.pod,
        "account": appliance.account,
        "hypervisor": ground.leases.placements[appliance.name],
        "management_address": str(address),
        "appliance": _services(ground, appliance),
    }
    if zone.management_reached_through is not None:
        state["reached_at"] = str(reached_at(zone, address))
    return state


def credentials(ground: Ground, domain: Domain) -> dict[str, str]:
    """System credentials of an appliance: how the controller finds it and gets in (systemd.system-credentials(7))."""
    management = ground.cloud.zones[domain.zone].pods[domain.pod].networks.management
    address = ground.leases.management_addresses[domain.name]
    return {
        "hostname": domain.name,
        "network.network.10-podwright-management": _MANAGEMENT_NETWORK.format(
            mac=ground.leases.macs[domain.name, "eth1"], address=f"{address}/{management.subnet.prefixlen}"
        ),
        "ssh.authorized_keys.root": "".join(f"{key}\n" for key in ground.cloud.administrator_keys),
    }


# systemd.network(5). The NIC is known by its address: names are given in the order in which the kernel finds them.
_MANAGEMENT_NETWORK = """\
[Match]
MACAddress={mac}

[Network]
LinkLocalAddressing=no
Address={address}
"""


def _services(ground: Ground, appliance: Appliance) -> Services:
    leases = ground.leases
    networks = ground.cloud.zones[appliance.zone].pods[appliance.pod].networks
    subnet = leases.guest_subnets[appliance.account, appliance.guest_network]
    router = subnet.network_address + 1
    public = str(leases.public_addresses[appliance.name])
    management = leases.management_addresses[appliance.name]
    domain = f"{appliance.guest_network}.{appliance.account}.{ground.cloud.domain}"
    services: Services = {
        "hostname": appliance.name,
        "interfaces": {
            "eth0": {
                "mac": leases.macs[appliance.name, "eth0"],
                "addresses": [f"{router}/{subnet.prefixlen}"],
            },
            "eth1": {
                "mac": leases.macs[appliance.name, "eth1"],
                "addresses": [f"{management}/{networks.management.subnet.prefixlen}"],
            },
            "eth2": {
                "mac": leases.macs[appliance.name, "eth2"],
                "addresses": [f"{public}/{networks.public.subnet.prefixlen}"],
                "gateway": str(networks.public.gateway),
            },
        },
        "dhcp": {
            "interface": "eth0",
            "subnet": str(subnet),
            "router": str(router),
            "lease_s": _LEASE_S,
            "domain": domain,
            "hosts": _hosts(ground, appliance),
        },
        "dns": {"domain": domain, "forwarders": []},
        "source_nat": {"inside": str(subnet), "interface": "eth2", "address": public},
    }
    if networks.tunnel:  # from the start, for a network may come to other pods while its machines run
        services["interfaces"]["eth0"]["mtu"] = _MTU_OVER_TUNNELS
        services["dhcp"]["mtu"] = _MTU_OVER_TUNNELS
    return services


def _hosts(ground: Ground, appliance: Appliance) -> list[DhcpHost]:
    """The machines of the guest network, by name."""
    return [
        {
            "name": domain.machine,
            "mac": ground.leases.macs[domain.name, "eth0"],
            "address": str(ground.leases.guest_addresses[domain.name]),
        }
        for domain in ground.domains_of.get((appliance.account, appliance.guest_network), ())
        if domain.machine is not None
    ]
