"""The vocabulary of the proof: where a frame can be, and from where it gets to where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

ALL_VLANS = range(1, 4095)
"""The VLAN ids that a frame can have (IEEE 802.1Q-2018 table 9-2)"""


class Point(NamedTuple):
    """A place in a device: a port or link, or a bridge, and the VLAN that a frame has there.

    On a port, the VLAN is the frame's tag; None is no tag. In a bridge that tells VLANs apart it is the one that a
    frame belongs to, and in one that does not it is None.
    """

    device: str
    place: str
    vlan: int | None = None

    def __str__(self) -> str:
        vlan = "" if self.vlan is None else f"VLAN {self.vlan}"
        return " ".join(part for part in (self.device, self.place, vlan) if part)


class Overlay(NamedTuple):
    """A VXLAN segment (RFC 7348): whoever has the same network identifier in a zone is in it."""

    zone: str
    vni: int

    def __str__(self) -> str:
        return f"VNI {self.vni} of zone {self.zone}"


Node = Point | Overlay


class Owner(NamedTuple):
    """Whose a segment is: a guest network of an account, or a network of the infrastructure."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Tunnel(NamedTuple):
    """The end of an overlay in a device, and whom it sends to what is for all or for somebody unknown."""

    link: Point
    overlay: Overlay
    addresses: frozenset[str]
    """where others find it"""
    peers: frozenset[str]
    choosy: bool
    """whether it takes frames of its peers only (Open vSwitch), or of everybody (Linux)"""

    def leads_to(self, other: Tunnel) -> bool:
        """Whether another gets and takes what this one sends to all."""
        return bool(self.peers & other.addresses) and (not other.choosy or bool(other.peers & self.addresses))


class Attachment(NamedTuple):
    """Somebody who is in a segment."""

    node: Node
    owner: Owner


@dataclass
class Wiring:
    """How frames get through one device or several."""

    joins: list[tuple[Node, Node]] = field(default_factory=list)
    """what comes to one of the two also comes to the other"""
    legs: list[tuple[Node, Node]] = field(default_factory=list)
    """(inside, port of a bond), of which one at a time is in use, and nothing passes from one to another"""
    isolated: set[tuple[Node, Node]] = field(default_factory=set)
    """those joins and legs (inside, port) whose port is isolated: no frame passes from one such port to another"""
    tunnels: list[Tunnel] = field(default_factory=list)
    passing: defaultdict[tuple[str, str], set[int | None]] = field(default_factory=lambda: defaultdict(set))
    """{(device, port): tags of the frames that pass it}; None is no tag"""
    attachments: list[Attachment] = field(default_factory=list)
    carries: dict[str, Literal["private", "public"]] = field(default_factory=dict)
    """{pod switch: the kind of networks that may pass it}, without those that are for all"""
    doubts: list[str] = field(default_factory=list)
    """what could not be read or understood, so that nothing is proved about it"""

    def open_port(self, inside: Node, device: str, port: str, tag: int | None, *, leg: bool = False) -> None:
        """Let frames pass between a point inside a device and one of its ports."""
        (self.legs if leg else self.joins).append((inside, Point(device, port, tag)))
        self.passing[device, port].add(tag)

    def add(self, others: Iterable[Wiring]) -> None:
        """Take the wiring of others in."""
        for other in others:
            self.joins += other.joins
            self.legs += other.legs
            self.isolated |= other.isolated
            self.tunnels += other.tunnels
            self.attachments += other.attachments
            self.carries |= other.carries
            self.doubts += other.doubts
            for port, tags in other.passing.items():
                self.passing[port] |= tags
