"""Routing appliances: which of their NICs is in which network, by the addresses inside, and what they pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ansible_collections.podwright.cloud.plugins.module_utils import appliance_files

from podwright.model.views import Appliance
from podwright.proof.networkd_text import unit_files
from podwright.proof.ownership import Ownership
from podwright.proof.routing import Interface, Routing, forwards, router
from podwright.proof.wiring import Attachment, Owner, Point, Wiring

RULES = appliance_files.FIREWALL.lstrip("/")


class _Nic(NamedTuple):
    name: str
    mac: str
    address: str
    owner: Owner | None
    """None where the address is in no network that is known"""


def routing_appliance_wiring(appliance: Appliance, files: Mapping[str, str], ownership: Ownership) -> Wiring:
    """Read who an appliance's NICs belong to: a network of the infrastructure, or else one of the account's own."""
    wiring = Wiring()
    for nic in _nics(appliance, files, ownership):
        if nic.owner is None:
            wiring.doubts.append(f"{appliance.name}: {nic.address} of {nic.name} is in no network that is known")
        else:
            wiring.attachments.append(Attachment(Point(appliance.name, nic.mac), nic.owner))
    if not wiring.attachments:
        wiring.doubts.append(f"{appliance.name}: no address is given to any of its NICs, so whose they are is unknown")
    return wiring


def routing_appliance_routing(appliance: Appliance, files: Mapping[str, str], ownership: Ownership) -> Routing:
    """Read between which networks an appliance forwards new connections."""
    if not forwards(files):
        return Routing([], [])
    nics = _nics(appliance, files, ownership)
    interfaces = {nic.name: Interface(nic.owner, "") for nic in nics if nic.owner}
    return router(appliance.name, interfaces, files, RULES, ownership)


def _nics(appliance: Appliance, files: Mapping[str, str], ownership: Ownership) -> Iterator[_Nic]:
    """Every IPv4 address of a NIC, and whose network it is in."""
    for unit in unit_files(files, ".network"):
        mac, name = unit.value("Match", "MACAddress").lower(), _interface(unit.name)
        for address in unit.values("Network", "Address"):
            if mac and ":" not in address:
                owner = ownership.of_address(appliance.zone, appliance.pod, address)
                yield _Nic(name, mac, address, owner or ownership.of_guest_nic(appliance, name))


def _interface(file: str) -> str:
    """The interface that a file is for."""
    return file.removesuffix(".network").rpartition("-")[2]
