"""What follows from a declaration alone: who stands where, under which name.

Everything is sorted by name, so that whoever walks a view does the same things
in the same order on every run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from itertools import chain, count
from typing import Literal, NamedTuple

from podwright.model.cloud import (
    Cloud,
    GuestNetwork,
    Hypervisor,
    Network,
    PodNetworks,
    PodSwitch,
    StorageServer,
    Zone,
    ZoneSwitch,
)
from podwright.model.edge import Firewall
from podwright.model.natural_order import natural

DeviceKind = Literal["firewall", "zone_switch", "pod_switch", "storage_server", "hypervisor"]
KIND_GROUPS: Mapping[str, str] = {
    "firewall": "firewalls",
    "zone_switch": "zone_switches",
    "pod_switch": "pod_switches",
    "storage_server": "storage_servers",
    "hypervisor": "hypervisors",
    "routing_appliance": "routing_appliances",
}
DomainRole = Literal["machine", "routing_appliance"]


# NICs of routing appliances; eth0 is in the default guest network, and from eth3 on they are in the others.
MANAGEMENT_NIC, PUBLIC_NIC = "eth1", "eth2"
_FIRST_FURTHER_NIC = 3


class PlacedGuestNetwork(NamedTuple):
    """A guest network and the pod of its appliance, also where the declaration leaves `pod` out."""

    account: str
    name: str
    network: GuestNetwork
    zone: str
    pod: str


class Appliance(NamedTuple):
    """The routing appliance of an account in a zone, in the pod of its guest networks; the first is the default one."""

    name: str
    account: str
    zone: str
    pod: str
    guest_networks: tuple[str, ...]
    image: str
    offering: str


class Domain(NamedTuple):
    """Whatever libvirt runs for an account: a machine, or a routing appliance (`machine` is then None).

    The first of its guest networks is that of eth0.
    """

    name: str
    role: DomainRole
    account: str
    machine: str | None
    zone: str
    pod: str
    guest_networks: tuple[str, ...]
    image: str
    offering: str
    anti_affinity: str | None
    hypervisor: str | None


class Device(NamedTuple):
    """A device of the operator's own; `pod` is None for firewalls and zone switches."""

    name: str
    kind: DeviceKind
    zone: str
    pod: str | None
    declared: Firewall | ZoneSwitch | PodSwitch | StorageServer | Hypervisor


def infrastructure(networks: PodNetworks) -> dict[str, Network]:
    """The infrastructure networks that a pod has, by what they are for."""
    declared = {name: getattr(networks, name) for name in PodNetworks.model_fields}
    return {name: network for name, network in declared.items() if network is not None}


def routed(networks: PodNetworks) -> dict[str, Network]:
    """Those that the zone switches route, by what they are for."""
    return {name: network for name, network in infrastructure(networks).items() if network.gateway is not None}


def guest_networks(cloud: Cloud) -> Iterator[PlacedGuestNetwork]:
    """Every guest network, by account and name."""
    for account_name, account in sorted(cloud.accounts.items()):
        for name, network in sorted(account.guest_networks.items()):
            pod = network.pod or next(iter(cloud.zones[network.zone].pods))
            yield PlacedGuestNetwork(account_name, name, network, network.zone, pod)


def guest_network_pods(cloud: Cloud) -> dict[tuple[str, str], list[str]]:
    """{(account, guest network): the pods it is in, by name}: its appliance's and those of its machines."""
    pods = {(placed.account, placed.name): {placed.pod} for placed in guest_networks(cloud)}
    for domain in _machines(cloud):
        for name in domain.guest_networks:
            pods[domain.account, name].add(domain.pod)
    return {network: sorted(those) for network, those in pods.items()}


def appliances(cloud: Cloud) -> Iterator[Appliance]:
    """One routing appliance per account and zone with a guest network, by account and zone."""
    served: dict[tuple[str, str], list[PlacedGuestNetwork]] = {}
    for placed in sorted(guest_networks(cloud), key=lambda placed: (not placed.network.default, placed.name)):
        served.setdefault((placed.account, placed.zone), []).append(placed)
    for (account, zone), networks in sorted(served.items()):
        shape = cloud.zones[zone].routing_appliance
        names = tuple(placed.name for placed in networks)
        name = appliance_name(account, zone)
        yield Appliance(name, account, zone, networks[0].pod, names, shape.image, shape.offering)


def domains(cloud: Cloud) -> list[Domain]:
    """Every machine and routing appliance, by name."""
    return sorted([*_machines(cloud), *_appliances(cloud)], key=lambda domain: domain.name)


def guest_nics(owner: Domain | Appliance) -> dict[str, str]:
    """{NIC: the guest network that it is in}, in order; a routing appliance's others are not among them."""
    numbers: Iterable[int] = count()
    if isinstance(owner, Appliance) or owner.role == "routing_appliance":
        numbers = chain([0], count(_FIRST_FURTHER_NIC))
    return {f"eth{number}": name for number, name in zip(numbers, owner.guest_networks, strict=False)}


def nics(domain: Domain) -> list[str]:
    """Every NIC of a domain, in the order in which its kernel finds them."""
    infrastructure_nics = [MANAGEMENT_NIC, PUBLIC_NIC] if domain.role == "routing_appliance" else []
    return sorted([*guest_nics(domain), *infrastructure_nics], key=natural)


def devices(cloud: Cloud) -> list[Device]:
    """Every declared device, by name."""
    return sorted(_devices(cloud), key=lambda device: device.name)


def is_transparent(zone: Zone) -> bool:
    """Whether a zone has firewalls that are bridges and no routers."""
    return bool(zone.firewalls) and zone.firewall_mode == "transparent"


def edge(zone: Zone) -> list[str]:
    """Those that share a zone's address at the provider, by name: its firewalls that route, or else its zone switches.

    Transparent firewalls stand between these and the provider.
    """
    return sorted(zone.zone_switches if is_transparent(zone) else zone.firewalls or zone.zone_switches)


def zone_management_subnet(zone: Zone, address: IPv4Address) -> IPv4Network:
    """The management network of devices that are in no pod: the /24 around one of their addresses, if not smaller."""
    return IPv4Network((address, max(24, zone.management_network.prefixlen)), strict=False)


def reached_at(zone: Zone, address: IPv4Address) -> IPv4Address:
    """Where controllers reach what has a management address inside a zone."""
    reached = zone.management_reached_through
    if reached is None or address not in zone.management_network:
        return address
    return reached.network[int(address) - int(zone.management_network.network_address)]


def domain_name(account: str, machine: str) -> str:
    """The name of a machine's domain, unique in the cloud."""
    return f"{account}-{machine}"


def appliance_name(account: str, zone: str) -> str:
    """The name of a routing appliance, of its domain and of its inventory host."""
    return f"{account}-{zone}-router"


def zone_group(zone: str) -> str:
    """The inventory group of a zone; in the names of groups, hyphens are underscores."""
    return f"zone_{zone}".replace("-", "_")


def pod_group(zone: str, pod: str) -> str:
    """The inventory group of a pod."""
    return f"pod_{zone}_{pod}".replace("-", "_")


def account_group(account: str) -> str:
    """The inventory group of an account: its routing appliances."""
    return f"account_{account}".replace("-", "_")


def _machines(cloud: Cloud) -> Iterator[Domain]:
    places = {(placed.account, placed.name): placed for placed in guest_networks(cloud)}
    for account_name, account in cloud.accounts.items():
        for name, machine in account.machines.items():
            place = places[account_name, machine.guest_networks[0]]
            yield Domain(
                name=domain_name(account_name, name),
                role="machine",
                account=account_name,
                machine=name,
                zone=place.zone,
                pod=machine.pod or place.pod,
                guest_networks=machine.guest_networks,
                image=machine.image,
                offering=machine.offering,
                anti_affinity=machine.anti_affinity,
                hypervisor=machine.hypervisor,
            )


def _appliances(cloud: Cloud) -> Iterator[Domain]:
    for appliance in appliances(cloud):
        yield Domain(
            name=appliance.name,
            role="routing_appliance",
            account=appliance.account,
            machine=None,
            zone=appliance.zone,
            pod=appliance.pod,
            guest_networks=appliance.guest_networks,
            image=appliance.image,
            offering=appliance.offering,
            anti_affinity=None,
            hypervisor=None,
        )


def _devices(cloud: Cloud) -> Iterator[Device]:
    for zone_name, zone in cloud.zones.items():
        for name, firewall in zone.firewalls.items():
            yield Device(name, "firewall", zone_name, None, firewall)
        for name, zone_switch in zone.zone_switches.items():
            yield Device(name, "zone_switch", zone_name, None, zone_switch)
        for pod_name, pod in zone.pods.items():
            for name, pod_switch in pod.pod_switches.items():
                yield Device(name, "pod_switch", zone_name, pod_name, pod_switch)
            for name, storage_server in pod.storage_servers.items():
                yield Device(name, "storage_server", zone_name, pod_name, storage_server)
            for name, hypervisor in pod.hypervisors.items():
                yield Device(name, "hypervisor", zone_name, pod_name, hypervisor)
