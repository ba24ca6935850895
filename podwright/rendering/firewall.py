"""Firewalls: their network, the packet filter, keepalived and the VPNs, but for the keys, which no rendering has."""

from __future__ import annotations

from ansible_collections.podwright.cloud.plugins.module_utils import zone_firewall

from podwright.plan.state import FirewallState
from podwright.rendering.linux_network import network_files
from podwright.rendering.paths import files_of


def firewall_files(state: FirewallState) -> dict[str, str]:
    """Render a firewall as it is where the kernel encrypts: {path: text}."""
    uplinks = state["network"]["uplinks"]
    # As the role firewall has it: a firewall that has lost all of its uplinks hands over.
    firewall = {**state["firewall"], "tracked_ports": uplinks["members"] if uplinks else []}
    return network_files(state["network"]) | files_of(zone_firewall.desired(firewall, "kernel"))
