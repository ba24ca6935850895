"""Drivers, a module each: its name is the platform's, its class `Driver` is the driver."""

from __future__ import annotations

from pkgutil import iter_modules

_OVER_SSH = frozenset({"eos", "ios", "linux", "nxos", "openvswitch", "sonic"})
"""The platforms that are reached by SSH, for a command line or a database; all others by NETCONF."""

_WITH_SHARES = frozenset({"linux"})
"""The platforms that can keep a VLAN a share of the links that it is on (`Port.share`)."""

_WITHOUT_VLAN_TABLE = frozenset({"ietf_netconf", "linux", "openvswitch"})
"""The platforms whose ports carry what they list, also a VLAN that the switch has no word of elsewhere."""

_WITHOUT_SPANNING_TREE = frozenset({"linux"})
"""The platforms that take part in no RSTP, so that their cables must make no loop."""


def platform_names() -> tuple[str, ...]:
    """All platforms that there are drivers for, sorted. None of them is loaded."""
    return tuple(sorted(module.name for module in iter_modules(__path__)))


def default_port(platform: str) -> int:
    """The TCP port of a platform's management protocol: of SSH (RFC 4253 section 4.1) or of NETCONF (RFC 6242)."""
    return 22 if platform in _OVER_SSH else 830


def platforms_with_shares() -> tuple[str, ...]:
    """The platforms that can keep a VLAN a share of links, sorted."""
    return tuple(sorted(_WITH_SHARES))


def has_spanning_tree(platform: str) -> bool:
    """Whether the switches of a platform run RSTP."""
    return platform not in _WITHOUT_SPANNING_TREE


def has_vlan_table(platform: str) -> bool:
    """Whether switches of a platform forward only frames of VLANs in a table of theirs, and of VLAN 1."""
    return platform not in _WITHOUT_VLAN_TABLE
