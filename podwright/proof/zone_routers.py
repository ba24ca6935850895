"""Zone switches and firewalls: what they pass between the networks of a zone, its outside, and VPNs."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.podwright.cloud.plugins.module_utils import zone_firewall, zone_gateway

from podwright.model.views import Device
from podwright.proof.networkd_text import unit_files
from podwright.proof.ownership import Ownership
from podwright.proof.routing import Interface, Routing, forwards, router

ZONE_SWITCH_RULES = zone_gateway.RULES_FILE.lstrip("/")
FIREWALL_RULES = zone_firewall.RULES_FILE.lstrip("/")


def zone_switch_routing(device: Device, files: Mapping[str, str], ownership: Ownership) -> Routing:
    """Read between which networks a zone switch forwards new connections."""
    if not forwards(files):
        return Routing([], [])
    return router(device.name, _interfaces(device, files, ownership), files, ZONE_SWITCH_RULES, ownership)


def firewall_routing(device: Device, files: Mapping[str, str], ownership: Ownership) -> Routing:
    """Read between which networks a firewall forwards new connections; the unit of its rules has it forward."""
    if not forwards(files, by_default=True):
        return Routing([], [])
    return router(device.name, _interfaces(device, files, ownership), files, FIREWALL_RULES, ownership)


def _interfaces(device: Device, files: Mapping[str, str], ownership: Ownership) -> dict[str, Interface]:
    """{link: the network that it has an address in}, of those that have one in a declared network."""
    interfaces: dict[str, Interface] = {}
    for unit in unit_files(files, ".network"):
        for address in unit.values("Network", "Address"):
            owner = None if ":" in address else ownership.of_address(device.zone, device.pod, address)
            if owner:
                interfaces[unit.value("Match", "Name")] = Interface(owner, unit.value("Network", "VRF"))
    return interfaces
