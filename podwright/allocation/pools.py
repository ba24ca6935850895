"""Pools: the values that can be leased, and how each kind of value is written.

Inside, every value is an integer, so that one piece of code hands out all of
them: a VLAN id is itself, an address its 32 bits, a subnet the upper 24 bits of
its addresses, a MAC address the last 24 of its bits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Literal, NamedTuple, cast

PoolName = Literal[
    "console_port",
    "guest_address",
    "guest_subnet",
    "guest_vlan",
    "iscsi_target",
    "lun",
    "mac",
    "management_address",
    "management_subnet",
    "public_address",
    "vni",
    "vrrp_id",
]

# One size for all, so that two subnets of a zone overlap only when they are equal.
SUBNET_PREFIX = 24
_SUBNET_SHIFT = 32 - SUBNET_PREFIX

# 02 marks a locally administered unicast address (IEEE 802-2014, 8.4.2); 70:77 is "pw".
MAC_PREFIX = "02:70:77"

# The section of a pool that is dedicated to nobody.
SHARED = ""


class Kind(NamedTuple):
    """What all pools of one name have in common."""

    noun: str
    levels: tuple[str, ...]
    """What the parts of a scope name: values are unique within a scope"""
    values: range
    """Every value that there can be"""
    shown: Callable[[int], str]
    """A value as operators write it"""
    parsed: Callable[[str], int]
    """A value that an operator wrote; ValueError when it is none"""


@dataclass(frozen=True)
class Pool:
    """What can be leased under one name in one scope; no two leases of it share a value.

    Values are in sections: those of `SHARED` are for everybody, those under an account's name are dedicated to it, and
    a pool may be divided otherwise. A request says which sections it takes from, in order.
    """

    name: PoolName
    scope: str
    """Where values are unique: `<zone>/<pod>`, `<zone>`, `<account>/<network>` or the cloud's name."""
    sections: Mapping[str, tuple[range, ...]]
    """{section: ascending ranges}, all of them disjoint; see `divided`"""
    declared_at: str
    """What to extend when it is empty: a path in the inventory, with * for a pod's section, or a module's option."""
    renumbers: bool = False
    """Whether a holder whose value is no longer in it gets another one; else that is refused."""
    _bounds: list[tuple[int, int, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the ranges of all sections."""
        bounds = sorted(
            (each.start, each.stop, section) for section, ranges in self.sections.items() for each in ranges
        )
        object.__setattr__(self, "_bounds", bounds)

    def section_of(self, value: int) -> str | None:
        """The section that a value is in; None when it cannot be leased from here at all."""
        index = bisect_right(self._bounds, value, key=lambda bound: bound[0]) - 1
        return self._bounds[index][2] if index >= 0 and value < self._bounds[index][1] else None

    def __contains__(self, value: int) -> bool:
        return self.section_of(value) is not None

    def size_of(self, sections: Collection[str]) -> int:
        """How many leases fit in these sections."""
        return sum(stop - start for start, stop, section in self._bounds if section in sections)

    @cached_property
    def kind(self) -> Kind:
        """What it has in common with others of its name."""
        return KINDS[self.name]

    @property
    def declared(self) -> str:
        """Its sections as text, the same for the same values: `101-149,160 acme:150-159`.

        The name of a section may have a colon, as `p1:acme` has: a pod's, and of it the part of an account.
        """
        return " ".join(
            (f"{section}:" if section else "") + ",".join(_range_text(each) for each in ranges)
            for section, ranges in sorted(self.sections.items())
        )


class DeclaredPool(NamedTuple):
    """A pool as it was last declared, as text."""

    pool: PoolName
    scope: str
    declared: str
    """See `Pool.declared`"""
    declared_at: str
    cloud: str | None
    """The cloud whose inventory declares it; None when a playbook or an operator does"""

    def as_pool(self) -> Pool:
        """The pool itself."""
        sections = {}
        for text in self.declared.split():
            section, _, ranges = text.rpartition(":")
            sections[section] = tuple(_range_of_text(each) for each in ranges.split(","))
        return Pool(self.pool, self.scope, sections, self.declared_at)


def divided(
    ranges: Iterable[range], *, reserved: Iterable[range] = (), dedicated: Mapping[str, Iterable[range]] | None = None
) -> dict[str, tuple[range, ...]]:
    """The sections of a pool: what of `ranges` is not reserved, apart for each that something is dedicated to."""
    reserved = list(reserved)
    shared = disjoint(ranges)
    sections = {}
    for section, own in sorted((dedicated or {}).items()):
        own = disjoint(own)
        sections[section] = without(own, reserved)
        shared = without(shared, own)
    return {name: values for name, values in {SHARED: without(shared, reserved), **sections}.items() if values}


def disjoint(ranges: Iterable[range]) -> tuple[range, ...]:
    """The same values in ascending ranges that neither overlap nor touch."""
    result: list[range] = []
    for each in sorted(filter(None, ranges), key=lambda each: each.start):
        if result and each.start <= result[-1].stop:
            result[-1] = range(result[-1].start, max(result[-1].stop, each.stop))
        else:
            result.append(each)
    return tuple(result)


def without(ranges: Iterable[range], removed: Iterable[range]) -> tuple[range, ...]:
    """The values of ascending disjoint `ranges` that are in none of `removed`."""
    gone = disjoint(removed)
    result = []
    for each in ranges:
        start = each.start
        for hole in gone[bisect_right(gone, start, key=lambda hole: hole.stop) :]:
            if hole.start >= each.stop:
                break
            if start < hole.start:
                result.append(range(start, hole.start))
            start = hole.stop
        if start < each.stop:
            result.append(range(start, each.stop))
    return tuple(result)


def values_of(*values: int) -> list[range]:
    """Single values as ranges."""
    return [range(value, value + 1) for value in values]


def subnets_of(network: IPv4Network) -> range:
    """The values of pool `guest_subnet` in `network`; none when it is smaller than one."""
    return range(0) if network.prefixlen > SUBNET_PREFIX else subnets_over(network)


def subnets_over(network: IPv4Network) -> range:
    """The values of pool `guest_subnet` that a network overlaps, which may be smaller than one of them."""
    return range(subnet_value(network), (int(network.broadcast_address) >> _SUBNET_SHIFT) + 1)


def subnet_value(network: IPv4Network) -> int:
    """The value that stands for the /24 at the beginning of a network."""
    return int(network.network_address) >> _SUBNET_SHIFT


def subnet(value: int) -> IPv4Network:
    """The /24 that a value of a pool of subnets stands for."""
    return IPv4Network((value << _SUBNET_SHIFT, SUBNET_PREFIX))


def mac_address(value: int) -> str:
    """The MAC address that a value of pool `mac` stands for."""
    return f"{MAC_PREFIX}:{value >> 16:02x}:{value >> 8 & 0xFF:02x}:{value & 0xFF:02x}"


def _range_text(values: range) -> str:
    return str(values.start) if len(values) == 1 else f"{values.start}-{values.stop - 1}"


def _range_of_text(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _parsed_subnet(text: str) -> int:
    network = IPv4Network(text)
    if network.prefixlen != SUBNET_PREFIX:
        raise AddressValueError(text)
    return subnet_value(network)


def _parsed_address(text: str) -> int:
    return int(IPv4Address(text))


def _parsed_mac(text: str) -> int:
    prefix, digits = text[: len(MAC_PREFIX)], text[len(MAC_PREFIX) :].split(":")
    if prefix.lower() != MAC_PREFIX or [len(each) for each in digits] != [0, 2, 2, 2]:
        raise ValueError(text)
    return int("".join(digits), 16)


def _number(noun: str, levels: tuple[str, ...], values: range) -> Kind:
    return Kind(noun, levels, values, str, int)


def _addresses(levels: tuple[str, ...]) -> Kind:
    return Kind("address", levels, range(1 << 32), lambda value: str(IPv4Address(value)), _parsed_address)


def _subnets() -> Kind:
    return Kind("subnet", ("zone",), range(1 << SUBNET_PREFIX), lambda value: str(subnet(value)), _parsed_subnet)


KINDS: Mapping[PoolName, Kind] = {
    "console_port": _number("console port", ("zone", "pod"), range(1, 1 << 16)),
    "guest_address": _addresses(("account", "network")),
    "guest_subnet": _subnets(),
    # IEEE 802.1Q-2018 table 9-2: 0 is priority-tagged, 4095 is reserved.
    "guest_vlan": _number("VLAN id", ("zone", "pod"), range(1, 4095)),
    "iscsi_target": _number("iSCSI target number", ("zone", "pod", "storage server"), range(1, 1 << 16)),
    # tgtadm(8): LUN 0 of a target is its controller; peripheral device addressing has 8 bits (SAM-5, 4.7.7).
    "lun": _number("LUN", ("zone", "pod", "storage server", "target"), range(1, 256)),
    "mac": Kind("MAC address", ("cloud",), range(1, 1 << 24), mac_address, _parsed_mac),
    "management_address": _addresses(("zone", "pod")),
    "management_subnet": _subnets(),
    "public_address": _addresses(("zone",)),
    # RFC 7348 section 5: 24 bits.
    "vni": _number("VNI", ("zone",), range(1, 1 << 24)),
    # RFC 5798 section 5.2.3.
    "vrrp_id": _number("VRRP id", ("zone", "VLAN"), range(1, 256)),
}


def pool_name(text: str) -> PoolName:
    """Text that names a pool.

    Raises:
        ValueError: no pool is called that.
    """
    if text not in KINDS:
        raise ValueError(text)
    return cast("PoolName", text)


def shown(pool: PoolName, value: int) -> str:
    """A value as operators write it."""
    return KINDS[pool].shown(value)


def scope_in_words(pool: PoolName, scope: str) -> str:
    """`east/p1` is `pod p1 in zone east`."""
    return " in ".join(f"{level} {name}" for level, name in reversed(list(_levels(pool, scope))))


def _levels(pool: PoolName, scope: str) -> Iterator[tuple[str, str]]:
    # A pool of pods may be declared for a whole zone.
    return zip(KINDS[pool].levels, scope.split("/"), strict=False)
