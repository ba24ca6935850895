"""Routing appliances: which of their NICs is in which network, by the addresses that they have inside."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.model.views import Appliance
from podwright.proof.networkd_text import unit_files
from podwright.proof.ownership import Ownership
from podwright.proof.wiring import Attachment, Point, Wiring


def routing_appliance_wiring(appliance: Appliance, files: Mapping[str, str], ownership: Ownership) -> Wiring:
    """Read who an appliance's NICs belong to: a network of the infrastructure, or else one of the account's own."""
    wiring = Wiring()
    for unit in unit_files(files, ".network"):
        mac = unit.value("Match", "MACAddress").lower()
        for address in unit.values("Network", "Address"):
            if mac and ":" not in address:
                owner = ownership.of_address(appliance.zone, appliance.pod, address)
                owner = owner or ownership.of_guest_nic(appliance, _nic(unit.name))
                if owner is None:
                    wiring.doubts.append(f"{appliance.name}: {address} of {unit.name} is in no network that is known")
                else:
                    wiring.attachments.append(Attachment(Point(appliance.name, mac), owner))
    if not wiring.attachments:
        wiring.doubts.append(f"{appliance.name}: no address is given to any of its NICs, so whose they are is unknown")
    return wiring


def _nic(file: str) -> str:
    """The NIC that a file is for."""
    return file.removesuffix(".network").rpartition("-")[2]
