"""Pod switches: the running configuration, as the platform writes it."""

from __future__ import annotations

from podwright.plan.state import PodSwitchState
from podwright.switches.driver import find_platform
from podwright.switches.state import from_data

RUNNING_CONFIGURATION = "running-config"
"""The file of a pod switch, whatever its platform: what `Driver.collect` reads from a device."""


def pod_switch_files(state: PodSwitchState) -> dict[str, str]:
    """Render a pod switch: {path: text}."""
    return {RUNNING_CONFIGURATION: find_platform(state["platform"]).configuration(from_data(state["switch"]))}
