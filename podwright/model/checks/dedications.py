"""What accounts have for themselves: a part of a pool, and each another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import TypeVar

from podwright.model.checks.declaration import Declaration
from podwright.model.checks.ranges import apart, with_paths
from podwright.model.cloud import AUTO_PREFIX_LENGTH, PodDedication, ZoneDedication
from podwright.model.document import Finding, KeyPath, dotted
from podwright.model.fields import AddressesBetween, NumberRange

Dedication = TypeVar("Dedication", PodDedication, ZoneDedication)
Range = TypeVar("Range", NumberRange, AddressesBetween)


def check(declaration: Declaration) -> Iterator[Finding]:
    """Every part that is dedicated is in its pool, and no two meet."""
    for name, zone in declaration.cloud.zones.items():
        path: KeyPath = ("zones", name)
        yield from _numbers(declaration, path, zone.dedicated, zone.guest_vlans, (*path, "guest_vlans"))
        yield from _numbers(declaration, path, zone.dedicated, zone.vnis, (*path, "vnis"))
        yield from _subnets(declaration, path, zone.dedicated, zone.guest_subnets)
    for pod in declaration.pods():
        yield from _numbers(declaration, pod.path, pod.pod.dedicated, pod.pod.guest_vlans, (*pod.path, "guest_vlans"))
        leased = pod.pod.networks.public.lease_range
        addresses: list[tuple[AddressesBetween, KeyPath]] = _dedicated(pod.path, pod.pod.dedicated, "public_addresses")
        pool_path = (*pod.path, "networks", "public", "lease_range")
        yield from _parts(declaration, addresses, [leased] if leased else [], pool_path)


def _numbers(
    declaration: Declaration,
    path: KeyPath,
    dedicated: Mapping[str, Dedication],
    pool: Sequence[NumberRange] | None,
    pool_path: KeyPath,
) -> Iterator[Finding]:
    ranges: list[tuple[NumberRange, KeyPath]] = _dedicated(path, dedicated, str(pool_path[-1]))
    yield from _parts(declaration, ranges, [each for each in pool or () if each], pool_path)


def _dedicated(path: KeyPath, dedicated: Mapping[str, Dedication], key: str) -> list[tuple[Range, KeyPath]]:
    return [
        item
        for account, own in dedicated.items()
        if own is not None
        for item in with_paths(getattr(own, key), (*path, "dedicated", account, key))
    ]


def _parts(
    declaration: Declaration, ranges: list[tuple[Range, KeyPath]], pool: Sequence[Range], pool_path: KeyPath
) -> Iterator[Finding]:
    yield from apart(declaration, ranges)
    if declaration.doubtful(pool_path) or any(path[: len(pool_path)] == pool_path for path in declaration.wrong):
        return
    for each, path in ranges:
        if not any(whole.first <= each.first and each.last <= whole.last for whole in pool):
            yield _outside(path, str(each), pool_path, ", ".join(map(str, pool)))


def _subnets(
    declaration: Declaration, path: KeyPath, dedicated: Mapping[str, ZoneDedication], pool: IPv4Network | None
) -> Iterator[Finding]:
    pool_path = (*path, "guest_subnets")
    seen: list[tuple[IPv4Network, KeyPath]] = []
    for account, own in dedicated.items():
        for index, network in enumerate(own.guest_subnets if own else ()):
            if network is None:
                continue
            at = (*path, "dedicated", account, "guest_subnets", index)
            for other, where in seen:
                if network.overlaps(other):
                    remedy = f"{declaration.where(where)} is {other}: leave out what both have"
                    yield Finding(at, str(network), "a network of its own", remedy)
            seen.append((network, at))
            if network.prefixlen > AUTO_PREFIX_LENGTH:
                remedy = f"give a prefix length of at most {AUTO_PREFIX_LENGTH}, for a guest network gets one of that"
                yield Finding(at, str(network), "large enough", remedy)
            elif not declaration.doubtful(pool_path) and not (pool and network.subnet_of(pool)):
                yield _outside(at, str(network), pool_path, str(pool) if pool else "")


def _outside(path: KeyPath, found: str, pool_path: KeyPath, pool: str) -> Finding:
    remedy = f"give a part of {pool}, or extend that" if pool else f"declare {dotted(pool_path)}, or leave this out"
    return Finding(path, found, f"a part of {dotted(pool_path)}", remedy)
