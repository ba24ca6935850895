"""The ground that every state is worked out on: who is cabled to whom, and which domains run where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from podwright.allocation.leases import Leases
from podwright.model.cloud import Cloud, Pod, PodSwitch, Zone
from podwright.model.fabrics import Fabric
from podwright.model.fields import Port
from podwright.model.natural_order import natural
from podwright.model.views import Device, DeviceKind, Domain, devices, domains


class Link(NamedTuple):
    """A cable seen from one of its ends."""

    port: str
    far: Port
    """the other end: a port of a device, or a network that is not ours (`upstream`, `management`)"""
    far_kind: DeviceKind | None
    """None for a network that is not ours"""
    far_pod: str | None
    fabric: Fabric
    """the one of its pod that it is in"""


@dataclass(frozen=True)
class Ground:
    """A cloud, its leases, and indexes of them that make looking up cheap."""

    cloud: Cloud
    leases: Leases
    devices: Mapping[str, Device]
    links: Mapping[str, Sequence[Link]]
    """{device: its cables, by port}"""
    domains_on: Mapping[str, Sequence[Domain]]
    """{hypervisor: its domains, by name}"""
    volumes_on: Mapping[str, Sequence[Domain]]
    """{storage server: the domains whose disks it has, by name}"""
    domains_in: Mapping[tuple[str, str], Sequence[Domain]]
    """{(zone, pod): its domains, by name}"""
    domains_of: Mapping[tuple[str, str], Sequence[Domain]]
    """{(account, guest network): the domains with a NIC in it, by name}"""

    def zone_of(self, device: Device) -> Zone:
        """The zone that a device is in."""
        return self.cloud.zones[device.zone]

    def pod_of(self, device: Device) -> Pod:
        """The pod that a device other than a zone switch is in."""
        assert device.pod is not None
        return self.cloud.zones[device.zone].pods[device.pod]

    def guest_vlans(self, domain: Domain) -> dict[str, int]:
        """{guest network of a domain: its VLAN id in the domain's pod}."""
        vlans = self.leases.guest_vlans
        return {name: vlans[domain.account, name, domain.pod] for name in domain.guest_networks}


def survey_ground(cloud: Cloud, leases: Leases) -> Ground:
    """Index a cloud and its leases."""
    by_name = {device.name: device for device in devices(cloud)}
    domains_on: defaultdict[str, list[Domain]] = defaultdict(list)
    volumes_on: defaultdict[str, list[Domain]] = defaultdict(list)
    domains_in: defaultdict[tuple[str, str], list[Domain]] = defaultdict(list)
    domains_of: defaultdict[tuple[str, str], list[Domain]] = defaultdict(list)
    for domain in domains(cloud):
        domains_on[leases.placements[domain.name]].append(domain)
        volumes_on[leases.volumes[domain.name]].append(domain)
        domains_in[domain.zone, domain.pod].append(domain)
        for network in domain.guest_networks:
            domains_of[domain.account, network].append(domain)
    return Ground(cloud, leases, by_name, _links(cloud, by_name), domains_on, volumes_on, domains_in, domains_of)


def _links(cloud: Cloud, known: Mapping[str, Device]) -> dict[str, list[Link]]:
    links: dict[str, list[Link]] = {name: [] for name in known}
    for near, far in _cable_ends(cloud):
        if near.name is not None and near.device in known:
            there = known.get(far.device)
            fabric = _fabric(known[near.device], there)
            link = Link(near.name, far, there and there.kind, there and there.pod, fabric)
            links[near.device].append(link)
    for of_device in links.values():
        of_device.sort(key=lambda link: natural(link.port))
    return links


def _fabric(*ends: Device | None) -> Fabric:
    """What a pod switch at one of the ends carries; at both ends they carry the same."""
    return next((end.declared.carries for end in ends if end and isinstance(end.declared, PodSwitch)), None)


def _cable_ends(cloud: Cloud) -> Iterator[tuple[Port, Port]]:
    for zone in cloud.zones.values():
        for cable in zone.cables:
            yield cable.a, cable.b
            yield cable.b, cable.a
