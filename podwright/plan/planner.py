"""The plan of a whole cloud. Pure: the same states for equal clouds and leases, in whatever order they are declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from podwright.allocation.leases import Leases
from podwright.model.cloud import Cloud
from podwright.model.views import Device, DeviceKind, appliances
from podwright.plan.appliances import routing_appliance_state
from podwright.plan.firewalls import firewall_state
from podwright.plan.ground import Ground, survey_ground
from podwright.plan.machines import hypervisor_state
from podwright.plan.state import State
from podwright.plan.storage import storage_server_state
from podwright.plan.switch_ports import pod_switch_state
from podwright.plan.zone_gateways import zone_switch_state

_STATE_OF: Mapping[DeviceKind, Callable[[Ground, Device], State]] = {
    "firewall": firewall_state,
    "zone_switch": zone_switch_state,
    "pod_switch": pod_switch_state,
    "storage_server": storage_server_state,
    "hypervisor": hypervisor_state,
}


def plan(cloud: Cloud, leases: Leases) -> dict[str, State]:
    """Work out the desired state of every device: {device: state}, by name.

    Always plans the whole cloud, so that a run limited to some devices sees the
    same states as a run over all of them.
    """
    ground = survey_ground(cloud, leases)
    states: dict[str, State] = {name: _STATE_OF[device.kind](ground, device) for name, device in ground.devices.items()}
    for appliance in appliances(cloud):
        states[appliance.name] = routing_appliance_state(ground, appliance)
    return dict(sorted(states.items()))
