"""Where the NICs of running machines are plugged in: libvirt does that when a machine starts, and never looks again.

A bridge that was taken away and made anew has lost its machines; they are still
there and need only be plugged in again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import ovsdb, services

Nic = dict[str, Any]

_INTERFACES = Path("/sys/class/net")


def unplugged(nics: Iterable[Nic]) -> list[str]:
    """Pick the host's ends of those NICs that are not in their bridge.

    Raises:
        DeviceError: Open vSwitch does not answer.
    """
    nics = list(nics)
    tags = _tags() if any(nic["virtualport"] == "openvswitch" for nic in nics) else {}
    return sorted(nic["device"] for nic in nics if not _is_plugged(nic, tags))


def plug(nic: Nic, machine_uuid: str) -> None:
    """Put the host's end of a NIC into its bridge, as libvirt does when it starts a machine.

    Raises:
        RuntimeError: There is no such bridge or device; the text says what the program said.
    """
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


def _tags() -> dict[str, int | None]:
    """{port of Open vSwitch: its VLAN id}; ports of one id are in one segment, whose bridge is a port itself."""
    return {row["name"]: row["tag"] for row in ovsdb.select({"Port": ["name", "tag"]})["Port"]}


def _is_plugged(nic: Nic, tags: dict[str, int | None]) -> bool:
    if nic["virtualport"] == "openvswitch":
        device, bridge = str(nic["device"]), str(nic["bridge"])
        return device in tags and bridge in tags and tags[device] == tags[bridge]
    master = _INTERFACES / str(nic["device"]) / "master"
    return master.exists() and master.resolve().name == str(nic["bridge"])
