"""Pod switches: their VLANs, ports and trunks."""

from __future__ import annotations

from podwright.model.cloud import PodSwitch
from podwright.model.racks import layer
from podwright.model.storage_share import share_on_switches
from podwright.model.views import Device, infrastructure
from podwright.plan import names
from podwright.plan.ground import Ground, Link
from podwright.plan.host_networks import share_of_links
from podwright.plan.state import PodSwitchState, Switch, SwitchPort
from podwright.plan.trunks import carried, used_behind
from podwright.switches.platforms import has_spanning_tree

# IEEE 802.1Q-2018, 13.26.3: bridge priorities are multiples of 4096; the lowest becomes root.
_PRIORITY_STEP = 4096
# The first of two that join racks becomes root, and the second takes over; those of racks come after, whichever rack.
_FIRST_STEP_IN_RACKS = 4
# IEEE 802.1Q-2018, table 13-4 recommends 20 000 for 1 Gbit/s: a hundred times worse is never preferred.
_MANAGEMENT_PATH_COST = 2_000_000


def pod_switch_state(ground: Ground, device: Device) -> PodSwitchState:
    """The desired state of a pod switch."""
    assert isinstance(device.declared, PodSwitch) and device.pod is not None  # noqa: PT018
    return {
        "device": device.name,
        "kind": "pod_switch",
        "zone": device.zone,
        "pod": device.pod,
        "management_address": str(device.declared.management_address),
        "port": device.declared.port,
        "platform": device.declared.platform,
        "switch": _switch(ground, device, device.pod),
    }


def _switch(ground: Ground, device: Device, pod: str) -> Switch:
    return {
        "spanning_tree": {"priority": _PRIORITY_STEP * _step(ground, device)} if _in_tree(device) else None,
        "vlans": _vlans(ground, device, pod),
        "ports": {link.port: _port(ground, device, link) for link in ground.links[device.name]},
    }


def _in_tree(device: Device) -> bool:
    """Whether a pod switch runs RSTP; one that does not has ports that are neither edges nor of any path cost."""
    assert isinstance(device.declared, PodSwitch)
    return has_spanning_tree(device.declared.platform)


def _step(ground: Ground, device: Device) -> int:
    """How many steps of bridge priority a pod switch is from the best of its fabric."""
    assert isinstance(device.declared, PodSwitch)
    rack = device.declared.rack
    rank = layer(ground.pod_of(device), rack, device.declared.carries).index(device.name)
    return rank + (1 if rack is None else _FIRST_STEP_IN_RACKS)


def _vlans(ground: Ground, device: Device, pod: str) -> dict[int, str]:
    networks = infrastructure(ground.pod_of(device).networks)
    named = {network.vlan: name for name, network in networks.items()}
    for domain in ground.domains_in.get((device.zone, pod), ()):
        for network, vlan in ground.guest_vlans(domain).items():
            named[vlan] = names.guest_vlan(domain.account, network, vlan)
    return {vlan: named[vlan] for vlan in sorted(used_behind(ground, device))}


def _port(ground: Ground, device: Device, link: Link) -> SwitchPort:
    in_tree = _in_tree(device)
    if link.far_kind is None:
        management: SwitchPort = {
            "description": link.far.device,
            "mode": "access",
            "tagged": [],
            "untagged": ground.pod_of(device).networks.management.vlan,
            "edge": False,
        }
        return {**management, "path_cost": _MANAGEMENT_PATH_COST} if in_tree else management
    port: SwitchPort = {
        "description": f"{link.far.device} {link.far.name}",
        "mode": "trunk",
        "tagged": carried(ground, device, link),
        "untagged": None,
        "edge": in_tree and link.far_kind in ("storage_server", "hypervisor"),
    }
    share = share_on_switches(ground.pod_of(device))
    if share and {share.vlan} < {*port["tagged"]}:  # where storage is with others
        port["share"] = share_of_links(share)
    return port
