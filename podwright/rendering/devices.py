"""The files of a device of any kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils.errors import DeviceError

from podwright.errors import PlanError, PodwrightError
from podwright.plan.state import State
from podwright.rendering.firewall import firewall_files
from podwright.rendering.hypervisor import hypervisor_files
from podwright.rendering.pod_switch import pod_switch_files
from podwright.rendering.routing_appliance import routing_appliance_files
from podwright.rendering.storage_server import storage_server_files
from podwright.rendering.zone_switch import zone_switch_files

_FILES_OF: Mapping[str, Callable[[Any], dict[str, str]]] = {
    "firewall": firewall_files,
    "zone_switch": zone_switch_files,
    "pod_switch": pod_switch_files,
    "storage_server": storage_server_files,
    "hypervisor": hypervisor_files,
    "routing_appliance": routing_appliance_files,
}


def render(state: State) -> dict[str, str]:
    """Render the configuration of a device: {path below the device's directory: text}, by path.

    A file of the device's has the path that it has there; docs/offline.md says what the others hold.

    Raises:
        PlanError: no such device can be in that state, such as a switch whose platform has no port of that name.
    """
    try:
        return dict(sorted(_FILES_OF[state["kind"]](state).items()))
    except (PodwrightError, DeviceError) as error:
        lines = (f"{state['device']}: {line}" for line in str(error).splitlines())
        raise PlanError("\n".join(lines)) from error
