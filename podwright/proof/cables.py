"""The cables that the inventory declares: what passes both of their ends, and what passes one alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from podwright.model.cloud import Cloud
from podwright.model.fields import Port
from podwright.model.views import Device
from podwright.proof.ownership import management, upstream
from podwright.proof.wiring import Attachment, Point, Wiring

_OUTSIDE = ("upstream", "management")


class Dangling(NamedTuple):
    """Frames that leave a port and do not arrive."""

    port: Point
    """where they leave"""
    why: str


def lay_cables(cloud: Cloud, zone_name: str, devices: Mapping[str, Device], wiring: Wiring) -> list[Dangling]:
    """Join the wiring of the devices that were read by the cables of their zone.

    The provider's network and the pods' management networks are not ours: all that a port lets out to them is in them.
    """
    zone = cloud.zones[zone_name]
    dangling: list[Dangling] = []
    cabled: set[tuple[str, str]] = set()
    for cable in zone.cables:
        for near, far in ((cable.a, cable.b), (cable.b, cable.a)):
            if near.name is not None and near.device in devices:
                cabled.add((near.device, near.name))
                dangling += _end(zone_name, devices, wiring, near, far)
    for port in sorted(wiring.passing.keys() - cabled):
        dangling += [Dangling(Point(*port, tag), "no cable is declared") for tag in _sorted(wiring.passing[port])]
    return dangling


def _end(zone: str, devices: Mapping[str, Device], wiring: Wiring, near: Port, far: Port) -> Iterable[Dangling]:
    """One end of a cable: what leaves `near`."""
    assert near.name is not None
    leaving = wiring.passing.get((near.device, near.name), set())
    if far.device in _OUTSIDE:
        _lead_outside(
            zone, devices[near.device], wiring, [Point(near.device, near.name, tag) for tag in _sorted(leaving)], far
        )
        return []
    if far.device not in devices or far.name is None:
        return []  # it was not read, which is a doubt already
    arriving = wiring.passing.get((far.device, far.name), set())
    for tag in _sorted(leaving & arriving):
        wiring.joins.append((Point(near.device, near.name, tag), Point(far.device, far.name, tag)))
    return [
        Dangling(Point(near.device, near.name, tag), f"{Point(far.device, far.name)} does not let {_name(tag)} in")
        for tag in _sorted(leaving - arriving)
    ]


def _lead_outside(zone: str, device: Device, wiring: Wiring, points: Iterable[Point], far: Port) -> None:
    # A firewall has a cable to the management network of each pod: `management:POD`.
    owner = upstream(zone) if far.device == "upstream" else management(zone, far.name or device.pod)
    outside = Point(far.device, owner.name)
    wiring.attachments.append(Attachment(outside, owner))
    wiring.joins += [(point, outside) for point in points]


def _name(tag: int | None) -> str:
    return "frames without a tag" if tag is None else f"VLAN {tag}"


def _sorted(tags: Iterable[int | None]) -> list[int | None]:
    return sorted(tags, key=lambda tag: tag or 0)
