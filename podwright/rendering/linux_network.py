"""The network of a Linux device: files of systemd-networkd and of traffic control, the database of Open vSwitch."""

from __future__ import annotations

from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import (
    host_network,
    link_share,
    networkd_files,
    openvswitch,
)

from podwright.plan.state import HostNetwork
from podwright.rendering.ovs_database import filled, reply_text

OVS_DATABASE = "openvswitch.json"
"""What the database server replies to a request for all rows of `TABLES`."""

TABLES = ("Bridge", "Port", "Interface", "QoS")


def network_files(network: HostNetwork) -> dict[str, str]:
    """Render the network of a device: {path: text}."""
    complete = host_network.complete(dict(network))
    directory = networkd_files.DIRECTORY.lstrip("/")
    files = {f"{directory}/{name}": text for name, text in networkd_files.wanted(complete)["files"].items()}
    if unit := link_share.wanted(complete)["unit"]:
        files[link_share.UNIT_FILE.lstrip("/")] = unit
    if complete["backend"] == "openvswitch":
        files[OVS_DATABASE] = _database(openvswitch.wanted(complete))
    return files


def _database(wanted: dict[str, Any]) -> str:
    """The rows that the module's own transaction puts into an empty database."""
    empty: dict[str, list[Any]] = {table: [] for table in TABLES}
    rows = filled(openvswitch.operations(wanted, empty))
    return reply_text(rows, TABLES)
