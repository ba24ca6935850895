"""Pools: the values that can be leased, and how each kind of value is written.

Inside, every value is an integer, so that one piece of code hands out all of
them: a VLAN id is itself, an address its 32 bits, a subnet its first address, a
MAC address the last 24 of its bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

PoolName = Literal["guest_vlan", "guest_subnet", "guest_address", "management_address", "public_address", "mac"]

# One size for all, so that two subnets of a zone overlap only when they are equal.
GUEST_SUBNET_PREFIX = 24

# 02 marks a locally administered unicast address (IEEE 802-2014, 8.4.2); 70:77 is "pw".
MAC_PREFIX = "02:70:77"


@dataclass(frozen=True)
class Pool:
    """What can be leased under one name in one scope; no two leases of it share a value."""

    name: PoolName
    scope: str
    """Where values are unique: `<zone>/<pod>`, `<zone>`, `<account>/<network>` or the cloud's name."""
    ranges: tuple[range, ...]
    """Ascending and disjoint, see `disjoint`."""
    declared_at: str
    """What to extend when it is empty: a path in the inventory or a module's option."""
    reserved: frozenset[int] = frozenset()
    """Values inside the ranges that something else uses."""
    renumbers: bool = False
    """Whether a holder whose value is no longer in it gets another one; else that is refused."""

    def __contains__(self, value: int) -> bool:
        """Whether `value` can be leased from here at all."""
        return value not in self.reserved and any(value in values for values in self.ranges)

    def __iter__(self) -> Iterator[int]:
        """Every value that can be leased, ascending."""
        return (value for values in self.ranges for value in values if value not in self.reserved)

    @property
    def size(self) -> int:
        """How many leases fit."""
        reserved = sum(1 for value in self.reserved if any(value in values for values in self.ranges))
        return sum(map(len, self.ranges)) - reserved


def disjoint(ranges: Iterable[range]) -> tuple[range, ...]:
    """The same values in ascending ranges that do not overlap; the ranges share their step."""
    result: list[range] = []
    for values in sorted(ranges, key=lambda values: (values.start, values.stop)):
        covered = result[-1].stop if result else values.start
        skipped = max(0, -(-(covered - values.start) // values.step))
        if rest := values[skipped:]:
            result.append(rest)
    return tuple(result)


def subnets_of(network: IPv4Network) -> range:
    """The /24s in `network`, as their first addresses; none when it is smaller than one."""
    if network.prefixlen > GUEST_SUBNET_PREFIX:
        return range(0)
    first, last = int(network.network_address), int(network.broadcast_address)
    return range(first, last + 1, 1 << (32 - GUEST_SUBNET_PREFIX))


def guest_subnet(value: int) -> IPv4Network:
    """The subnet that a value of pool `guest_subnet` stands for."""
    return IPv4Network((value, GUEST_SUBNET_PREFIX))


def mac_address(value: int) -> str:
    """The MAC address that a value of pool `mac` stands for."""
    return f"{MAC_PREFIX}:{value >> 16:02x}:{value >> 8 & 0xFF:02x}:{value & 0xFF:02x}"


def shown(pool: PoolName, value: int) -> str:
    """A value as operators write it."""
    if pool == "guest_vlan":
        return str(value)
    if pool == "guest_subnet":
        return str(guest_subnet(value))
    if pool == "mac":
        return mac_address(value)
    return str(IPv4Address(value))
