"""What passes a port of a VLAN bridge, in the terms of IEEE 802.1Q.

A bridge has no trunks and access ports. It has, for each VLAN, a static entry that says which ports are registered in
it and how its frames leave them (IEEE 802.1Q-2018 8.8.2), and for each port, which frames get in and what an untagged
one belongs to (6.9, 8.6.2). Here an entry is of all VLANs whose ports are the same, as ranges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping
from typing import Literal, NamedTuple

from podwright.switches.state import ALL_VLANS, Port, range_ids, range_texts

DEFAULT_VLAN = 1
"""The VLAN that every bridge has, and in which all ports are unless told otherwise (IEEE 802.1Q-2018 8.8.2, 9.6)."""

TAGGED_ONLY = "admit-only-VLAN-tagged-frames"
UNTAGGED_ONLY = "admit-only-untagged-and-priority-tagged"
ALL_FRAMES = "admit-all-frames"


class Registration(NamedTuple):
    """What an entry says of its VLANs and a port (IEEE 802.1Q-2018 8.8.2)."""

    control: str
    """`fixed-...`: the port is a member, `forbidden`: it is none, `normal`: it is one when MVRP says so"""

    transmitted: str | None = None
    """how frames leave, `tagged` or `untagged`"""


TAGGED = Registration("fixed-new-ignored", "tagged")
UNTAGGED = Registration("fixed-new-ignored", "untagged")
FORBIDDEN = Registration("forbidden")

Entries = Mapping[str, Mapping[str, Registration]]
"""{VLANs, as `10,101-140`: {what the entry calls a port: its registration}}"""


class PortSettings(NamedTuple):
    """What a port lets in; the default lets in nothing but frames of VLANs in which the port is registered."""

    frames: str = ALL_FRAMES
    """Acceptable Frame Types (IEEE 802.1Q-2018 6.9)"""

    pvid: int = DEFAULT_VLAN
    """the VLAN of frames without a tag"""

    filtering: bool = True
    """Ingress Filtering (8.6.2): without it, a port lets in frames of VLANs in which it is not"""

    restricted: bool = True
    """Restricted VLAN Registration (11.2.3.2.3): without it, whoever is at the other end gets into VLANs by MVRP"""


class Membership(NamedTuple):
    """The VLANs in which a port is registered."""

    tagged: frozenset[int] = frozenset()
    untagged: frozenset[int] = frozenset()
    requested: frozenset[int] = frozenset()
    """those in which MVRP may register it"""


class Passing(NamedTuple):
    """What passes a port, as of `podwright.switches.state.Port`."""

    mode: Literal["access", "trunk"]
    tagged: frozenset[int]
    untagged: int | None


def settings_of(port: Port) -> PortSettings:
    """What a port has to let in.

    Without an untagged VLAN the PVID is VLAN 1, into which nothing gets: the port takes no untagged frames, or it is
    not in VLAN 1.
    """
    mixed = TAGGED_ONLY if port.untagged is None else ALL_FRAMES
    frames = UNTAGGED_ONLY if port.mode == "access" else mixed
    return PortSettings(frames, DEFAULT_VLAN if port.untagged is None else port.untagged)


def entries_of(ports: Mapping[str, Port], kept: Entries, keep: Container[str]) -> dict[str, dict[str, Registration]]:
    """The entries that make ports carry what they shall.

    A port that shall not be in VLAN 1 is forbidden there: without a word of it a bridge may put it there by itself.

    Args:
        ports: {what an entry calls a port: the port}
        kept: entries that there are.
        keep: the ports of which these stay as they are, since they are not podwright's.
    """
    by_vlan: defaultdict[int, dict[str, Registration]] = defaultdict(dict)
    for text, registrations in kept.items():
        stay = {name: registration for name, registration in registrations.items() if name in keep}
        for vlan in ids_of(text) if stay else ():
            by_vlan[vlan].update(stay)
    for name, port in sorted(ports.items()):
        for vlan in port.tagged:
            by_vlan[vlan][name] = TAGGED
        if port.untagged is not None:
            by_vlan[port.untagged][name] = UNTAGGED
        if DEFAULT_VLAN not in port.vlans:
            by_vlan[DEFAULT_VLAN][name] = FORBIDDEN
    alike: defaultdict[tuple[tuple[str, Registration], ...], list[int]] = defaultdict(list)
    for vlan in sorted(by_vlan):
        alike[tuple(by_vlan[vlan].items())].append(vlan)
    return {",".join(range_texts(vlans, "-")): dict(registrations) for registrations, vlans in alike.items()}


def memberships(entries: Entries) -> dict[str, Membership]:
    """What entries say together of each port that they name."""
    told: defaultdict[str, tuple[set[int], set[int], set[int]]] = defaultdict(lambda: (set(), set(), set()))
    for text, registrations in entries.items():
        vlans = ids_of(text)
        for name, registration in registrations.items():
            tagged, untagged, requested = told[name]
            if registration.control == "normal":
                requested |= vlans
            elif registration.control != FORBIDDEN.control:
                of = untagged if registration.transmitted == "untagged" else tagged
                of |= vlans
    return {name: Membership(*map(frozenset, sets)) for name, sets in told.items()}


def passing(settings: PortSettings, membership: Membership) -> Passing:
    """What passes a port with these settings.

    A VLAN may pass a port one way only, or with a tag one way and without it the other, and a port may let in whatever
    comes. No port that `settings_of` and `entries_of` make does so. So that it differs from all of those, one of the
    VLANs is both tagged and untagged then.
    """
    tagged, untagged, requested = membership
    mode: Literal["access", "trunk"] = "access" if settings.frames == UNTAGGED_ONLY else "trunk"
    native = settings.pvid if untagged == {settings.pvid} and settings.frames != TAGGED_ONLY else None
    port = Port(mode, tagged, native)
    if settings == settings_of(port) and untagged == {native} - {None} and not requested and not _is_odd(port):
        return Passing(mode, tagged, native)
    carried = tagged | untagged | requested
    if not (settings.filtering and settings.restricted):
        carried = ALL_VLANS
    return Passing(mode, carried, min(carried, default=None))


def _is_odd(port: Port) -> bool:
    return port.untagged in port.tagged or (port.mode == "access" and bool(port.tagged))


def ids_of(text: str) -> frozenset[int]:
    """The VLAN ids of an entry.

    Raises:
        ValueError: there are none.
    """
    return frozenset(vlan for item in text.split(",") for vlan in range_ids(item, "-"))
