"""What a Linux device runs with, as the files that `podwright prove` reads (docs/proof.md)."""

from __future__ import annotations

from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import (
    appliance_files,
    firewall_rules,
    libvirt_domain,
    machines,
    openvswitch,
    packet_filter,
    running_network,
    transparent_firewall,
    zone_firewall,
    zone_gateway,
)

KINDS = ("firewall", "hypervisor", "routing_appliance", "storage_server", "zone_switch")

# {kind of a router: (file of its packet filter, table)}
_FILTERS = {
    "firewall": (zone_firewall.RULES_FILE, firewall_rules.TABLE),
    "routing_appliance": (appliance_files.FIREWALL, appliance_files.TABLE),
    "zone_switch": (zone_gateway.RULES_FILE, zone_gateway.TABLE),
}
_FORWARDING_FILE = "/etc/sysctl.d/podwright.conf"


def read(kind: str, backend: str) -> dict[str, Any]:
    """Read this host, which is of a `kind` and whose network is made by a `backend`; changes nothing.

    Open vSwitch is asked where it should be or is.

    Returns:
        `{files: {path: text}, openvswitch: {table: rows as they are on the wire}, or null}`

    Raises:
        RuntimeError: A program, Open vSwitch or libvirt does not answer.
    """
    files: dict[str, str | None] = {**running_network.read()}
    if kind in _FILTERS:
        file, table = _FILTERS[kind]
        files[file] = packet_filter.loaded(table)
        if kind == "firewall" and (bridged := packet_filter.loaded(table, transparent_firewall.FAMILY)):
            files[file] = f"{files[file] or ''}{bridged}"
        files[_FORWARDING_FILE] = f"net.ipv4.ip_forward = {packet_filter.forwards()}\n"
    elif kind == "hypervisor":
        domains = machines.running(machines.connect())
        files.update({f"{libvirt_domain.DIRECTORY}/{name}.xml": xml for name, xml in domains.items()})
    return {
        "files": {path: text for path, text in files.items() if text is not None},
        "openvswitch": openvswitch.running() if backend == "openvswitch" or openvswitch.installed() else None,
    }
