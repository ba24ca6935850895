"""The proof of a whole cloud, zone by zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from podwright.errors import PodwrightError
from podwright.model.cloud import Cloud
from podwright.model.views import Appliance, Device, appliances, devices
from podwright.proof.cables import lay_cables
from podwright.proof.firewall import firewall_wiring
from podwright.proof.hypervisor import hypervisor_wiring
from podwright.proof.linux_network import network_wiring
from podwright.proof.ownership import Ownership
from podwright.proof.pod_switch import pod_switch_wiring
from podwright.proof.routing import Routing, leaks
from podwright.proof.routing_appliance import routing_appliance_routing, routing_appliance_wiring
from podwright.proof.segments import Claim, Finding, Segments
from podwright.proof.wiring import Wiring
from podwright.proof.zone_routers import firewall_routing, zone_switch_routing
from podwright.rendering.rendered_files import Configurations

_WIRING_OF: Mapping[str, Callable[[Any, Mapping[str, str], Ownership], Wiring]] = {
    "firewall": firewall_wiring,
    "zone_switch": network_wiring,
    "pod_switch": pod_switch_wiring,
    "storage_server": network_wiring,
    "hypervisor": hypervisor_wiring,
    "routing_appliance": routing_appliance_wiring,
}

_ROUTING_OF: Mapping[str, Callable[[Any, Mapping[str, str], Ownership], Routing]] = {
    "firewall": firewall_routing,
    "zone_switch": zone_switch_routing,
    "routing_appliance": routing_appliance_routing,
}


@dataclass(frozen=True)
class Proof:
    """What was found out about a cloud."""

    devices: int
    """those that were read"""
    owners: Mapping[str, int]
    """{kind of owner: how many of them have a part in the cloud}"""
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether every claim does."""
        return not self.findings


def prove(cloud: Cloud, configurations: Configurations) -> Proof:
    """Prove of every zone of a cloud that its segments are as they should be, by the configurations of its devices."""
    ownership = Ownership(cloud)
    found: list[Finding] = []
    owners: Counter[str] = Counter()
    for zone in sorted(cloud.zones):
        read, wiring = _zone(cloud, zone, configurations, ownership)
        segments = Segments(wiring, lay_cables(cloud, zone, read, wiring))
        owners.update(owner.kind for owner in segments.owners)
        found += [*(Finding("read", doubt) for doubt in wiring.doubts), *segments.findings()]
        found += _routed(cloud, zone, configurations, ownership)
    known = {device.name for device in _devices(cloud)}
    found += [
        Finding("read", f"{name}: has a configuration and is not declared; declare it, or take the directory away")
        for name in sorted(configurations.keys() - known)
    ]
    return Proof(len(configurations.keys() & known), dict(sorted(owners.items())), tuple(sorted(found, key=_gravity)))


def _gravity(finding: Finding) -> tuple[int, str]:
    """The gravest claims first, each by what is said."""
    return get_args(Claim).index(finding.claim), finding.statement


def _devices(cloud: Cloud) -> list[Device | Appliance]:
    return [*devices(cloud), *appliances(cloud)]


def _zone(
    cloud: Cloud, zone: str, configurations: Configurations, ownership: Ownership
) -> tuple[Mapping[str, Device], Wiring]:
    """The devices of a zone that could be read, and their wiring."""
    read: dict[str, Device] = {}
    wiring = Wiring()
    for device in (device for device in _devices(cloud) if device.zone == zone):
        one = _read(device, configurations, ownership)
        wiring.add([one])
        if isinstance(device, Device) and (one.passing or not one.doubts):
            read[device.name] = device
    return read, wiring


def _routed(cloud: Cloud, zone: str, configurations: Configurations, ownership: Ownership) -> Iterator[Finding]:
    """Who gets over the routers of a zone to where they must not; those that are not there are told of already."""
    routings = [
        _ROUTING_OF[_kind(device)](device, configurations[device.name], ownership)
        for device in _devices(cloud)
        if device.zone == zone and _kind(device) in _ROUTING_OF and device.name in configurations
    ]
    yield from (Finding("read", doubt) for routing in routings for doubt in routing.doubts)
    crossings = (crossing for routing in routings for crossing in routing.crossings)
    for source, target, way in leaks(crossings, ownership):
        yield Finding("apart", f"{source} gets to {target} over Layer 3", way)


def _kind(device: Device | Appliance) -> str:
    return device.kind if isinstance(device, Device) else "routing_appliance"


def _read(device: Device | Appliance, configurations: Configurations, ownership: Ownership) -> Wiring:
    """The wiring of a device, or why there is none."""
    if device.name not in configurations:
        return Wiring(doubts=[f"{device.name}: has no configuration; collect it, or render it with `podwright plan`"])
    try:
        return _WIRING_OF[_kind(device)](device, configurations[device.name], ownership)
    except KeyError as error:
        return Wiring(doubts=[f"{device.name}: {error} is missing; docs/proof.md says what a device's directory holds"])
    except (PodwrightError, SyntaxError, ValueError) as error:  # parsers of XML raise a SyntaxError
        return Wiring(doubts=[f"{device.name}: its configuration cannot be read: {error}; collect it again"])
