"""Who gets where over Layer 3: by the addresses, VRFs and packet filters of routers, as far as files tell.

A packet may go on over any network that a router has an address in, so that what is proved holds whatever routes there
are. A guest network ends it: what is there goes on only from there, by its own routing appliance.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from itertools import product
from typing import NamedTuple

import networkx as nx

from podwright.proof.ownership import Ownership
from podwright.proof.packet_filter import Accepted, forwarded
from podwright.proof.wiring import Owner, Point

_OPEN = ("account", "public", "upstream", "transit", "vpn")
"""Where guests' packets are, also once they have left a routing appliance, and the world outside"""
_CLOSED = ("account", "management", "storage", "tunnel")

_FORWARDS = re.compile(r"^\s*net[./]ipv4[./]ip_forward\s*=\s*(\d)\s*$", re.MULTILINE)
_IPSEC = "ipsec"


class Interface(NamedTuple):
    """A router's end of a network."""

    owner: Owner
    table: str
    """the VRF that it is in, if any"""


class Crossing(NamedTuple):
    """A way from one interface of a router to another."""

    source: tuple[Point, Owner]
    target: tuple[Point, Owner]


class Routing(NamedTuple):
    """What a router passes, and what of it was not understood."""

    crossings: list[Crossing]
    doubts: list[str]


class _End(NamedTuple):
    """Where packets get to that stay in a network."""

    owner: Owner


def forwards(files: Mapping[str, str], *, by_default: bool = False) -> bool:
    """Whether a device forwards packets: what its files of sysctl.d(5) say, the last one that does."""
    said = [
        word for path in sorted(files) if path.startswith("etc/sysctl.d/") for word in _FORWARDS.findall(files[path])
    ]
    return said[-1] != "0" if said else by_default


def router(
    device: str, interfaces: Mapping[str, Interface], files: Mapping[str, str], rules: str, ownership: Ownership
) -> Routing:
    """Between which networks a device forwards new connections, by the packet filter in one of its files."""
    passed = forwarded(files.get(rules))
    crossings = {
        crossing for accepted in passed.accepted for crossing in _crossings(device, interfaces, accepted, ownership)
    }
    doubts = [f"{device}: {rules}: {doubt}, which the proof cannot follow" for doubt in passed.doubts]
    return Routing(sorted(crossings), doubts)


def _crossings(
    device: str, interfaces: Mapping[str, Interface], accepted: Accepted, ownership: Ownership
) -> Iterator[Crossing]:
    far = {name: interfaces[name] for name in _among(interfaces, accepted.far)}
    if accepted.decrypted:
        sources = product([Point(device, _IPSEC)], _at_the_other_end(accepted.sources, ownership))
        yield from (Crossing(near, (Point(device, name), each.owner)) for near in sources for name, each in far.items())
        return
    for one in _among(interfaces, accepted.near):
        for other, each in far.items():
            if one != other and interfaces[one].table == each.table:
                yield Crossing((Point(device, one), interfaces[one].owner), (Point(device, other), each.owner))


def _among(interfaces: Mapping[str, Interface], names: Collection[str] | None) -> list[str]:
    return sorted(interfaces if names is None else interfaces.keys() & names)


def _at_the_other_end(sources: Iterable[str] | None, ownership: Ownership) -> list[Owner]:
    """Whose packets come out of a VPN; where a rule names no sources, anybody's."""
    if sources is None:
        return [Owner("vpn", "of anybody")]
    return sorted({owner for source in sources for owner in ownership.of_public_network(IPv4Network(source))})


def leaks(crossings: Iterable[Crossing], ownership: Ownership) -> Iterator[tuple[Owner, Owner, tuple[str, ...]]]:
    """(owner, other, way) of everyone whose packets get to where they must not, by the shortest way."""
    graph: nx.DiGraph[Point | Owner | _End] = nx.DiGraph()
    for (near, source), (far, target) in crossings:
        graph.add_edges_from([(source, near), (near, far), (far, _End(target))])
        if target.kind != "account":
            graph.add_edge(far, target)
    backwards = graph.reverse(copy=False)
    for end in sorted(node for node in graph if isinstance(node, _End) and node.owner.kind in _CLOSED):
        ways = nx.single_source_shortest_path(backwards, end)
        for source in sorted(node for node in ways if isinstance(node, Owner) and node.kind in _OPEN):
            way = ways[source][::-1]
            if source != end.owner and not (len(way) == _DIRECT and ownership.may_reach(source, end.owner)):
                yield source, end.owner, tuple(str(step.owner if isinstance(step, _End) else step) for step in way)


# Who sends, both interfaces of one router, who gets it.
_DIRECT = 4
