"""What is claimed of the segments of a zone, decided by searching the graph of where frames get.

Four claims, each either proved or refuted by a path that a frame takes:

- apart: nobody is in a segment that somebody else is in, nor on a pod switch that is for others;
- joined: all who own a segment together are in one, whichever leg of its bond a host uses;
- passed on: a cable's two ends let the same VLANs pass;
- needed: no VLAN is carried to where nobody is in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import networkx as nx

from podwright.proof.cables import Dangling
from podwright.proof.reachability import Reachability, by_overlay
from podwright.proof.wiring import Attachment, Node, Owner, Point, Wiring

Claim = Literal["apart", "joined", "passed on", "needed", "read"]
"""The claims above, the gravest first, and that everything could be read."""


@dataclass(frozen=True)
class Finding:
    """A claim that does not hold."""

    claim: Claim
    statement: str
    path: tuple[str, ...] = ()
    """the way of a frame that shows it"""


class Segments:
    """The segments of a zone: who is in which."""

    def __init__(self, wiring: Wiring, dangling: Sequence[Dangling]) -> None:
        self._wiring = wiring
        self._dangling = {end.port: end.why for end in dangling}
        self._fabric: nx.Graph[Node] = nx.Graph(wiring.joins)
        """without the legs of bonds, which nothing crosses"""
        self._fabric.add_nodes_from(node for leg in wiring.legs for node in leg)
        self._fabric.add_nodes_from(attachment.node for attachment in wiring.attachments)
        self._fabric.add_nodes_from(self._dangling)
        self._graph: nx.Graph[Node] = self._fabric.copy()
        self._graph.add_edges_from(wiring.legs)
        self._owners: defaultdict[Owner, list[Node]] = defaultdict(list)
        for node, owner in dict.fromkeys(wiring.attachments):  # the provider's network is at the end of many cables
            self._owners[owner].append(node)

    @property
    def owners(self) -> Mapping[Owner, Sequence[Node]]:
        """Where each owner is."""
        return self._owners

    def findings(self) -> Iterator[Finding]:
        """Every claim that does not hold."""
        segments = _numbered(self._graph)
        yield from self._shared(segments)
        yield from self._strayed(segments)
        yield from self._torn()
        yield from self._dropped(segments)
        yield from self._unneeded(segments)

    def _shared(self, segments: Mapping[Node, int]) -> Iterator[Finding]:
        """Owners that meet: each with the one before it in the same segment."""
        together: defaultdict[int, list[Attachment]] = defaultdict(list)
        for attachment in self._wiring.attachments:
            together[segments[attachment.node]].append(attachment)
        for attachments in together.values():
            owners = sorted({attachment.owner for attachment in attachments})
            for number, owner in enumerate(owners[1:], start=1):
                before = {node for node, other in attachments if other in owners[:number]}
                path = self._shortest(before, {node for node, other in attachments if other == owner})
                met = next(other for node, other in attachments if node == path[0] and other in owners[:number])
                yield Finding("apart", f"{met} and {owner} share a segment", self._told(path))

    def _strayed(self, segments: Mapping[Node, int]) -> Iterator[Finding]:
        """Owners whose segment is on a pod switch that carries networks of the other kind alone."""
        on_switch: defaultdict[tuple[str, int], set[Node]] = defaultdict(set)
        for node, segment in segments.items():
            if isinstance(node, Point) and node.device in self._wiring.carries:
                on_switch[node.device, segment].add(node)
        for (switch, segment), nodes in sorted(on_switch.items()):
            kind = self._wiring.carries[switch]
            for owner, parts in sorted(self._owners.items()):
                here = {node for node in parts if segments[node] == segment}
                if here and (owner.kind == "public") != (kind == "public"):
                    path = self._told(self._shortest(here, nodes))
                    yield Finding("apart", f"{owner} is on {switch}, which carries {kind} networks alone", path)

    def _torn(self) -> Iterator[Finding]:
        """Owners whose parts do not all reach each other, whichever leg of its bond each host uses."""
        reachability = Reachability(self._wiring, self._fabric.nodes)
        unsure = {reachability.part(inside) for inside in reachability.loose}
        for owner, nodes in sorted(self._owners.items()):
            first: dict[Node, Node] = {}
            for node in nodes:
                first.setdefault(reachability.part(node), node)
            if len(first) > 1:
                yield from self._torn_owner(owner, first, reachability, unsure)

    def _torn_owner(
        self, owner: Owner, first: Mapping[Node, Node], reachability: Reachability, unsure: Container[Node]
    ) -> Iterator[Finding]:
        """What is torn of an owner, by the first of its nodes in each part: each part with the largest, then the rest.

        Parts that reach the same of the owner's are told of once.
        """
        reached = {part: reachability.reached(part).intersection(first) for part in first}
        alike: defaultdict[frozenset[Node], list[Node]] = defaultdict(list)
        for part, others in reached.items():
            alike[others].append(part)
        groups = list(alike.values())
        main = max(groups, key=lambda group: (not all(part in unsure for part in group), len(reached[group[0]])))
        told: set[int] = set()
        for one, other in [*((group, main) for group in groups), *permutations(groups, 2)]:
            pair = _unreached(one, other, reached) or _unreached(other, one, reached)
            if pair and not {id(one), id(other)} & told:
                told.add(id(one))
                yield self._torn_off(owner, first[pair[0]], first[pair[1]], reachability)

    def _torn_off(self, owner: Owner, node: Node, other: Node, reachability: Reachability) -> Finding:
        """A part of an owner's that does not reach another, with the way to where frames end."""
        port, why = self._tunnel_end(node, other, reachability) or self._leg_end(node, other, reachability)
        behind = nx.single_source_shortest_path(self._fabric, port) if why is None else {port: [port]}
        stops = [there for there in behind if there in self._dangling]
        last = min(stops, key=lambda there: len(behind[there]), default=port)
        if why is None:
            why = self._dangling.get(last, "the others are not behind it") if isinstance(last, Point) else "no way on"
        path = self._told([*self._shortest({node}, {port}), *behind[last][1:]])
        return Finding("joined", f"{owner}: {node} does not reach {other}", (*path, f"ends: {why}"))

    def _leg_end(self, node: Node, other: Node, reachability: Reachability) -> tuple[Node, None]:
        """The leg of a bond behind which the other is not, if it is for a bond."""
        part = reachability.part(node)
        legs = [
            port for inside, ports in reachability.loose.items() if reachability.part(inside) == part for port in ports
        ]
        return next((leg for leg in legs if reachability.part(leg) != reachability.part(other)), node), None

    def _tunnel_end(self, node: Node, other: Node, reachability: Reachability) -> tuple[Node, str] | None:
        """The tunnel of a node that does not lead to that of another, if both have one in the same overlay."""
        loose = {reachability.part(inside) for inside in reachability.loose}
        if {reachability.part(node), reachability.part(other)} & loose:
            return None
        for tunnels in by_overlay(self._wiring.tunnels).values():
            near = next((tunnel for tunnel in tunnels if reachability.has(node, tunnel)), None)
            far = next((tunnel for tunnel in tunnels if reachability.has(other, tunnel)), None)
            if near and far and not near.leads_to(far):
                addresses = " and ".join(sorted(far.addresses))
                return near.link, f"it has no entry for {addresses} of {far.link}"
        return None

    def _dropped(self, segments: Mapping[Node, int]) -> Iterator[Finding]:
        """Frames that a cable's other end does not take."""
        someone = {segments[node]: (node, owner) for node, owner in reversed(self._wiring.attachments)}
        for ends in _by_port(self._dangling).values():
            port, why = ends[0]
            vlans = f" (and {len(ends) - 1} more VLANs)" if len(ends) > 1 else ""
            if segments[port] in someone:
                node, owner = someone[segments[port]]
                path = self._told(self._shortest({node}, {port}))
                yield Finding("passed on", f"{port} lets {owner} out{vlans}, and {why}", (*path, f"ends: {why}"))
            else:
                yield Finding("passed on", f"{port} is open{vlans}, and {why}", (str(port), f"ends: {why}"))

    def _unneeded(self, segments: Mapping[Node, int]) -> Iterator[Finding]:
        """Hosts that a VLAN is carried to without anybody of theirs in it, and cables that carry one for nobody."""
        fabric = _numbered(self._fabric)
        used = {fabric[attachment.node] for attachment in self._wiring.attachments}
        owned = {segments[node]: (node, owner) for node, owner in reversed(self._wiring.attachments)}
        idle = {inside for inside, _ in self._wiring.legs if fabric[inside] not in used and segments[inside] in owned}
        for inside in sorted(idle, key=str):
            node, owner = owned[segments[inside]]
            path = self._told(self._shortest({node}, {inside}))
            yield Finding("needed", f"{inside} is in the segment of {owner}, and nobody there needs it", path)
        for near, far in self._idle_cables(segments, owned):
            yield Finding("needed", f"the cable from {near} to {far} carries it for nobody", (str(near), str(far)))

    def _idle_cables(self, segments: Mapping[Node, int], owned: Container[int]) -> Iterable[tuple[Node, Node]]:
        """One cable of each segment that nobody is in."""
        first: dict[int, tuple[Node, Node]] = {}
        for near, far in self._wiring.joins:
            if segments[near] not in owned and isinstance(near, Point) and near[0] != far[0]:
                first.setdefault(segments[near], (near, far))
        return first.values()

    def _shortest(self, sources: set[Node], targets: set[Node]) -> list[Node]:
        """The shortest way from one of some nodes to one of others."""
        if found := sources & targets:
            return [min(found, key=str)]
        ways = nx.multi_source_dijkstra_path(self._graph, sorted(sources, key=str))
        return min((ways[target] for target in sorted(targets, key=str) if target in ways), key=len)

    def _told(self, path: Iterable[Node]) -> tuple[str, ...]:
        """The nodes of a way that a person looks for on devices: not a switch's inside, which has no name."""
        return tuple(str(node) for node in path if not isinstance(node, Point) or node.place)


def _numbered(graph: nx.Graph[Node]) -> dict[Node, int]:
    """Number the components, and say which one each node is in."""
    return {node: number for number, nodes in enumerate(nx.connected_components(graph)) for node in nodes}


def _unreached(
    sources: Iterable[Node], targets: Iterable[Node], reached: Mapping[Node, frozenset[Node]]
) -> tuple[Node, Node] | None:
    """A part that does not reach another."""
    return next(((near, far) for near in sources for far in targets if far not in reached[near]), None)


def _by_port(dangling: Mapping[Point, str]) -> dict[tuple[str, str], list[tuple[Point, str]]]:
    """Ends of one port together."""
    ports: defaultdict[tuple[str, str], list[tuple[Point, str]]] = defaultdict(list)
    for point, why in dangling.items():
        ports[point.device, point.place].append((point, why))
    return dict(sorted(ports.items()))
