"""Zone switches: their network, keepalived and the packet filter."""

from __future__ import annotations

from ansible_collections.podwright.cloud.plugins.module_utils import zone_gateway

from podwright.plan.state import ZoneSwitchState
from podwright.rendering.linux_network import network_files
from podwright.rendering.paths import files_of


def zone_switch_files(state: ZoneSwitchState) -> dict[str, str]:
    """Render a zone switch: {path: text}."""
    # As the role zone_switch has it: a switch that has lost all of its trunks hands over.
    gateway = {**state["gateway"], "tracked_ports": list(state["network"]["trunks"])}
    return network_files(state["network"]) | files_of(zone_gateway.desired(gateway))
