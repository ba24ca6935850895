"""What zone switches pass between networks: their addresses, VRFs and packet filter, as far as files tell.

A packet may go on over any network that a router has an address in, so that what is
proved holds whatever routes there are. Who it is that must not be reached is in `_CLOSED`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations
from typing import NamedTuple

import networkx as nx
from ansible_collections.podwright.cloud.plugins.module_utils import zone_gateway

from podwright.model.views import Device
from podwright.proof.networkd_text import unit_files
from podwright.proof.ownership import Ownership
from podwright.proof.wiring import Owner, Point

RULES = zone_gateway.RULES_FILE.lstrip("/")
_OPEN = ("account", "public", "upstream", "transit")
"""Where guests' packets are once they have left a routing appliance, and the world outside"""
_CLOSED = ("management", "storage", "tunnel")

_FORWARD_CHAIN = re.compile(r"chain forward \{\n(.*?)^\s*\}", re.DOTALL | re.MULTILINE)
_CROSSING = re.compile(r"iifname (\{[^}]*\}|\S+) oifname (\{[^}]*\}|\S+) accept")
_FORWARDS = re.compile(r"^\s*net[./]ipv4[./]ip_forward\s*=\s*1\s*$", re.MULTILINE)


class Crossing(NamedTuple):
    """A way from one interface of a router to another."""

    source: tuple[Point, Owner]
    target: tuple[Point, Owner]


class Routing(NamedTuple):
    """What a router passes, and what of it was not understood."""

    crossings: list[Crossing]
    doubts: list[str]


def zone_switch_routing(device: Device, files: Mapping[str, str], ownership: Ownership) -> Routing:
    """Read between which networks a zone switch forwards new connections."""
    if not any(_FORWARDS.search(text) for path, text in files.items() if path.startswith("etc/sysctl.d/")):
        return Routing([], [])
    owners: dict[str, Owner] = {}
    tables: dict[str, str] = {}
    for unit in unit_files(files, ".network"):
        name = unit.value("Match", "Name")
        tables[name] = unit.value("Network", "VRF")
        for address in unit.values("Network", "Address"):
            owner = ":" not in address and ownership.of_address(device.zone, device.pod, address)
            if owner:
                owners[name] = owner
    passed, doubts = _passed(files.get(RULES), owners)
    crossings = [
        Crossing((Point(device.name, near), owners[near]), (Point(device.name, far), owners[far]))
        for near, far in passed
        if tables[near] == tables[far]
    ]
    return Routing(crossings, [f"{device.name}: {RULES}: {doubt}, which the proof cannot follow" for doubt in doubts])


def _passed(rules: str | None, interfaces: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """([(from, to)] of a device's interfaces, lines that are not understood); without a chain, all pass to all."""
    chain = _FORWARD_CHAIN.search(rules or "")
    if chain is None:
        return list(permutations(sorted(interfaces), 2)), []
    passed, doubts = set(), []
    known = frozenset(interfaces)
    for line in filter(None, map(str.strip, chain[1].splitlines())):
        if line.startswith("type filter hook forward"):
            if "policy drop" not in line:
                passed |= set(permutations(known, 2))
        elif crossing := _CROSSING.fullmatch(line):
            near, far = (known & set(re.findall(r'"([^"]+)"', names)) for names in crossing.groups())
            passed |= {(one, other) for one in near for other in far if one != other}
        elif line != "ct state established,related accept":
            doubts.append(repr(line))
    return sorted(passed), doubts


def leaks(crossings: Iterable[Crossing]) -> Iterator[tuple[Owner, Owner, tuple[str, ...]]]:
    """(owner, other, way) of everyone whose packets get to where they must not, by the shortest way."""
    graph: nx.DiGraph[Point | Owner] = nx.DiGraph()
    for (near, source), (far, target) in crossings:
        graph.add_edges_from([(source, near), (near, far), (far, target)])
    owners = sorted(node for node in graph if isinstance(node, Owner))
    for source in (owner for owner in owners if owner.kind in _OPEN):
        ways = nx.single_source_shortest_path(graph, source)
        for target in (owner for owner in owners if owner.kind in _CLOSED and owner in ways):
            yield source, target, tuple(map(str, ways[target]))
