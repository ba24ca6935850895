"""Hypervisors: which machine's NIC is in which bridge, by the domains of libvirt (its formatdomain)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from podwright.model.views import Device
from podwright.proof.linux_network import network_wiring
from podwright.proof.ownership import Ownership
from podwright.proof.wiring import Attachment, Owner, Point, Wiring
from podwright.rendering.hypervisor import DOMAINS


class Nic(NamedTuple):
    """A machine's NIC as libvirt has it."""

    domain: str
    mac: str
    bridge: str | None
    """None for one that is in no bridge of the host"""
    device: str
    """the host's end"""
    name: str
    """what the machine calls it: its kernel counts NICs in the order in which the domain has them"""

    @property
    def point(self) -> Point:
        """The NIC itself."""
        return Point(self.domain, self.mac)


def hypervisor_wiring(device: Device, files: Mapping[str, str], ownership: Ownership) -> Wiring:
    """Read the host's network and the NICs of its machines.

    Whose a routing appliance's NICs are is what the appliance itself says, by the addresses that it has on them.
    """
    wiring = network_wiring(device, files, ownership)
    for path, text in files.items():
        if PurePosixPath(path).parent == PurePosixPath(DOMAINS):
            for nic in _nics(text):
                _plug(wiring, device.name, nic)
                wiring.attachments += _attachment(nic, ownership)
    return wiring


def _nics(xml: str) -> Iterator[Nic]:
    domain = ET.fromstring(xml)  # noqa: S314  (libvirtd wrote it, or podwright)
    name = domain.findtext("name") or ""
    for number, interface in enumerate(domain.iterfind("devices/interface")):
        found = {key: _attribute(interface, *where) for key, where in _WHERE.items()}
        bridge = found["bridge"] if interface.get("type") == "bridge" else None
        yield Nic(name, (found["mac"] or "").lower(), bridge, found["device"] or "", f"eth{number}")


_WHERE = {"mac": ("mac", "address"), "bridge": ("source", "bridge"), "device": ("target", "dev")}


def _attribute(interface: ET.Element, path: str, name: str) -> str | None:
    found = interface.find(path)
    return None if found is None else found.get(name)


def _plug(wiring: Wiring, hypervisor: str, nic: Nic) -> None:
    """Put a NIC into its bridge; where Open vSwitch knows the host's end itself, that is where it is."""
    if (hypervisor, nic.device) in wiring.passing:
        wiring.joins.append((nic.point, Point(hypervisor, nic.device)))
        del wiring.passing[hypervisor, nic.device]
    elif nic.bridge:
        wiring.joins.append((nic.point, Point(hypervisor, nic.bridge)))
    else:
        wiring.doubts.append(f"{hypervisor}: {nic.point} is in no bridge, which the proof cannot follow")


def _attachment(nic: Nic, ownership: Ownership) -> Iterator[Attachment]:
    domain = ownership.domain(nic.domain)
    if domain is None:
        yield Attachment(nic.point, Owner("machine", f"{nic.domain}, which is not declared"))
    elif domain.role == "machine":
        undeclared = Owner("machine", f"{nic.domain}, whose {nic.name} is not declared")
        yield Attachment(nic.point, ownership.of_guest_nic(domain, nic.name) or undeclared)
