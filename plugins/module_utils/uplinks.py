"""The bonds of a host: one to all of its pod switches, or one to the private and one to the public ones.

Nothing joins them in a host: with Open vSwitch each is on a bridge of its own, where neither frames nor what a bond
announces of a bridge's addresses can get to the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

BRIDGE = "br0"
"""The bridge of whatever names no other"""

Network = dict[str, Any]


class Bond(NamedTuple):
    """A bond by what a network calls it."""

    key: str
    name: str
    bridge: str
    """with Open vSwitch"""


_BONDS = (Bond("uplinks", "bond0", BRIDGE), Bond("public_uplinks", "bond1", "br1"))


def bonds(network: Network) -> list[Bond]:
    """Name the bonds that a host with `network` has."""
    return [bond for bond in _BONDS if network[bond.key]]


def bond_of(network: Network, vlan: int) -> Bond | None:
    """Name the bond that a VLAN is on: the one that carries it, or else the first; None where there is no bond."""
    there = bonds(network)
    return next((bond for bond in there if vlan in network[bond.key]["tagged"]), there[0] if there else None)


def members(network: Network) -> list[str]:
    """List the ports of all bonds, each bond's in order."""
    return [port for bond in bonds(network) for port in sorted(network[bond.key]["members"])]
