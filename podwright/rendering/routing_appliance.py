"""Routing appliances: every file that podwright writes inside one."""

from __future__ import annotations

from ansible_collections.podwright.cloud.plugins.module_utils import appliance_files

from podwright.plan.state import RoutingApplianceState
from podwright.rendering.paths import files_of


def routing_appliance_files(state: RoutingApplianceState) -> dict[str, str]:
    """Render a routing appliance: {path: text}."""
    return files_of(appliance_files.render(state["appliance"]))
