"""What a cloud asks for: the pools that it declares and the requests on them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import NamedTuple, TypeAlias

from podwright.allocation.grant import Request
from podwright.allocation.placement import Capacity, Host, Limits, Needs, PlacementRequest
from podwright.allocation.pools import (
    KINDS,
    SHARED,
    SUBNET_PREFIX,
    Pool,
    PoolName,
    disjoint,
    divided,
    subnet_value,
    subnets_of,
    subnets_over,
    values_of,
    without,
)
from podwright.allocation.volumes import DiskNeeds, Server, VolumeRequest
from podwright.model.cloud import Cloud, Hypervisor, Network, Pod, PodDedication, Zone, ZoneDedication
from podwright.model.fields import AddressRange, NumberRange
from podwright.model.views import (
    MANAGEMENT_NIC,
    Appliance,
    Domain,
    PlacedGuestNetwork,
    appliances,
    devices,
    domains,
    guest_network_pods,
    guest_networks,
    infrastructure,
    nics,
    routed,
)

MANAGEMENT_PURPOSE = MANAGEMENT_NIC
DEVICE_PURPOSE = "management"
# Whichever NIC a machine has in a network, there it has one: its address stays when its NICs change places.
GUEST_PURPOSE = "eth0"
MAC_PURPOSE = "eth0"
CONSOLE_PURPOSE = "console"
PUBLIC_PURPOSE = "source_nat"
NETWORK_PURPOSE = "guest_network"
VRRP_PURPOSE = "gateway"

# What holders need a value for, where nobody says so: what clouds do, or nothing in particular.
_PURPOSES: Mapping[PoolName, str] = {
    "console_port": CONSOLE_PURPOSE,
    "guest_address": GUEST_PURPOSE,
    "guest_subnet": NETWORK_PURPOSE,
    "guest_vlan": NETWORK_PURPOSE,
    "mac": MAC_PURPOSE,
    "management_address": MANAGEMENT_PURPOSE,
    "public_address": PUBLIC_PURPOSE,
    "vni": NETWORK_PURPOSE,
    "vrrp_id": VRRP_PURPOSE,
}
_NO_PURPOSE = "reserved"

# Virtual routers of a zone: the address of the gateway, and one of each zone switch right above it.
_ZONE_SWITCHES = 2


# The section of management addresses that are the devices' own, or may be.
DEVICES = "devices"

# The section of a segment's VRRP ids that the zone switches take first; every other virtual router takes others.
GATEWAYS = "gateways"

# In the transit network meet two virtual routers: with one id they would have one virtual MAC (RFC 5798 section 7.3).
TRANSIT_ZONE_SWITCHES, TRANSIT_FIREWALLS = "transit/zone_switches", "transit/firewalls"

# The provider's network has no VLAN id.
UPSTREAM = "upstream"
_UPSTREAM_ROUTER_ID = 1

Sections: TypeAlias = dict[str, tuple[range, ...]]


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


class VolumeDemand(NamedTuple):
    """The domains of a pod that need a disk."""

    scope: str
    servers: Mapping[str, Server]
    requests: list[VolumeRequest]


def usual_purpose(pool: PoolName) -> str:
    """What most holders of a pool's values need them for."""
    return _PURPOSES.get(pool, _NO_PURPOSE)


def demands(cloud: Cloud) -> Iterator[Demand]:
    """The requests on every pool but those of guest addresses, which follow from the subnets."""
    yield from _guest_vlans(cloud)
    yield from _guest_subnets(cloud)
    yield from _management_subnets(cloud)
    yield from _appliance_addresses(cloud)
    yield from _vnis(cloud)
    yield from _console_ports(cloud)
    yield from _vrrp_ids(cloud)
    yield _macs(cloud)


def guest_address_demands(cloud: Cloud, subnets: Mapping[tuple[str, str], IPv4Network]) -> Iterator[Demand]:
    """The requests on the addresses of each guest network that has a subnet."""
    machines = defaultdict(list)
    for domain in domains(cloud):
        if domain.machine is not None:
            declared = cloud.accounts[domain.account].machines[domain.machine].addresses
            for network in domain.guest_networks:
                fixed = int(declared[network]) if network in declared else None
                machines[domain.account, network].append(Request(domain.name, GUEST_PURPOSE, fixed))
    for (account, network), subnet in sorted(subnets.items()):
        # The first host address is the router's.
        hosts = range(int(subnet.network_address) + 2, int(subnet.broadcast_address))
        reserved = cloud.accounts[account].guest_networks[network].reserved
        path = f"accounts.{account}.guest_networks.{network}.subnet"
        # Addresses follow the subnet: DHCP tells the machines, and nobody else uses the old ones.
        sections = divided([hosts], reserved=_addresses(*reserved))
        pool = Pool("guest_address", f"{account}/{network}", sections, path, renumbers=True)
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


def volume_demands(cloud: Cloud) -> Iterator[VolumeDemand]:
    """The disks of every pod and the storage servers that can hold them."""
    by_pod = defaultdict(list)
    for domain in domains(cloud):
        offering = cloud.offerings[domain.offering]
        needs = DiskNeeds(offering.disk_gib, offering.storage_iops)
        request = VolumeRequest(domain.name, domain.account, needs, _offering_path(domain))
        by_pod[domain.zone, domain.pod].append(request)
    for zone, name, pod in _pods(cloud):
        servers = {
            server: Server(declared.capacity_gib, declared.storage_iops)
            for server, declared in pod.storage_servers.items()
        }
        yield VolumeDemand(f"{zone}/{name}", servers, by_pod[zone, name])


def _offering_path(domain: Domain) -> str:
    if domain.machine is None:
        return f"zones.{domain.zone}.routing_appliance.offering"
    return f"accounts.{domain.account}.machines.{domain.machine}.offering"


def _needs(cloud: Cloud, domain: Domain) -> Needs:
    """What the offering says; its Mbit/s are the limit of each NIC, and all of them may be busy at once.

    A routing appliance passes on what it gets: a packet from a machine to the outside uses
    the hypervisor's links twice, by eth0 and by eth2. So it counts for each of its NICs.
    """
    offering = cloud.offerings[domain.offering]
    network_mbit_s = offering.network_mbit_s * len(nics(domain))
    return Needs(offering.vcpus, offering.memory_mib, network_mbit_s, offering.storage_iops)


def _host(declared: Hypervisor) -> Host:
    has = Capacity(declared.vcpus, declared.memory_mib, declared.network_mbit_s, declared.storage_iops)
    return Host(has, declared.dedicated_to)


def _guest_vlans(cloud: Cloud) -> Iterator[Demand]:
    """From each pod that a guest network is in; or, where a zone says so, one for the whole zone."""
    requests = defaultdict(list)
    pods_of = guest_network_pods(cloud)
    for placed in guest_networks(cloud):
        zone = cloud.zones[placed.zone]
        if zone.guest_vlans is not None:
            requests[placed.zone].append(_for_network(placed, zone.dedicated))
            continue
        for pod_name in pods_of[placed.account, placed.name]:
            dedicated = zone.pods[pod_name].dedicated
            requests[f"{placed.zone}/{pod_name}"].append(_for_network(placed, dedicated))
    for name, zone in sorted(cloud.zones.items()):
        pods = sorted(zone.pods.items())
        if zone.guest_vlans is not None:
            sections = _vlan_sections(zone.guest_vlans, zone.pods.values(), zone.dedicated)
            yield Demand(Pool("guest_vlan", name, sections, f"zones.{name}.guest_vlans"), requests[name])
            continue
        for pod_name, pod in pods:
            sections = _vlan_sections(pod.guest_vlans or (), [pod], pod.dedicated)
            pool = Pool("guest_vlan", f"{name}/{pod_name}", sections, f"zones.{name}.pods.{pod_name}.guest_vlans")
            yield Demand(pool, requests[pool.scope])


def _vlan_sections(
    declared: Iterable[NumberRange],
    pods: Iterable[Pod],
    dedicated: Mapping[str, PodDedication] | Mapping[str, ZoneDedication],
) -> Sections:
    return divided(
        _numbers(declared),
        reserved=values_of(*(network.vlan for pod in pods for network in infrastructure(pod.networks).values())),
        dedicated={account: _numbers(own.guest_vlans) for account, own in dedicated.items()},
    )


def _guest_subnets(cloud: Cloud) -> Iterator[Demand]:
    requests = defaultdict(list)
    declared = defaultdict(list)
    for placed in guest_networks(cloud):
        subnet = placed.network.subnet
        if isinstance(subnet, IPv4Network):
            declared[placed.zone].append(subnets_over(subnet))
        else:
            requests[placed.zone].append(_for_network(placed, cloud.zones[placed.zone].dedicated))
    for name, zone in sorted(cloud.zones.items()):
        subnets = [subnets_of(zone.guest_subnets)] if zone.guest_subnets else []
        dedicated = {account: map(subnets_of, own.guest_subnets) for account, own in zone.dedicated.items()}
        sections = divided(subnets, reserved=declared[name], dedicated=dedicated)
        yield Demand(Pool("guest_subnet", name, sections, f"zones.{name}.guest_subnets"), requests[name])


def _vnis(cloud: Cloud) -> Iterator[Demand]:
    requests = defaultdict(list)
    for placed in guest_networks(cloud):
        requests[placed.zone].append(_for_network(placed, cloud.zones[placed.zone].dedicated))
    for name, zone in sorted(cloud.zones.items()):
        if zone.vnis is not None:
            dedicated = {account: _numbers(own.vnis) for account, own in zone.dedicated.items()}
            sections = divided(_numbers(zone.vnis), dedicated=dedicated)
            yield Demand(Pool("vni", name, sections, f"zones.{name}.vnis"), requests[name])


def _console_ports(cloud: Cloud) -> Iterator[Demand]:
    """One for a domain in its whole pod, so that a domain that moves keeps it."""
    requests = defaultdict(list)
    for domain in domains(cloud):
        requests[domain.zone, domain.pod].append(Request(domain.name, CONSOLE_PURPOSE))
    for zone, name, pod in _pods(cloud):
        if pod.console_ports is not None:
            path = f"zones.{zone}.pods.{name}.console_ports"
            pool = Pool("console_port", f"{zone}/{name}", divided(_numbers(pod.console_ports)), path)
            yield Demand(pool, requests[zone, name])


def _vrrp_ids(cloud: Cloud) -> Iterator[Demand]:
    """One for the virtual router of each gateway of the zone switches, in its VLAN (RFC 5798 section 5.2.3)."""
    for name, zone in sorted(cloud.zones.items()):
        if not zone.zone_switches:
            continue
        yield _vrrp_id(f"{name}/{UPSTREAM}", UPSTREAM, _UPSTREAM_ROUTER_ID, f"zones.{name}.upstream")
        if zone.transit is not None:
            segment, usual = f"{name}/{zone.transit.vlan}", (zone.transit.vlan - 1) % 255 + 1
            yield _vrrp_id(segment, TRANSIT_ZONE_SWITCHES, usual, f"zones.{name}.transit", TRANSIT_FIREWALLS)
        for pod_name, pod in sorted(zone.pods.items()):
            for purpose, network in routed(pod.networks).items():
                path = f"zones.{name}.pods.{pod_name}.networks.{purpose}"
                yield _vrrp_id(f"{name}/{network.vlan}", f"{pod_name}/{purpose}", (network.vlan - 1) % 255 + 1, path)


def _vrrp_id(segment: str, router: str, usual: int, path: str, *others: str) -> Demand:
    """An id for the zone switches' virtual router in a segment: the usual one, as long as nobody chooses another.

    Usual is what follows from the VLAN id, so that virtual MAC addresses, which follow from the
    VRRP id (RFC 5798 section 7.3), seldom repeat between the VLANs of a switch.
    """
    sections = divided([KINDS["vrrp_id"].values], dedicated={GATEWAYS: values_of(usual)})
    pool = Pool("vrrp_id", segment, sections, path)
    requests = [Request(other, VRRP_PURPOSE) for other in others]
    return Demand(pool, [Request(router, VRRP_PURPOSE, None, (GATEWAYS, SHARED)), *requests])


def _for_network(placed: PlacedGuestNetwork, dedicated: Collection[str]) -> Request:
    """A value for a guest network; where something is dedicated to its account, of that first."""
    sections = (placed.account, SHARED) if placed.account in dedicated else (SHARED,)
    return Request(f"{placed.account}/{placed.name}", NETWORK_PURPOSE, None, sections)


def _management_subnets(cloud: Cloud) -> Iterator[Demand]:
    """Pods declare theirs: those of one size are noted, and what others overlap is reserved."""
    for name, zone in sorted(cloud.zones.items()):
        subnets = {pod_name: pod.networks.management.subnet for pod_name, pod in sorted(zone.pods.items())}
        reserved = [subnets_over(each) for each in subnets.values() if each.prefixlen != SUBNET_PREFIX]
        sections = divided([subnets_of(zone.management_network)], reserved=reserved)
        requests = [
            Request(pod_name, DEVICE_PURPOSE, subnet_value(each), is_fact=True)
            for pod_name, each in subnets.items()
            if each.prefixlen == SUBNET_PREFIX
        ]
        yield Demand(Pool("management_subnet", name, sections, f"zones.{name}.management_network"), requests)


def _appliance_addresses(cloud: Cloud) -> Iterator[Demand]:
    holders = defaultdict(list)
    for appliance in appliances(cloud):
        holders[appliance.zone, appliance.pod].append(appliance)
    owned = defaultdict(list)
    for device in devices(cloud):
        owned[device.zone].append(device)
    for zone, name, pod in _pods(cloud):
        own = {each.name: int(each.declared.management_address) for each in owned[zone] if each.pod == name}
        reserved = [int(each.declared.management_address) for each in owned[zone]]
        sections = _management_sections(pod.networks.management, reserved, own.values(), cloud.zones[zone])
        path = f"zones.{zone}.pods.{name}.networks.management.lease_range"
        pool = Pool("management_address", f"{zone}/{name}", sections, path)
        requests = [Request(appliance.name, MANAGEMENT_PURPOSE) for appliance in holders[zone, name]]
        requests += [
            Request(device, DEVICE_PURPOSE, address, (DEVICES,), is_fact=True) for device, address in own.items()
        ]
        yield Demand(pool, requests)
    yield from _public_addresses(cloud, holders)


def _management_sections(network: Network, reserved: Iterable[int], devices: Iterable[int], zone: Zone) -> Sections:
    """What is for routing appliances; and apart from that, what devices may have or do have."""
    leased = _addresses(network.lease_range)
    hosts = range(int(network.subnet.network_address) + 1, int(network.subnet.broadcast_address))
    firewalls = len(zone.firewalls) if zone.management_reached_through else 0
    gateways = values_of(*_gateways(network, len(zone.zone_switches) + firewalls))
    for_appliances = divided(leased, reserved=values_of(*_gateways(network), *reserved))
    for_devices = disjoint([*without([hosts], [*leased, *gateways]), *values_of(*devices)])
    return for_appliances | ({DEVICES: for_devices} if for_devices else {})


def _public_addresses(cloud: Cloud, holders: Mapping[tuple[str, str], Sequence[Appliance]]) -> Iterator[Demand]:
    """Unique in a zone, but each from the network of its holder's pod: `<pod>`, or before that `<pod>:<account>`."""
    for name, zone in sorted(cloud.zones.items()):
        by_pod = {pod_name: _public_sections(pod_name, pod) for pod_name, pod in sorted(zone.pods.items())}
        path = f"zones.{name}.pods.{'*' if len(by_pod) > 1 else ''.join(by_pod)}.networks.public.lease_range"
        pool = Pool("public_address", name, {key: own for each in by_pod.values() for key, own in each.items()}, path)
        requests = []
        for pod in by_pod:
            left = tuple(section for section in pool.sections if section.partition(":")[0] != pod)
            requests += [
                Request(appliance.name, PUBLIC_PURPOSE, None, _public_sections_for(appliance, zone.pods[pod]), left)
                for appliance in holders[name, pod]
            ]
        yield Demand(pool, requests)


def _public_sections_for(appliance: Appliance, pod: Pod) -> tuple[str, ...]:
    own = (f"{appliance.pod}:{appliance.account}",) if appliance.account in pod.dedicated else ()
    return (*own, appliance.pod)


def _public_sections(name: str, pod: Pod) -> Sections:
    network = pod.networks.public
    sections = divided(
        _addresses(network.lease_range),
        reserved=values_of(*_gateways(network)),
        dedicated={account: _addresses(*own.public_addresses) for account, own in pod.dedicated.items()},
    )
    return {f"{name}:{account}" if account else name: values for account, values in sections.items()}


def _numbers(declared: Iterable[NumberRange]) -> list[range]:
    return [each.ids for each in declared]


def _addresses(*declared: AddressRange | None) -> list[range]:
    return [range(int(each.first), int(each.last) + 1) for each in declared if each]


def _gateways(network: Network, owners: int = _ZONE_SWITCHES) -> list[int]:
    if network.gateway is None:
        return []
    return [int(network.gateway) + above for above in range(owners + 1)]


def _macs(cloud: Cloud) -> Demand:
    pool = Pool("mac", cloud.name, {SHARED: (KINDS["mac"].values,)}, "accounts")
    return Demand(pool, [Request(domain.name, nic) for domain in domains(cloud) for nic in nics(domain)])


def _pods(cloud: Cloud) -> Iterator[tuple[str, str, Pod]]:
    for zone_name, zone in sorted(cloud.zones.items()):
        for name, pod in sorted(zone.pods.items()):
            yield zone_name, name, pod
