"""Cables that can be plugged in, and enough of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from podwright.model.checks.declaration import Declaration
from podwright.model.cloud import Pod, Zone
from podwright.model.document import Finding, KeyPath
from podwright.model.fabrics import Fabric, fabric_of
from podwright.model.fields import Cable, Port
from podwright.model.racks import layer, racks, switches_above, switches_in
from podwright.model.structure import alternative
from podwright.model.views import is_transparent

# netdevice(7): IFNAMSIZ is 16 with the terminating null byte.
_LONGEST_INTERFACE = 15
_MANAGEMENT_INTERFACE = "eth0"

# Ends without a port.
_OUTSIDE = ("upstream", "management")
_WORDS = {
    "firewalls": "a firewall",
    "zone_switches": "a zone switch",
    "pod_switches": "a pod switch",
    "storage_servers": "a storage server",
    "hypervisors": "a hypervisor",
}
_HOSTS = ("storage_servers", "hypervisors")
_AMBIGUOUS = "ambiguous"

# Behind one transparent firewall stands one zone switch.
_IN_LINE = {"firewalls": "zone_switches", "zone_switches": "firewalls"}


@dataclass(frozen=True)
class _Device:
    """What a cable's end may be."""

    kind: str
    pod: str | None
    path: KeyPath
    carries: Fabric = None
    """what a pod switch does"""
    rack: str | None = None
    has_racks: bool = False
    """whether its pod has"""


def check(declaration: Declaration) -> Iterator[Finding]:
    """The cables of each zone."""
    zones = {name: _devices(name, zone) for name, zone in declaration.cloud.zones.items()}
    for name, zone in declaration.cloud.zones.items():
        yield from _too_few_switches(name, zone)
        odd = [*_ends(declaration, name, zone, zones), *_pairs(name, zone, zones[name])]
        yield from odd
        if not any(path[:3] == ("zones", name, "cables") for path in declaration.wrong):
            doubtful = {finding.path[3] for finding in odd}
            yield from _missing(name, zone, zones[name], doubtful)


def _devices(zone_name: str, zone: Zone) -> dict[str, _Device]:
    base: KeyPath = ("zones", zone_name)
    declared = [
        (name, _Device(kind, None, (*base, kind, name)))
        for kind in ("firewalls", "zone_switches")
        for name in getattr(zone, kind)
    ]
    for pod_name, pod in zone.pods.items():
        for kind in ("pod_switches", *_HOSTS):
            path, has_racks = (*base, "pods", pod_name, kind), bool(racks(pod))
            declared += [
                (name, _Device(kind, pod_name, (*path, name), getattr(device, "carries", None), device.rack, has_racks))
                for name, device in getattr(pod, kind).items()
            ]
    found: dict[str, _Device] = {}
    for name, device in declared:
        # Of two with one name we cannot tell which a cable means.
        found[name] = device if name not in found else _Device(_AMBIGUOUS, None, device.path)
    return {name: device for name, device in found.items() if name not in _OUTSIDE}


def _too_few_switches(name: str, zone: Zone) -> Iterator[Finding]:
    path: KeyPath = ("zones", name, "zone_switches")
    if not zone.zone_switches:
        yield Finding(path, None, "a zone switch", "declare one, or better a pair")


def _ends(declaration: Declaration, name: str, zone: Zone, zones: dict[str, dict[str, _Device]]) -> Iterator[Finding]:
    """Each end by itself: a device of the zone, and a port that no other cable has."""
    users: dict[Port, KeyPath] = {}
    for index, cable in enumerate(zone.cables):
        path: KeyPath = ("zones", name, "cables", index)
        for end in cable.ends if cable else ():
            device = zones[name].get(end.device)
            if end.device in _OUTSIDE:
                if end.name:
                    yield from _named_outside(path, end, cable, name, zone)
            elif device is None:
                if not _unreadable(declaration, name):
                    yield _unknown_device(path, end, name, zones)
            elif end.name is None:
                yield Finding(path, str(end), "a port", f"add the port, such as {end}:swp1")
            else:
                yield from _unfit_interface(path, end, device)
                if (first := users.setdefault(end, path)) != path:
                    remedy = f"{declaration.where(first)} is in it: take another"
                    yield Finding(path, str(end), "a free port", remedy)


def _named_outside(path: KeyPath, end: Port, cable: Cable, zone_name: str, zone: Zone) -> Iterator[Finding]:
    """What is no device has no ports; but a firewall reaches the management network of each pod out of band."""
    if end.device != "management" or not any(other.device in zone.firewalls for other in cable.ends):
        yield Finding(path, str(end), "an end", f"{end.device} has no ports: write {end.device}")
    elif end.name not in zone.pods:
        known = ["management", *(f"management:{pod}" for pod in sorted(zone.pods))]
        yield Finding(path, str(end), f"a management network of {zone_name}", f"write {alternative(str(end), known)}")


def _unreadable(declaration: Declaration, zone_name: str) -> bool:
    """Whether something is wrong that may hold devices of the zone: (zones, east, pods, p1, hypervisors) or above."""
    return any(
        path[:2] == ("zones", zone_name)[: len(path)] and (len(path) < 5 or path[4:] in {(kind,) for kind in _WORDS})
        for path in declaration.wrong
        if path[2:3] != ("cables",)
    )


def _unknown_device(path: KeyPath, end: Port, zone_name: str, zones: dict[str, dict[str, _Device]]) -> Finding:
    elsewhere = next((zone for zone, devices in zones.items() if end.device in devices), None)
    if elsewhere:
        remedy = f"it is in {elsewhere}, and no cable leaves a zone: remove the cable"
    else:
        known = (*zones[zone_name], *_OUTSIDE)
        remedy = f"write {alternative(end.device, known)}, or declare it in zones.{zone_name}"
    return Finding(path, end.device, f"a device of {zone_name}", remedy)


def _unfit_interface(path: KeyPath, end: Port, device: _Device) -> Iterator[Finding]:
    if device.kind == "pod_switches" or end.name is None:
        return  # names of its own making, such as GigabitEthernet1/0/1
    if len(end.name) > _LONGEST_INTERFACE:
        remedy = f"Linux allows {_LONGEST_INTERFACE} characters (netdevice(7)): give the shorter name"
        yield Finding(path, str(end), "an interface", remedy)
    if end.name == _MANAGEMENT_INTERFACE:
        remedy = f"{_MANAGEMENT_INTERFACE} is for management and no cable of the zone: take another"
        yield Finding(path, str(end), "a port for a cable", remedy)


def _pairs(zone_name: str, zone: Zone, devices: dict[str, _Device]) -> Iterator[Finding]:
    """What may be joined to what."""
    for index, cable in enumerate(zone.cables):
        if cable is None:
            continue
        path: KeyPath = ("zones", zone_name, "cables", index)
        outside = [end for end in cable.ends if end.device in _OUTSIDE]
        known = [device for end in cable.ends if (device := devices.get(end.device))]
        shown = f"{cable.a} to {cable.b}"
        if len(outside) == 2 or cable.a.device == cable.b.device:
            yield Finding(path, shown, "a cable between two devices", "correct one end")
        elif outside and known and known[0].kind not in (kinds := _kinds_at(outside[0].device, zone)):
            words = " or ".join(_WORDS[kind] for kind in kinds)
            remedy = f"{outside[0].device} ends at {words}: correct the other end"
            yield Finding(path, shown, f"a cable of {words}", remedy)
        elif outside and known and known[0].rack is not None:
            remedy = f"{outside[0].device} ends at the pod switches without a rack: correct the other end"
            yield Finding(path, shown, "a cable of a pod switch that joins racks", remedy)
        elif outside and known and known[0].carries == "public":
            remedy = f"{outside[0].device} ends at the private pod switches: correct the other end"
            yield Finding(path, shown, "a cable of a private pod switch", remedy)
        elif len(known) == 2 and (misfit := _unjoinable(*known)):
            yield Finding(path, shown, "a cable that a zone has", misfit)


def _kinds_at(end: str, zone: Zone) -> tuple[str, ...]:
    """The kinds of device that a cable leads to from `upstream` or `management`."""
    if end == "upstream":
        return ("firewalls",) if zone.firewalls else ("zone_switches",)
    return ("pod_switches", "firewalls") if zone.management_reached_through else ("pod_switches",)


def _unjoinable(a: _Device, b: _Device) -> str | None:
    kinds = {a.kind, b.kind}
    if "firewalls" in kinds and "zone_switches" not in kinds:
        return "a firewall is joined to zone switches only: remove the cable or correct an end"
    if kinds & set(_HOSTS) and (a.pod != b.pod or "pod_switches" not in kinds):
        return "a host is joined to the switches of its pod only: remove the cable or correct an end"
    if a.pod and b.pod and a.pod != b.pod:
        return "pods are joined by zone switches only (layer 3): remove the cable or correct an end"
    if across := _unjoinable_fabrics(a, b):
        return across
    if a.has_racks or b.has_racks:
        return _unjoinable_in_racks(a, b)
    return None


def _unjoinable_fabrics(a: _Device, b: _Device) -> str | None:
    """What is wrong between two devices of which one is a public pod switch, that could be joined if it were not."""
    carried, kinds = {a.carries, b.carries}, {a.kind, b.kind}
    if carried == {"public", "private"}:
        return "public and private pod switches are joined by no cable: remove it or correct an end"
    if "public" in carried and "storage_servers" in kinds:
        return "a storage server is joined to the private switches of its pod only: remove the cable or correct an end"
    return None


def _unjoinable_in_racks(a: _Device, b: _Device) -> str | None:
    """What is wrong between two devices, one of them in a pod with racks, that could be joined without racks."""
    kinds = {a.kind, b.kind}
    if kinds & set(_HOSTS):
        if a.rack != b.rack:
            return "a host is joined to the switches of its rack only: remove the cable or correct an end"
    elif "zone_switches" in kinds:
        if a.rack or b.rack:
            return "a zone switch is joined to the pod switches without a rack: remove the cable or correct an end"
    elif a.rack and b.rack and a.rack != b.rack:
        return "racks are joined by the pod switches without a rack: remove the cable or correct an end"
    return None


def _missing(
    zone_name: str, zone: Zone, devices: dict[str, _Device], doubtful: Collection[str | int]
) -> Iterator[Finding]:
    """The edge of a zone has one cable upstream, a firewall one to each zone switch, a host one to each pod switch.

    In a pod with racks, that is each of its rack, and those have one to each that joins the racks. Of pod switches that
    are public or private, a storage server has one to each private one, and a pod switch to those that carry the same.
    A transparent firewall has one to a single zone switch, and this to no other firewall: frames have one way, no loop.

    The devices of `doubtful` cables (by index) may have what they seem to miss.
    """
    joined: Counter[tuple[str, str]] = Counter()
    for cable in zone.cables:
        for near, far in (cable.ends, cable.ends[::-1]):
            joined[near.device, str(far) if far.device in _OUTSIDE else far.device] += 1
    unsure = {end.device for index in doubtful for end in zone.cables[int(index)].ends}
    base = f"zones.{zone_name}.cables"
    for name, device in devices.items():
        for peer in _peers(name, device, zone):
            if joined[name, peer] == 0 and not unsure & {name, peer}:
                yield Finding(device.path, None, f"a cable to {peer}", f"add it to {base}")
            elif joined[name, peer] > 1:
                found = f"{joined[name, peer]} cables to {peer}"
                yield Finding(device.path, found, "exactly one", f"remove all but one from {base}")
        if is_transparent(zone) and name not in unsure and device.kind in _IN_LINE:
            yield from _in_line(zone, name, device, joined, base)


def _in_line(zone: Zone, name: str, device: _Device, joined: Counter[tuple[str, str]], base: str) -> Iterator[Finding]:
    others = _IN_LINE[device.kind]
    found = [far for (near, far) in joined.elements() if near == name and far in getattr(zone, others)]
    if len(found) != 1:
        words = _WORDS[others].partition(" ")[2]
        shown = " and ".join(sorted(found)) or None
        remedy = f"give each zone switch a firewall of its own, with one cable between them, in {base}"
        yield Finding(device.path, shown, f"a cable to one {words}", remedy)


def _peers(name: str, device: _Device, zone: Zone) -> list[str]:
    """What a device must have exactly one cable to."""
    if device.pod is not None:
        return _peers_in_pod(device, zone.pods[device.pod])
    peers = ["upstream"] if name in (zone.firewalls or zone.zone_switches) else []
    if device.kind == "firewalls":
        peers += [] if is_transparent(zone) else sorted(zone.zone_switches)
        if zone.management_reached_through:
            peers += ["management", *(f"management:{pod}" for pod in sorted(zone.pods))]
    if device.kind == "zone_switches" and zone.firewalls and not is_transparent(zone):
        # Their pairs meet in the transit network, wherever a firewall's bond leads.
        peers += sorted(set(zone.zone_switches) - {name})
    return peers


def _peers_in_pod(device: _Device, pod: Pod) -> list[str]:
    if device.kind == "pod_switches":
        return switches_above(pod, device.rack, device.carries)
    if device.kind == "storage_servers":
        return layer(pod, device.rack, fabric_of(pod, "storage"))
    return switches_in(pod, device.rack)
