"""Addresses that are fixed or reserved in guest networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from podwright.model.checks.declaration import Declaration
from podwright.model.checks.ranges import apart, with_paths
from podwright.model.cloud import Account, GuestNetwork
from podwright.model.document import Finding, KeyPath

_SMALLEST = 30  # the longest prefix length that has room for a router and a machine


def check(declaration: Declaration) -> Iterator[Finding]:
    """Every address that somebody wrote down is one for a machine of its network, and of one machine alone."""
    for name, account in declaration.cloud.accounts.items():
        path: KeyPath = ("accounts", name)
        machines = Counter(network for machine in account.machines.values() for network in set(machine.guest_networks))
        for network_name, network in account.guest_networks.items():
            if network.reserved:
                yield from _reserved(declaration, (*path, "guest_networks", network_name), network)
                yield from _room((*path, "guest_networks", network_name), network, machines[network_name])
        yield from _fixed(declaration, path, account)


def _reserved(declaration: Declaration, path: KeyPath, network: GuestNetwork) -> Iterator[Finding]:
    ranges = with_paths(network.reserved, (*path, "reserved"))
    yield from apart(declaration, ranges)
    for each, at in ranges:
        if network.subnet == "auto":
            yield Finding(at, str(each), *_unknown_subnet(path))
        elif network.subnet is not None and not (each.first in network.subnet and each.last in network.subnet):
            remedy = f"give addresses of {network.subnet[0]} to {network.subnet[-1]}"
            yield Finding(at, str(each), f"a part of {network.subnet}", remedy)


def _room(path: KeyPath, network: GuestNetwork, machines: int) -> Iterator[Finding]:
    subnet = network.subnet
    if not isinstance(subnet, IPv4Network) or subnet.prefixlen > _SMALLEST:
        return
    first, last = _for_machines(subnet)
    size = int(last) - int(first) + 1
    reserved = [(max(int(each.first), int(first)), min(int(each.last), int(last))) for each in network.reserved if each]
    taken = sum(max(0, end - start + 1) for start, end in reserved)
    if size >= machines > size - taken:
        remedy = f"{subnet} has {size} for machines, of which there are {machines}: reserve {size - machines} at most"
        yield Finding((*path, "reserved"), f"{taken} addresses", "few enough", remedy)


def _fixed(declaration: Declaration, path: KeyPath, account: Account) -> Iterator[Finding]:
    first: dict[tuple[str, IPv4Address], KeyPath] = {}
    for name, machine in account.machines.items():
        for network_name, address in machine.addresses.items():
            network = account.guest_networks.get(network_name)
            if address is None or network is None:
                continue
            at = (*path, "machines", name, "addresses", network_name)
            yield from _unfit(declaration, at, address, (*path, "guest_networks", network_name), network)
            other = first.setdefault((network_name, address), at)
            if other != at:
                remedy = f"{declaration.where(other)} is it, too: change one"
                yield Finding(at, str(address), "an address of its own", remedy)


def _unfit(
    declaration: Declaration, at: KeyPath, address: IPv4Address, network_path: KeyPath, network: GuestNetwork
) -> Iterator[Finding]:
    subnet = network.subnet
    if subnet == "auto":
        yield Finding(at, str(address), *_unknown_subnet(network_path))
    elif isinstance(subnet, IPv4Network) and subnet.prefixlen <= _SMALLEST:
        first, last = _for_machines(subnet)
        if not first <= address <= last:
            remedy = f"give one of {first} to {last}"
            yield Finding(at, str(address), f"an address for a machine in {subnet}", remedy)
    for each, path in with_paths(network.reserved, (*network_path, "reserved")):
        if address in each:
            yield Finding(at, str(address), "free", f"{declaration.where(path)} is {each}: give another")


def _unknown_subnet(path: KeyPath) -> tuple[str, str]:
    return "possible in a network with `subnet: auto`", f"give {'.'.join(map(str, path))}.subnet a network"


def _for_machines(subnet: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """The first and the last address that a machine may have; the first of a host is the router's."""
    return subnet[2], subnet[-2]
