"""Subnets, addresses and VLAN ids that must not meet, and those that must."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from podwright.model.checks.declaration import Declaration, PlacedPod
from podwright.model.checks.ranges import apart, with_paths
from podwright.model.cloud import Network, Zone
from podwright.model.devices import ManagedDevice
from podwright.model.document import Finding, KeyPath, dotted
from podwright.model.fields import NumberRange
from podwright.model.views import edge, infrastructure, is_transparent

_LEASED = ("management", "public")  # where routing appliances have an address
_ROUTED = (*_LEASED, "tunnel")  # where zone switches have a gateway
_LAST_ADDRESS = 2**32 - 1


class _Claim(NamedTuple):
    """An address and who has it, for people."""

    address: IPv4Address
    path: KeyPath
    owner: str


class _Subnet(NamedTuple):
    """A network that a zone routes, in the order of declaration."""

    subnet: IPv4Network
    order: int
    path: KeyPath


def check(declaration: Declaration) -> Iterator[Finding]:
    """Everything that is routed or switched within a zone, zone by zone; zones may repeat each other's."""
    for name, zone in declaration.cloud.zones.items():
        pods = [pod for pod in declaration.pods() if pod.zone_name == name]
        yield from _overlaps(declaration, name, zone, pods)
        yield from _management(declaration, name, zone, pods)
        yield from _upstream(name, zone)
        for pod in pods:
            yield from _pod_addresses(pod)
            yield from apart(declaration, with_paths(pod.pod.console_ports, (*pod.path, "console_ports")))
        yield from _guest_vlans(declaration, name, zone, pods)
        yield from apart(declaration, with_paths(zone.vnis, ("zones", name, "vnis")))
        yield from _infrastructure_vlans(declaration, pods)
        yield from _taken(declaration, name, zone, pods)
    yield from _public_networks(declaration)
    yield from _guest_networks(declaration)


def _overlaps(declaration: Declaration, name: str, zone: Zone, pods: Iterable[PlacedPod]) -> Iterator[Finding]:
    routed: list[tuple[IPv4Network | None, KeyPath]] = [
        (zone.upstream.network, ("zones", name, "upstream", "network")),
        (zone.guest_subnets, ("zones", name, "guest_subnets")),
    ]
    if zone.transit:
        routed.append((zone.transit.subnet, ("zones", name, "transit", "subnet")))
    for pod in pods:
        for key, network in infrastructure(pod.pod.networks).items():
            routed.append((network.subnet, (*pod.path, "networks", key, "subnet")))
    for first, second in _meeting(routed):
        remedy = f"{declaration.where(first.path)} is {first.subnet}: move one of them"
        yield Finding(second.path, str(second.subnet), "a network of its own in the zone", remedy)


def _public_networks(declaration: Declaration) -> Iterator[Finding]:
    """What customers are found by outside is in one zone; private networks may be in each."""
    public = [
        (pod.pod.networks.public.subnet, (*pod.path, "networks", "public", "subnet")) for pod in declaration.pods()
    ]
    for first, second in _meeting(public):
        if first.path[1] != second.path[1]:  # those of a zone are told of with its others
            remedy = f"{declaration.where(first.path)} is {first.subnet}: move one of them"
            yield Finding(second.path, str(second.subnet), "a public network of its own in the cloud", remedy)


def _meeting(declared: Iterable[tuple[IPv4Network | None, KeyPath]]) -> Iterator[tuple[_Subnet, _Subnet]]:
    """Networks that overlap: each with one that holds it, or is the same, in the order of declaration."""
    subnets = [_Subnet(subnet, order, path) for order, (subnet, path) in enumerate(declared) if subnet]
    around: list[_Subnet] = []  # sorted, a network comes after those that hold it
    for item in sorted(subnets):
        while around and not around[-1].subnet.overlaps(item.subnet):
            around.pop()
        if around:
            first, second = sorted((around[-1], item), key=lambda one: one.order)
            yield first, second
        around.append(item)


def _management(declaration: Declaration, name: str, zone: Zone, pods: list[PlacedPod]) -> Iterator[Finding]:
    whole = zone.management_network
    if whole is None:
        return
    subnets = []
    for pod in pods:
        path = (*pod.path, "networks", "management", "subnet")
        if subnet := pod.pod.networks.management.subnet:
            subnets.append((subnet, path))
            if not subnet.subnet_of(whole):
                remedy = f"give a part of zones.{name}.management_network, or widen that"
                yield Finding(path, str(subnet), f"a part of {whole}", remedy)
    for at, address, kind in _in_no_pod(name, zone):
        yield from outside(at, address, whole)
        for subnet, path in subnets:
            if address is not None and address in subnet:
                remedy = f"{declaration.where(path)} is {subnet}: give one outside, for a {kind} is in no pod"
                yield Finding(at, str(address), "an address outside the pods", remedy)


def _in_no_pod(name: str, zone: Zone) -> Iterator[tuple[KeyPath, IPv4Address | None, str]]:
    """The addresses in the management network of devices that are in no pod, and the words for their kinds."""
    base: KeyPath = ("zones", name)
    for switch_name, switch in zone.zone_switches.items():
        yield (*base, "zone_switches", switch_name, "management_address"), switch.management_address, "zone switch"
    key = "inside_management_address" if zone.management_reached_through else "management_address"
    for firewall_name, firewall in zone.firewalls.items():
        yield (*base, "firewalls", firewall_name, key), getattr(firewall, key), "firewall"


def _upstream(name: str, zone: Zone) -> Iterator[Finding]:
    upstream, path = zone.upstream, ("zones", name, "upstream")
    for key in ("address", "gateway"):
        yield from outside((*path, key), getattr(upstream, key), upstream.network)
    kind = "firewall" if zone.firewalls and not is_transparent(zone) else "zone switch"
    yield from own_addresses_outside((*path, "address"), upstream.address, upstream.network, len(edge(zone)), kind)


def _pod_addresses(pod: PlacedPod) -> Iterator[Finding]:
    networks = pod.pod.networks
    for key, network in infrastructure(networks).items():
        path = (*pod.path, "networks", key)
        yield from _incomplete(path, key, network)
        yield from _superfluous(path, key, network)
        yield from outside((*path, "gateway"), network.gateway, network.subnet)
        inside = len(pod.zone.firewalls) if key == "management" and pod.zone.management_reached_through else 0
        own = len(pod.zone.zone_switches) + inside
        yield from own_addresses_outside((*path, "gateway"), network.gateway, network.subnet, own, "zone switch")
        if network.lease_range:
            at = (*path, "lease_range")
            yield from outside(at, network.lease_range.first, network.subnet)
            yield from outside(at, network.lease_range.last, network.subnet)
    for kind in ("pod_switches", "storage_servers", "hypervisors"):
        for name, device in getattr(pod.pod, kind).items():
            path = (*pod.path, kind, name)
            yield from outside((*path, "management_address"), device.management_address, networks.management.subnet)
            if kind != "pod_switches":
                yield from outside((*path, "storage_address"), device.storage_address, networks.storage.subnet)
            if kind == "hypervisors":
                yield from _tunnel_address((*path, "tunnel_address"), device.tunnel_address, networks.tunnel)


def _incomplete(path: KeyPath, name: str, network: Network) -> Iterator[Finding]:
    if name in _ROUTED and network.gateway is None:
        yield Finding((*path, "gateway"), None, "a gateway", "add the address that the zone switches share")
    if name in _LEASED and network.lease_range is None:
        remedy = "add the first and the last address for routing appliances"
        yield Finding((*path, "lease_range"), None, "a lease range", remedy)


def _superfluous(path: KeyPath, name: str, network: Network) -> Iterator[Finding]:
    if name not in _ROUTED and network.gateway is not None:
        remedy = "remove it: nobody routes this network"
        yield Finding((*path, "gateway"), str(network.gateway), f"for a {name} network", remedy)
    if name not in _LEASED and network.lease_range is not None:
        remedy = "remove it: no routing appliance has an address in this network"
        yield Finding((*path, "lease_range"), str(network.lease_range), f"for a {name} network", remedy)


def _tunnel_address(path: KeyPath, address: IPv4Address | None, network: Network | None) -> Iterator[Finding]:
    if network is None and address is not None:
        remedy = f"declare {dotted((*path[:-3], 'networks', 'tunnel'))}, or remove the address"
        yield Finding(path, str(address), "left out in a pod without a tunnel network", remedy)
    elif network is not None and address is None:
        remedy = f"add an address of {dotted((*path[:-3], 'networks', 'tunnel'))}, which its pod has"
        yield Finding(path, None, "an address on the tunnel network", remedy)
    elif network is not None:
        yield from outside(path, address, network.subnet)


def outside(path: KeyPath, address: IPv4Address | None, subnet: IPv4Network | None) -> Iterator[Finding]:
    """A mistake when no host in a subnet may have an address."""
    if address is None or subnet is None:
        return
    first, last = _usable(subnet)
    if not first <= address <= last:
        yield Finding(path, str(address), f"an address for a host in {subnet}", f"give one of {first} to {last}")


def _usable(subnet: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """The first and the last address that a host may have (RFC 3021: all of a /31)."""
    return (subnet[1], subnet[-2]) if subnet.prefixlen < 31 else (subnet[0], subnet[-1])


def own_addresses_outside(
    path: KeyPath, gateway: IPv4Address | None, subnet: IPv4Network | None, count: int, kind: str
) -> Iterator[Finding]:
    """A mistake when the addresses right above a shared one, of each that shares it, do not fit into its subnet."""
    if gateway is None or subnet is None or gateway not in subnet:
        return
    first, last = map(int, _usable(subnet))
    if int(gateway) <= last < int(gateway) + count:
        why = f"for each {kind} has an address right above it"
        fits = last - count >= first
        remedy = f"give one of at most {IPv4Address(last - count)}, {why}" if fits else f"widen the subnet, {why}"
        yield Finding(path, str(gateway), f"low enough in {subnet}", remedy)


def _taken(declaration: Declaration, name: str, zone: Zone, pods: list[PlacedPod]) -> Iterator[Finding]:
    """Addresses that two have, and lease ranges with such as are taken."""
    holders: dict[IPv4Address, _Claim] = {}
    for claim in (*_shared_addresses(declaration, name, zone, pods), *_device_addresses(declaration, name, zone, pods)):
        holder = holders.setdefault(claim.address, claim)
        if holder is not claim:
            remedy = f"{holder.owner} has it, too: change one"
            yield Finding(claim.path, str(claim.address), "an address of its own", remedy)
    addresses = sorted(holders)
    for pod in pods:
        for key in _LEASED:
            if lease_range := getattr(pod.pod.networks, key).lease_range:
                start, end = bisect_left(addresses, lease_range.first), bisect_right(addresses, lease_range.last)
                taken = [f"{holders[address].owner} has {address}" for address in addresses[start:end]]
                if taken:
                    more = f" and {len(taken) - 3} more" if len(taken) > 3 else ""
                    remedy = f"{', '.join(taken[:3])}{more}: leave out what is taken"
                    yield Finding((*pod.path, "networks", key, "lease_range"), str(lease_range), "free", remedy)


def _shared_addresses(declaration: Declaration, name: str, zone: Zone, pods: list[PlacedPod]) -> Iterator[_Claim]:
    """The gateways, and the addresses that the zone switches have right above them."""
    upstream: KeyPath = ("zones", name, "upstream")
    if zone.upstream.gateway is not None:
        path = (*upstream, "gateway")
        yield _Claim(zone.upstream.gateway, path, declaration.where(path))
    switches, firewalls = sorted(zone.zone_switches), sorted(zone.firewalls)
    shared: list[tuple[IPv4Address | None, KeyPath, list[str]]] = [
        (zone.upstream.address, (*upstream, "address"), edge(zone))
    ]
    if zone.transit:
        shared.append((zone.transit.firewall_address, ("zones", name, "transit", "firewall_address"), firewalls))
        shared.append((zone.transit.zone_switch_address, ("zones", name, "transit", "zone_switch_address"), switches))
    for pod in pods:
        for key, network in infrastructure(pod.pod.networks).items():
            inside = firewalls if key == "management" and zone.management_reached_through else []
            if key in _ROUTED:
                shared.append((network.gateway, (*pod.path, "networks", key, "gateway"), [*switches, *inside]))
    for gateway, path, owners in shared:
        if gateway is not None:
            yield _Claim(gateway, path, declaration.where(path))
            for above, owner in enumerate(owners[: _LAST_ADDRESS - int(gateway)], start=1):
                yield _Claim(gateway + above, path, f"{owner}, next to {declaration.where(path)},")


def _device_addresses(declaration: Declaration, name: str, zone: Zone, pods: list[PlacedPod]) -> Iterator[_Claim]:
    kinds: list[tuple[KeyPath, Mapping[str, ManagedDevice]]] = [
        (("zones", name, "firewalls"), zone.firewalls),
        (("zones", name, "zone_switches"), zone.zone_switches),
    ]
    for pod in pods:
        for kind in ("pod_switches", "storage_servers", "hypervisors"):
            kinds.append(((*pod.path, kind), getattr(pod.pod, kind)))
    for path, named in kinds:
        for device_name, device in named.items():
            for key in ("management_address", "inside_management_address", "storage_address", "tunnel_address"):
                if (address := getattr(device, key, None)) is not None:
                    at = (*path, device_name, key)
                    yield _Claim(address, at, f"{device_name} ({declaration.document.place(at)})")


def _infrastructure_vlans(declaration: Declaration, pods: list[PlacedPod]) -> Iterator[Finding]:
    """No two in a pod are equal; nor, of what reaches the zone switches, any two in a zone (they bridge it)."""
    in_zone: dict[int, KeyPath] = {}
    for pod in pods:
        in_pod: dict[int, KeyPath] = {}
        for key, network in infrastructure(pod.pod.networks).items():
            vlan, path = network.vlan, (*pod.path, "networks", key, "vlan")
            if vlan is None:
                continue
            first = in_pod.setdefault(vlan, path)
            expected = "a VLAN of its own in the pod"
            if first == path and key in _ROUTED:
                first, expected = in_zone.setdefault(vlan, path), "a VLAN of its own on the zone switches"
            if first != path:
                yield Finding(path, str(vlan), expected, f"{declaration.where(first)} has it, too: change one")


def _guest_vlans(declaration: Declaration, name: str, zone: Zone, pods: list[PlacedPod]) -> Iterator[Finding]:
    """The zone has them, or each of its pods; either way a pod's infrastructure has others."""
    at: KeyPath = ("zones", name, "guest_vlans")
    yield from _usable_vlans(declaration, at, zone.guest_vlans, pods)
    in_zone = zone.guest_vlans is not None or declaration.doubtful(at)
    for pod in pods:
        path = (*pod.path, "guest_vlans")
        yield from _usable_vlans(declaration, path, pod.pod.guest_vlans, [pod])
        if pod.pod.guest_vlans is None and not in_zone:
            remedy = f"add the VLAN ids for guest networks, a list of ids and ranges, here or in {dotted(at)}"
            yield Finding(path, None, "a required key", remedy)
        if pod.pod.guest_vlans is not None and zone.guest_vlans is not None:
            remedy = f"{declaration.where(at)} are for all of its pods: remove one of both"
            yield Finding(path, ", ".join(map(str, filter(None, pod.pod.guest_vlans))) or "[]", "left out", remedy)


def _usable_vlans(
    declaration: Declaration, base: KeyPath, declared: Sequence[NumberRange] | None, pods: Iterable[PlacedPod]
) -> Iterator[Finding]:
    ranges = with_paths(declared, base)
    for pod in pods:
        for key, network in infrastructure(pod.pod.networks).items():
            vlan, at = network.vlan, (*pod.path, "networks", key, "vlan")
            for item, path in ranges:
                if vlan is not None and vlan in item.ids:
                    remedy = f"{declaration.where(at)} is {vlan}: leave it out"
                    yield Finding(path, str(item), "free of infrastructure VLANs", remedy)
    yield from apart(declaration, ranges)


def _guest_networks(declaration: Declaration) -> Iterator[Finding]:
    """The routing appliance routes between its guest network and the pod's: they must not meet."""
    routed = defaultdict(list)
    for pod in declaration.pods():
        for path, subnet in (
            *(
                ((*pod.path, "networks", key, "subnet"), network.subnet)
                for key, network in infrastructure(pod.pod.networks).items()
            ),
            (("zones", pod.zone_name, "upstream", "network"), pod.zone.upstream.network),
            (("zones", pod.zone_name, "guest_subnets"), pod.zone.guest_subnets),
        ):
            if subnet is not None:
                routed[pod.path].append((path, subnet))

    @cache  # most accounts have the same subnet
    def met(pod: KeyPath, subnet: IPv4Network) -> list[tuple[KeyPath, IPv4Network]]:
        return [(path, other) for path, other in routed[pod] if subnet.overlaps(other)]

    for account_name, account in declaration.cloud.accounts.items():
        for name, network in account.guest_networks.items():
            placed = declaration.pod_of(network)
            if placed and isinstance(network.subnet, IPv4Network):
                for path, other in met(placed.path, network.subnet):
                    at: KeyPath = ("accounts", account_name, "guest_networks", name, "subnet")
                    remedy = f"{declaration.where(path)} is {other}: give another"
                    yield Finding(at, str(network.subnet), "apart from what its pod routes", remedy)
