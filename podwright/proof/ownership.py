"""Who owns a segment, by what the inventory declares and by what is in it: never by the plan or its VLAN ids.

A machine is known by the name of its domain, which the inventory gives to an
account. An address of a host or of a routing appliance lies in one of the
declared networks of the place where the device stands.
"""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network

from podwright.model.cloud import Cloud
from podwright.model.views import Appliance, Domain, appliances, domains, guest_nics, infrastructure
from podwright.proof.wiring import Owner


class Ownership:
    """The owners in a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._domains = {domain.name: domain for domain in domains(cloud)}
        self._appliances = {appliance.name: appliance for appliance in appliances(cloud)}
        self._accounts = cloud.accounts
        self._networks = {zone: _networks(cloud, zone) for zone in cloud.zones}

    def domain(self, name: str) -> Domain | None:
        """A declared machine or routing appliance."""
        return self._domains.get(name)

    def appliance(self, name: str) -> Appliance:
        """A declared routing appliance."""
        return self._appliances[name]

    def of_guest_nic(self, owner: Domain | Appliance, nic: str) -> Owner | None:
        """The owner of what a NIC of a machine or of an appliance is in; None for one that has no such guest NIC."""
        network = guest_nics(owner).get(nic)
        return Owner("account", f"{owner.account}/{network}") if network else None

    def of_address(self, zone: str, pod: str | None, address: str) -> Owner | None:
        """The owner of the infrastructure's network that an address of a device lies in, if any.

        The device is in `pod`, or anywhere in the zone; a storage network is one of its pod alone.
        """
        ip = IPv4Interface(address).ip
        for network, in_pod, owner in self._networks[zone]:
            if ip in network and (pod is None or in_pod in (pod, None)):
                return owner
        return None

    def of_public_network(self, network: IPv4Network) -> list[Owner]:
        """The owners of the public networks that a network has a part of, in whatever zone."""
        return [
            owner
            for networks in self._networks.values()
            for public, _, owner in networks
            if owner.kind == "public" and public.overlaps(network)
        ]

    def may_reach(self, owner: Owner, other: Owner) -> bool:
        """Whether a guest network is declared to reach another one of its account."""
        if not owner.kind == other.kind == "account":
            return False
        (account, network), (of, wanted) = (each.name.split("/") for each in (owner, other))
        return account == of and wanted in self._accounts[account].guest_networks[network].reaches


def _networks(cloud: Cloud, zone_name: str) -> list[tuple[IPv4Network, str | None, Owner]]:
    """(subnet, pod, owner) of each network of the infrastructure in a zone; the provider's and others are in no pod.

    Narrow ones come first: the management network of the zone holds those of its pods.
    """
    zone = cloud.zones[zone_name]
    networks: list[tuple[IPv4Network, str | None, Owner]] = [
        (zone.upstream.network, None, upstream(zone_name)),
    ]
    for pod_name, pod in sorted(zone.pods.items()):
        for purpose, network in infrastructure(pod.networks).items():
            networks.append((network.subnet, pod_name, Owner(purpose, f"{zone_name}/{pod_name}")))
    if zone.transit is not None:
        networks.append((zone.transit.subnet, None, Owner("transit", zone_name)))
    return [*networks, (zone.management_network, None, management(zone_name, None))]


def upstream(zone: str) -> Owner:
    """The provider's network."""
    return Owner("upstream", zone)


def management(zone: str, pod: str | None) -> Owner:
    """The management network of a pod, or of what is in no pod."""
    return Owner("management", f"{zone}/{pod}" if pod else zone)
