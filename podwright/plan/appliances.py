"""Routing appliances: the services of an account in a zone, and what a new appliance is born with."""

from __future__ import annotations

from podwright.model.views import MANAGEMENT_NIC, PUBLIC_NIC, Appliance, Domain, guest_nics, reached_at
from podwright.plan.ground import Ground
from podwright.plan.state import (
    ApplianceInterface,
    DhcpHost,
    Forwarding,
    RoutingApplianceState,
    ServedNetwork,
    Services,
)

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
            mac=ground.leases.macs[domain.name, MANAGEMENT_NIC], address=f"{address}/{management.subnet.prefixlen}"
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
    served = {nic: _served_network(ground, appliance, network) for nic, network in guest_nics(appliance).items()}
    interfaces = {nic: _guest_interface(leases.macs[appliance.name, nic], each) for nic, each in served.items()}
    public = str(leases.public_addresses[appliance.name])
    management = leases.management_addresses[appliance.name]
    interfaces[MANAGEMENT_NIC] = {
        "mac": leases.macs[appliance.name, MANAGEMENT_NIC],
        "addresses": [f"{management}/{networks.management.subnet.prefixlen}"],
    }
    interfaces[PUBLIC_NIC] = {
        "mac": leases.macs[appliance.name, PUBLIC_NIC],
        "addresses": [f"{public}/{networks.public.subnet.prefixlen}"],
        "gateway": str(networks.public.gateway),
    }
    return {
        "hostname": appliance.name,
        "interfaces": interfaces,
        "guest_networks": served,
        "dns": {"forwarders": []},
        "source_nat": {"interface": PUBLIC_NIC, "address": public},
        "forwarding": _forwarding(ground, appliance),
    }


def _served_network(ground: Ground, appliance: Appliance, network: str) -> ServedNetwork:
    subnet = ground.leases.guest_subnets[appliance.account, network]
    served: ServedNetwork = {
        "subnet": str(subnet),
        "router": str(subnet.network_address + 1),
        "lease_s": _LEASE_S,
        "domain": f"{network}.{appliance.account}.{ground.cloud.domain}",
        "hosts": _hosts(ground, appliance.account, network),
    }
    # From the start, for a network may come to other pods while its machines run.
    if ground.cloud.zones[appliance.zone].pods[appliance.pod].networks.tunnel:
        served["mtu"] = _MTU_OVER_TUNNELS
    return served


def _guest_interface(mac: str, served: ServedNetwork) -> ApplianceInterface:
    _, _, length = served["subnet"].partition("/")
    interface: ApplianceInterface = {"mac": mac, "addresses": [f"{served['router']}/{length}"]}
    if "mtu" in served:
        interface["mtu"] = served["mtu"]
    return interface


def _hosts(ground: Ground, account: str, network: str) -> list[DhcpHost]:
    """The machines of a guest network, by name; each has its default route on its first NIC."""
    return [
        {
            "name": domain.machine,
            "mac": ground.leases.macs[domain.name, nic],
            "address": str(ground.leases.guest_addresses[domain.name, network]),
            "default_route": network == domain.guest_networks[0],
        }
        for domain in ground.domains_of.get((account, network), ())
        if domain.machine is not None
        for nic, its in guest_nics(domain).items()
        if its == network
    ]


def _forwarding(ground: Ground, appliance: Appliance) -> list[Forwarding]:
    """Who may connect to another network of the account: nobody but whom the declaration lets."""
    declared = ground.cloud.accounts[appliance.account].guest_networks
    nics = {network: nic for nic, network in guest_nics(appliance).items()}
    return [
        {"from": nic, "to": nics[other]} for network, nic in nics.items() for other in sorted(declared[network].reaches)
    ]
