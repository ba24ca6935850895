"""Which VLANs a cable carries: those that are needed behind it, and no other."""

from __future__ import annotations

from podwright.model.cloud import PodSwitch
from podwright.model.fabrics import vlans_of
from podwright.model.racks import hosts_in
from podwright.model.views import Device, infrastructure, routed
from podwright.plan.ground import Ground, Link
from podwright.plan.tunnels import needs_tunnels


def carried(ground: Ground, device: Device, link: Link) -> list[int]:
    """The tagged VLANs of a cable, from either of its ends; ascending."""
    vlans, pod = _carried(ground, device, link), device.pod or link.far_pod
    return sorted(vlans_of(ground.zone_of(device).pods[pod], link.fabric, vlans) if pod else vlans)


def needed_by(ground: Ground, device: Device) -> set[int]:
    """The VLANs that a storage server or a hypervisor takes part in."""
    networks = ground.pod_of(device).networks
    needed = {networks.storage.vlan}
    if device.kind == "hypervisor":
        for domain in ground.domains_on.get(device.name, ()):
            needed |= {*ground.guest_vlans(domain).values()}
            if domain.role == "routing_appliance":
                needed |= {networks.management.vlan, networks.public.vlan}
        if networks.tunnel and needs_tunnels(ground, device):
            needed.add(networks.tunnel.vlan)
    return needed


def used_behind(ground: Ground, switch: Device) -> set[int]:
    """Every VLAN of its fabric that something behind a pod switch uses: in its rack, or if it has none in its pod."""
    assert isinstance(switch.declared, PodSwitch) and switch.pod is not None  # noqa: PT018
    pod, rack = ground.pod_of(switch), switch.declared.rack
    if rack is None:
        used = used_in_pod(ground, switch.zone, switch.pod)
    else:
        used = {vlan for name in hosts_in(pod, rack) for vlan in needed_by(ground, ground.devices[name])}
    return vlans_of(pod, switch.declared.carries, used)


def rack_of(device: Device) -> str | None:
    """The rack of a pod switch that is for one rack alone."""
    return device.declared.rack if isinstance(device.declared, PodSwitch) else None


def used_in_pod(ground: Ground, zone: str, pod: str) -> set[int]:
    """Every VLAN of a pod that something uses: a guest network's only while a domain of the account is there."""
    networks = ground.cloud.zones[zone].pods[pod].networks
    guests = {vlan for domain in ground.domains_in.get((zone, pod), ()) for vlan in ground.guest_vlans(domain).values()}
    return guests | {network.vlan for network in infrastructure(networks).values()}


def transit_of(ground: Ground, device: Device) -> set[int]:
    """The VLAN between the firewalls and the zone switches of a device's zone, if there is one."""
    transit = ground.zone_of(device).transit
    return {transit.vlan} if transit else set()


def _routed_in_pod(ground: Ground, zone: str, pod: str) -> set[int]:
    return {network.vlan for network in routed(ground.cloud.zones[zone].pods[pod].networks).values()}


def _carried(ground: Ground, device: Device, link: Link) -> set[int]:
    if "firewall" in (device.kind, link.far_kind):
        return transit_of(ground, device)
    if device.kind in ("storage_server", "hypervisor"):
        return needed_by(ground, device)
    if link.far_kind in ("storage_server", "hypervisor"):
        return needed_by(ground, ground.devices[link.far.device])
    pods = {pod for pod in (device.pod, link.far_pod) if pod is not None}
    if not pods:
        return transit_of(ground, device)
    if len(pods) > 1:
        return set()  # between pods there is layer 3 only
    pod = pods.pop()
    if "zone_switch" in (device.kind, link.far_kind):
        return _routed_in_pod(ground, device.zone, pod)
    in_rack = [switch for switch in (device, ground.devices.get(link.far.device)) if switch and rack_of(switch)]
    return used_behind(ground, in_rack[0] if in_rack else device)
