"""What a cloud asks for: the pools that it declares and the requests on them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import NamedTuple

from podwright.allocation.grant import Request
from podwright.allocation.placement import Capacity, Host, Limits, Needs, PlacementRequest
from podwright.allocation.pools import (
    KINDS,
    SHARED,
    Pool,
    PoolName,
    divided,
    subnets_of,
    subnets_over,
    values_of,
    without,
)
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

# What holders need a value for, where nobody says so: what clouds do, or nothing in particular.
_PURPOSES: Mapping[PoolName, str] = {
    "guest_address": MACHINE_NICS[0],
    "guest_subnet": NETWORK_PURPOSE,
    "guest_vlan": NETWORK_PURPOSE,
    "mac": MACHINE_NICS[0],
    "management_address": MANAGEMENT_PURPOSE,
    "public_address": PUBLIC_PURPOSE,
    "vni": NETWORK_PURPOSE,
}
_NO_PURPOSE = "reserved"

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


def usual_purpose(pool: PoolName) -> str:
    """What most holders of a pool's values need them for."""
    return _PURPOSES.get(pool, _NO_PURPOSE)


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
        pool = Pool("guest_address", f"{account}/{network}", divided([hosts]), path, renumbers=True)
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
        networks = (pod.networks.management, pod.networks.storage, pod.networks.public)
        sections = divided(
            (vlans.ids for vlans in pod.guest_vlans), reserved=values_of(*(network.vlan for network in networks))
        )
        pool = Pool("guest_vlan", f"{zone}/{name}", sections, f"zones.{zone}.pods.{name}.guest_vlans")
        yield Demand(pool, requests[zone, name])


def _guest_subnets(cloud: Cloud) -> Iterator[Demand]:
    requests = defaultdict(list)
    declared = defaultdict(list)
    for placed in guest_networks(cloud):
        subnet = placed.network.subnet
        if isinstance(subnet, IPv4Network):
            declared[placed.zone].append(subnets_over(subnet))
        else:
            requests[placed.zone].append(Request(f"{placed.account}/{placed.name}", NETWORK_PURPOSE))
    for name, zone in sorted(cloud.zones.items()):
        subnets = [subnets_of(zone.guest_subnets)] if zone.guest_subnets else []
        sections = divided(subnets, reserved=declared[name])
        yield Demand(Pool("guest_subnet", name, sections, f"zones.{name}.guest_subnets"), requests[name])


def _appliance_addresses(cloud: Cloud) -> Iterator[Demand]:
    holders = defaultdict(list)
    for appliance in appliances(cloud):
        holders[appliance.zone, appliance.pod].append(appliance.name)
    owned = defaultdict(set)
    for device in devices(cloud):
        owned[device.zone].add(int(device.declared.management_address))
    for zone, name, pod in _pods(cloud):
        management = pod.networks.management
        yield Demand(
            Pool(
                "management_address",
                f"{zone}/{name}",
                divided(_addresses(management.lease_range), reserved=values_of(*_gateways(management), *owned[zone])),
                f"zones.{zone}.pods.{name}.networks.management.lease_range",
            ),
            [Request(holder, MANAGEMENT_PURPOSE) for holder in holders[zone, name]],
        )
    yield from _public_addresses(cloud, holders)


def _public_addresses(cloud: Cloud, holders: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[Demand]:
    """Unique in a zone, but each from the network of its holder's pod, which is a section of the pool."""
    for name, zone in sorted(cloud.zones.items()):
        networks = {pod_name: pod.networks.public for pod_name, pod in sorted(zone.pods.items())}
        sections = {
            pod: without(_addresses(network.lease_range), values_of(*_gateways(network)))
            for pod, network in networks.items()
        }
        path = f"zones.{name}.pods.{'*' if len(sections) > 1 else ''.join(sections)}.networks.public.lease_range"
        pool = Pool("public_address", name, {pod: values for pod, values in sections.items() if values}, path)
        requests = [Request(holder, PUBLIC_PURPOSE, None, (pod,)) for pod in networks for holder in holders[name, pod]]
        yield Demand(pool, requests)


def _addresses(leased: AddressRange | None) -> list[range]:
    return [range(int(leased.first), int(leased.last) + 1)] if leased else []


def _gateways(network: Network) -> list[int]:
    if network.gateway is None:
        return []
    return [int(network.gateway) + above for above in range(_ZONE_SWITCHES + 1)]


def _macs(cloud: Cloud) -> Demand:
    pool = Pool("mac", cloud.name, {SHARED: (KINDS["mac"].values,)}, "accounts")
    return Demand(pool, [Request(domain.name, nic) for domain in domains(cloud) for nic in _NICS[domain.role]])


def _pods(cloud: Cloud) -> Iterator[tuple[str, str, Pod]]:
    for zone_name, zone in sorted(cloud.zones.items()):
        for name, pod in sorted(zone.pods.items()):
            yield zone_name, name, pod
