"""What a cloud asks for: the pools that it declares and the requests on them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import NamedTuple

from podwright.allocation.grant import Request
from podwright.allocation.placement import Capacity, Host, Limits, Needs, PlacementRequest
from podwright.allocation.pools import Pool, disjoint, subnets_of
from podwright.model.cloud import Cloud, Hypervisor, Network, Pod
from podwright.model.fields import AddressRange
from podwright.model.views import Domain, appliances, devices, domains, guest_networks

# Desired state "hypervisor": eth0 is the guest network, eth1 management, eth2 public.
MACHINE_NICS = ("eth0",)
APPLIANCE_NICS = ("eth0", "eth1", "eth2")
_NICS = {"machine": MACHINE_NICS, "routing_appliance": APPLIANCE_NICS}

MANAGEMENT_PURPOSE = "eth1"
PUBLIC_PURPOSE = "source_nat"
NETWORK_PURPOSE = "guest_network"

# Virtual routers of a zone: the address of the gateway, and one of each zone switch right above it.
_ZONE_SWITCHES = 2


class Demand(NamedTuple):
    """All that is asked of one pool."""

    pool: Pool
    requests: list[Request]


class PodDemand(NamedTuple):
    """The domains that a pod has to run."""

    scope: str
    hypervisors: Mapping[str, Host]
    limits: Limits
    requests: list[PlacementRequest]


def demands(cloud: Cloud) -> Iterator[Demand]:
    """The requests on every pool but those of guest addresses, which follow from the subnets."""
    yield from _guest_vlans(cloud)
    yield from _guest_subnets(cloud)
    yield from _appliance_addresses(cloud)
    yield _macs(cloud)


def guest_address_demands(cloud: Cloud, subnets: Mapping[tuple[str, str], IPv4Network]) -> Iterator[Demand]:
    """The requests on the addresses of each guest network that has a subnet."""
    machines = defaultdict(list)
    for domain in domains(cloud):
        if domain.role == "machine":
            machines[domain.account, domain.guest_network].append(Request(domain.name, "eth0"))
    for (account, network), subnet in sorted(subnets.items()):
        # The first host address is the router's.
        hosts = range(int(subnet.network_address) + 2, int(subnet.broadcast_address))
        path = f"accounts.{account}.guest_networks.{network}.subnet"
        # Addresses follow the subnet: DHCP tells the machines, and nobody else uses the old ones.
        pool = Pool("guest_address", f"{account}/{network}", (hosts,), path, renumbers=True)
        yield Demand(pool, machines[account, network])


def pod_demands(cloud: Cloud) -> Iterator[PodDemand]:
    """The domains of every pod and the hypervisors that can run them."""
    by_pod = defaultdict(list)
    for domain in domains(cloud):
        group = (domain.account, domain.anti_affinity) if domain.anti_affinity else None
        by_pod[domain.zone, domain.pod].append(
            PlacementRequest(domain.name, domain.account, _needs(cloud, domain), group, domain.hypervisor)
        )
    for zone, name, pod in _pods(cloud):
        hypervisors = {host: _host(declared) for host, declared in pod.hypervisors.items()}
        limits = Limits(**{key: getattr(pod.limits, key) for key in Limits._fields})
        yield PodDemand(f"{zone}/{name}", hypervisors, limits, by_pod[zone, name])


def _needs(cloud: Cloud, domain: Domain) -> Needs:
    """What the offering says; its Mbit/s are the limit of each NIC, and all of them may be busy at once.

    A routing appliance passes on what it gets: a packet from a machine to the outside uses
    the hypervisor's links twice, by eth0 and by eth2. So it counts for each of its NICs.
    """
    offering = cloud.offerings[domain.offering]
    network_mbit_s = offering.network_mbit_s * len(_NICS[domain.role])
    return Needs(offering.vcpus, offering.memory_mib, network_mbit_s, offering.storage_iops)


def _host(declared: Hypervisor) -> Host:
    has = Capacity(declared.vcpus, declared.memory_mib, declared.network_mbit_s, declared.storage_iops)
    return Host(has, declared.dedicated_to)


def _guest_vlans(cloud: Cloud) -> Iterator[Demand]:
    requests = defaultdict(list)
    for placed in guest_networks(cloud):
        requests[placed.zone, placed.pod].append(Request(f"{placed.account}/{placed.name}", NETWORK_PURPOSE))
    for zone, name, pod in _pods(cloud):
        pool = Pool(
            "guest_vlan",
            f"{zone}/{name}",
            disjoint(vlans.ids for vlans in pod.guest_vlans),
            f"zones.{zone}.pods.{name}.guest_vlans",
            frozenset(network.vlan for network in (pod.networks.management, pod.networks.storage, pod.networks.public)),
        )
        yield Demand(pool, requests[zone, name])


def _guest_subnets(cloud: Cloud) -> Iterator[Demand]:
    requests = defaultdict(list)
    declared = defaultdict(list)
    for placed in guest_networks(cloud):
        if isinstance(placed.network.subnet, IPv4Network):
            declared[placed.zone].append(placed.network.subnet)
        else:
            requests[placed.zone].append(Request(f"{placed.account}/{placed.name}", NETWORK_PURPOSE))
    for name, zone in sorted(cloud.zones.items()):
        subnets = subnets_of(zone.guest_subnets) if zone.guest_subnets else range(0)
        reserved = frozenset(value for subnet in declared[name] for value in _overlapped(subnet, subnets))
        pool = Pool("guest_subnet", name, (subnets,), f"zones.{name}.guest_subnets", reserved)
        yield Demand(pool, requests[name])


def _overlapped(network: IPv4Network, subnets: range) -> range:
    """Those of `subnets` that overlap `network`."""
    if not subnets:
        return subnets
    first = (int(network.network_address) - subnets.start) // subnets.step
    last = (int(network.broadcast_address) - subnets.start) // subnets.step
    return subnets[max(first, 0) : max(last + 1, 0)]


def _appliance_addresses(cloud: Cloud) -> Iterator[Demand]:
    holders = defaultdict(list)
    for appliance in appliances(cloud):
        holders[appliance.zone, appliance.pod].append(appliance.name)
    owned = defaultdict(set)
    for device in devices(cloud):
        owned[device.zone].add(int(device.declared.management_address))
    for zone, name, pod in _pods(cloud):
        management, public = pod.networks.management, pod.networks.public
        path = f"zones.{zone}.pods.{name}.networks"
        yield Demand(
            Pool(
                "management_address",
                f"{zone}/{name}",
                _addresses(management.lease_range),
                f"{path}.management.lease_range",
                _gateways(management) | owned[zone],
            ),
            [Request(holder, MANAGEMENT_PURPOSE) for holder in holders[zone, name]],
        )
        yield Demand(
            Pool(
                "public_address",
                f"{zone}/{name}",
                _addresses(public.lease_range),
                f"{path}.public.lease_range",
                _gateways(public),
            ),
            [Request(holder, PUBLIC_PURPOSE) for holder in holders[zone, name]],
        )


def _addresses(leased: AddressRange | None) -> tuple[range, ...]:
    return (range(int(leased.first), int(leased.last) + 1),) if leased else ()


def _gateways(network: Network) -> frozenset[int]:
    if network.gateway is None:
        return frozenset()
    return frozenset(int(network.gateway) + above for above in range(_ZONE_SWITCHES + 1))


def _macs(cloud: Cloud) -> Demand:
    pool = Pool("mac", cloud.name, (range(1, 1 << 24),), "accounts")
    return Demand(pool, [Request(domain.name, nic) for domain in domains(cloud) for nic in _NICS[domain.role]])


def _pods(cloud: Cloud) -> Iterator[tuple[str, str, Pod]]:
    for zone_name, zone in sorted(cloud.zones.items()):
        for name, pod in sorted(zone.pods.items()):
            yield zone_name, name, pod
