"""The NICs of running machines: which there are, and where each is plugged in.

libvirt plugs NICs in when a machine starts, and never looks again. A bridge that
was taken away and made anew has lost its machines; they are still there and need
only be plugged in again. NICs come and go while a machine runs, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import libvirt_domain, ovsdb, services
from ansible_collections.podwright.cloud.plugins.module_utils.errors import DeviceError

Nic = dict[str, Any]

_INTERFACES = Path("/sys/class/net")
_POLL_S = 0.1
_PLACES = {"Bridge": ["name", "ports"], "Port": ["name", "tag", "fake_bridge"]}


def wanted(nics: Iterable[Nic]) -> dict[str, str]:
    """Where NICs should be: {the host's end: bridge}."""
    return {nic["device"]: nic["bridge"] for nic in nics}


def plugged(nics: Iterable[Nic]) -> dict[str, str]:
    """Find where the NICs of a running machine are: {the host's end: bridge}, without those that are in none.

    Raises:
        DeviceError: Open vSwitch does not answer.
    """
    nics = list(nics)
    is_switched = any(nic["virtualport"] == "openvswitch" for nic in nics)
    switched = switched_by(ovsdb.select(_PLACES)) if is_switched else {}
    found = {nic["device"]: _bridge(nic, switched) for nic in nics}
    return {device: bridge for device, bridge in found.items() if bridge}


def rewire(domain: Any, nics: Iterable[Nic], timeout_s: float) -> None:
    """Give a running machine just these NICs, each in its bridge.

    A machine that does not let a NIC go within `timeout_s` keeps it, in no bridge, until it is restarted.

    Raises:
        DeviceError: libvirt does not plug a NIC in.
        RuntimeError: There is no such bridge or device; the text says what the program said.
    """
    import libvirt

    nics = list(nics)
    there = {nic["device"]: nic for nic in _nics_of(domain)}
    leaving = [nic for device, nic in there.items() if device not in wanted(nics)]
    for nic in leaving:
        _unplug(nic)
    _take_away(domain, leaving, timeout_s)
    in_place = plugged(there.values())
    for nic in nics:
        if nic["device"] not in there:
            try:
                domain.attachDeviceFlags(libvirt_domain.nic_xml(nic), libvirt.VIR_DOMAIN_AFFECT_LIVE)
            except libvirt.libvirtError as error:
                remedy = "restart the machine, which then has it"
                raise DeviceError(f"{nic['name']} cannot be plugged in while it runs ({error}); {remedy}") from error
        elif in_place.get(nic["device"]) != nic["bridge"]:
            _plug(nic, domain.UUIDString())


def has_just(domain: Any, nics: Iterable[Nic]) -> bool:
    """Whether a running machine has these NICs and no other, whatever bridges they are in."""

    def identity(nic: Nic) -> tuple[str, str, str | None]:
        return nic["name"], nic["mac"], nic["virtualport"]

    return sorted(map(identity, _nics_of(domain))) == sorted(map(identity, nics))


def _nics_of(domain: Any) -> list[Nic]:
    found: list[Nic] = libvirt_domain.parse_domain(domain.XMLDesc())["nics"]
    return found


def _take_away(domain: Any, nics: list[Nic], timeout_s: float) -> None:
    """Ask a machine to let NICs go, and wait until it has: only its own system can say when it is ready."""
    import libvirt

    for nic in nics:
        domain.detachDeviceFlags(libvirt_domain.nic_xml(nic), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    leaving = set(wanted(nics))
    deadline = time.monotonic() + timeout_s
    while leaving & set(wanted(_nics_of(domain))) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _plug(nic: Nic, machine_uuid: str) -> None:
    """Put the host's end of a NIC into its bridge, as libvirt does when it starts a machine."""
    device, bridge = nic["device"], nic["bridge"]
    if nic["virtualport"] != "openvswitch":
        services.run("ip", "link", "set", "dev", device, "master", bridge)
        return
    # libvirt finds the limits of a NIC by its machine (vm-id), and Open vSwitch's users the rest.
    marks = {"attached-mac": nic["mac"], "iface-status": "active", "vm-id": machine_uuid}
    identities = [f'external_ids:{key}="{value}"' for key, value in marks.items()]
    limit = [f"qos={uuid}" for uuid in _limits(device)]
    removal = ["--if-exists", "del-port", device]
    services.run(
        "ovs-vsctl", "--timeout=10", "--", *removal, "--", "add-port", bridge, device,
        "--", "set", "Interface", device, *identities,
        *(["--", "set", "Port", device, *limit] if limit else []),
    )  # fmt: skip


def _limits(device: str) -> list[str]:
    """The rows that libvirt made to limit a NIC; they outlive its port, but nothing ties them to a new one."""
    rows = ovsdb.select({"QoS": ["external_ids"]})["QoS"]
    return [row["_uuid"] for row in rows if row["external_ids"].get("ifname") == device][:1]


def _unplug(nic: Nic) -> None:
    """Take the host's end of a NIC out of its bridge, and its limits, which nothing else would (see `_limits`)."""
    device = nic["device"]
    if nic["virtualport"] != "openvswitch":
        services.run("ip", "link", "set", "dev", device, "nomaster")
        return
    services.run("ovs-vsctl", "--timeout=10", "--", "--if-exists", "del-port", device)
    for table in ("qos", "queue"):
        rows = services.run(
            "ovs-vsctl", "--bare", "--columns=_uuid", "find", table, f'external_ids:ifname="{device}"'
        ).split()
        services.run("ovs-vsctl", "--", "--if-exists", "destroy", table, *rows)


def switched_by(rows: dict[str, list[ovsdb.Row]]) -> dict[str, str]:
    """Find where ports of Open vSwitch are: {port: bridge}.

    A segment is a bridge that is a port of another one itself, and all of that one with its tag are in it.
    """
    within = {uuid: bridge["name"] for bridge in rows["Bridge"] for uuid in ovsdb.as_set(bridge["ports"])}
    places = {
        port["name"]: (within.get(port["_uuid"]), next(iter(ovsdb.as_set(port["tag"])), None)) for port in rows["Port"]
    }
    segments = {places[port["name"]]: port["name"] for port in rows["Port"] if port["fake_bridge"]}
    return {name: segments.get(place, f"VLAN {place[1]} of {place[0]}") for name, place in places.items()}


def _bridge(nic: Nic, switched: dict[str, str]) -> str | None:
    if nic["virtualport"] == "openvswitch":
        return switched.get(nic["device"])
    master = _INTERFACES / str(nic["device"]) / "master"
    return master.resolve().name if master.exists() else None
