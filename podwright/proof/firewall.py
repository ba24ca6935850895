"""Firewalls: their network, of which a transparent one passes only what its packet filter lets through."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.podwright.cloud.plugins.module_utils import transparent_firewall

from podwright.model.views import Device
from podwright.proof.linux_network import network_wiring
from podwright.proof.ownership import Ownership
from podwright.proof.wiring import Node, Point, Wiring
from podwright.proof.zone_routers import FIREWALL_RULES

_BRIDGE_TABLE = re.compile(rf"^table {transparent_firewall.FAMILY} \S+ \{{\n(.*?)^\}}", re.DOTALL | re.MULTILINE)
_PREROUTING = re.compile(r"chain \S+ \{\n\s*type filter hook prerouting [^\n]*\n(.*?)^\s*\}", re.DOTALL | re.MULTILINE)
# nft says what EtherTypes a set has in the order of their numbers, whatever order it was told.
_TAGS_DROPPED = re.compile(r"^\s*iifname (\{[^}]*\}|\S+) ether type != \{ (?:arp, ip|ip, arp) \} drop$", re.MULTILINE)


def firewall_wiring(device: Device, files: Mapping[str, str], ownership: Ownership) -> Wiring:
    """Read the network of a firewall; frames with a tag end at ports where the packet filter drops them.

    A bridge that does not tell VLANs apart passes them all: without that rule, what is proved is so.
    """
    wiring = network_wiring(device, files, ownership)
    closed = {(device.name, port) for port in _ports_without_tags(files.get(FIREWALL_RULES, ""))}
    wiring.joins = [join for join in wiring.joins if not any(_is_tagged(node, closed) for node in join)]
    for port in closed & wiring.passing.keys():
        wiring.passing[port] &= {None}
    return wiring


def _is_tagged(node: Node, closed: set[tuple[str, str]]) -> bool:
    return isinstance(node, Point) and node.vlan is not None and (node.device, node.place) in closed


def _ports_without_tags(rules: str) -> set[str]:
    """The ports whose frames a bridge drops when they have a tag, first of all rules."""
    found: set[str] = set()
    for table in _BRIDGE_TABLE.finditer(rules):
        for chain in _PREROUTING.finditer(table[1]):
            first = next(filter(None, map(str.strip, chain[1].splitlines())), "")
            if dropped := _TAGS_DROPPED.fullmatch(first):
                found |= set(re.findall(r'"([^"]+)"', dropped[1]))
    return found
