"""Routing appliances: which of their NICs is in which network, by the addresses that they have inside."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.model.views import Appliance
from podwright.proof.networkd_text import unit_files
from podwright.proof.ownership import Ownership
from podwright.proof.wiring import Attachment, Owner, Point, Wiring


def routing_appliance_wiring(appliance: Appliance, files: Mapping[str, str], ownership: Ownership) -> Wiring:
    """Read who an appliance's NICs belong to: a network of the infrastructure, or else the account's guest network."""
    wiring = Wiring()
    guest = Owner("account", f"{appliance.account}/{appliance.guest_network}")
    for unit in unit_files(files, ".network"):
        mac = unit.value("Match", "MACAddress").lower()
        for address in unit.values("Network", "Address"):
            if mac and ":" not in address:
                owner = ownership.of_address(appliance.zone, appliance.pod, address) or guest
                wiring.attachments.append(Attachment(Point(appliance.name, mac), owner))
    if not wiring.attachments:
        wiring.doubts.append(f"{appliance.name}: no address is given to any of its NICs, so whose they are is unknown")
    return wiring
