"""Who reaches whom: frames followed through bridges whose ports are isolated from each other, and through tunnels.

A frame that came into a bridge by an isolated port leaves it by none (`protected` in ovs-vswitchd.conf.db(5),
`Isolated=` in systemd.network(5)), and one that came out of a tunnel does not go back into it. So that one reaches
another, and the other a third, does not say that the first reaches the third.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from networkx.utils import UnionFind

from podwright.proof.wiring import Node, Overlay, Tunnel, Wiring


class Step(NamedTuple):
    """A way that frames take from one part to another."""

    to: Node
    """the part that it leads to"""
    leaves: Node | None
    """the bridge that it leaves by an isolated port: closed to frames that came in by one"""
    enters: Node | None
    """the bridge that it enters by an isolated port"""


class Reachability:
    """The parts of a zone, in each of which all reach each other at any time, and the ways between them."""

    def __init__(self, wiring: Wiring, nodes: Iterable[Node]) -> None:
        self._parts: UnionFind[Node] = UnionFind(nodes)
        for near, far in wiring.joins:
            if not isinstance(far, Overlay) and (near, far) not in wiring.isolated:
                self._parts.union(near, far)
        self.loose = self._settle_bonds(wiring)
        self._steps: defaultdict[Node, set[Step]] = defaultdict(set)
        for inside, port in wiring.isolated:
            if port not in self.loose.get(inside, ()):
                near, far = self._parts[inside], self._parts[port]
                self._steps[near].add(Step(far, inside, None))
                self._steps[far].add(Step(near, None, inside))
        for tunnels in by_overlay(wiring.tunnels).values():
            self._connect(tunnels)
        self._reached: dict[Node, frozenset[Node]] = {}

    def part(self, node: Node) -> Node:
        """What stands for all that a node is one part with."""
        return self._parts[node]

    def reached(self, node: Node) -> frozenset[Node]:
        """The parts that frames get to which start at a node."""
        start = self._parts[node]
        if start not in self._reached:
            self._reached[start] = self._search(start)
        return self._reached[start]

    def has(self, node: Node, tunnel: Tunnel) -> bool:
        """Whether a tunnel is in the device of a node, and frames of the node get to it there."""
        part, link = self._parts[node], self._parts[tunnel.link]
        return part == link or any(step.to == link for step in self._steps.get(part, ()))

    def _search(self, start: Node) -> frozenset[Node]:
        ahead: list[tuple[Node, Node | None]] = [(start, None)]
        seen = set(ahead)
        while ahead:
            part, entered = ahead.pop()
            for step in self._steps.get(part, ()):
                after = (step.to, step.enters)
                if (step.leaves is None or step.leaves != entered) and after not in seen:
                    seen.add(after)
                    ahead.append(after)
        return frozenset(part for part, _ in seen)

    def _settle_bonds(self, wiring: Wiring) -> Mapping[Node, Sequence[Node]]:
        """Join what is behind bonds; {inside: ports} of those whose legs lead to several places.

        Which leg a host uses is its own business: it is joined to what is behind them when all lead to the same place.
        """
        bonds: defaultdict[Node, list[Node]] = defaultdict(list)
        for inside, port in wiring.legs:
            bonds[inside].append(port)
        while settled := [inside for inside, ports in bonds.items() if len({self._parts[port] for port in ports}) == 1]:
            for inside in settled:
                ports = bonds.pop(inside)
                self._parts.union(*ports)
                if (inside, ports[0]) not in wiring.isolated:
                    self._parts.union(inside, ports[0])
        return bonds

    def _connect(self, tunnels: Sequence[Tunnel]) -> None:
        """Lead from each tunnel of an overlay to those that have an address of its peers."""
        at = {address: tunnel for tunnel in tunnels for address in tunnel.addresses}
        for near in tunnels:
            for far in (at[peer] for peer in near.peers if peer in at):
                if near.leads_to(far):
                    self._steps[self._parts[near.link]].add(Step(self._parts[far.link], near.link, far.link))


def by_overlay(tunnels: Iterable[Tunnel]) -> Mapping[Overlay, Sequence[Tunnel]]:
    """The tunnels of each overlay."""
    found: defaultdict[Overlay, list[Tunnel]] = defaultdict(list)
    for tunnel in tunnels:
        found[tunnel.overlay].append(tunnel)
    return found
