"""The network of a Linux device: what it has, what differs from what it should have, and the change.

Layers make it: Open vSwitch (the backend `openvswitch`) and the announcements of
its bond, systemd-networkd (addresses and routes of both backends, and all links of
the backend `linux`) and traffic control (what a VLAN keeps of the uplinks). Each has
`read() -> state`, `wanted(network) -> state`, `plan(current, wanted) -> changes` and
`apply(changes)`, and the two that make links `segments(state)`. Changes say what to
set, and null for what goes.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import (
    bond_announcements,
    link_share,
    networkd,
    networkd_files,
    openvswitch,
    services,
    uplinks,
)
from ansible_collections.podwright.cloud.plugins.module_utils.errors import DeviceError

MANAGEMENT_INTERFACE = "eth0"
SETTLE_S = 15.0

Network = dict[str, Any]
State = dict[str, Any]
Changes = dict[str, Any]

_EMPTY: Network = {
    "backend": "linux",
    "datapath": "system",
    "uplinks": None,
    "public_uplinks": None,
    "trunks": {},
    "spanning_tree": None,
    "segments": {},
    "interfaces": {},
    "routed_ports": {},
    "transparent_bridge": None,
    "routes": [],
}


def read(network: Network) -> State:
    """Read the units and layers of this host that `network` is about."""
    state: State = {
        "units": {name: unit.enabled and unit.active for name, unit in services.read(_units(network)).items()},
        "networkd": networkd.read(),
        "link_share": link_share.read(),
    }
    if network["backend"] == "openvswitch" or openvswitch.installed():
        state["openvswitch"] = openvswitch.read() if openvswitch.installed() else openvswitch.NOTHING
        state["bond_announcements"] = (
            bond_announcements.read() if openvswitch.installed() else bond_announcements.NOTHING
        )
    return state


def complete(network: Network) -> Network:
    """Fill in what `network` leaves out, and refuse what no host can have.

    Raises:
        DeviceError: the management interface is in use, a name is too long, a port or a VLAN is in both bonds, a VLAN
            is used twice, or one keeps a share of links that do not carry it, or all of them; or Open vSwitch should
            make a transparent bridge.
    """
    result = {**_EMPTY, **{key: value for key, value in network.items() if value is not None}}
    bridged = (result["transparent_bridge"] or {}).values()
    ports = [*uplinks.members(result), *result["trunks"], *result["routed_ports"], *bridged]
    if bridged and result["backend"] == "openvswitch":
        raise DeviceError(
            "network.transparent_bridge: nftables sees no frame of Open vSwitch; give the device the backend linux"
        )
    if MANAGEMENT_INTERFACE in ports:
        raise DeviceError(
            f"network: {MANAGEMENT_INTERFACE} is the management interface and never touched; cable another port"
        )
    for name in [*ports, *result["segments"], *result["interfaces"]]:
        if not 1 <= len(name) <= 15 or "/" in name:
            raise DeviceError(f"network: {name!r} is no interface name; give 1 to 15 characters (ip-link(8))")
    _refuse_joined_bonds(result)
    _refuse_shared_vlans(result)
    _refuse_share(result["uplinks"] or {})
    return result


def plan(current: State, network: Network) -> Changes:
    """Compare a host with what `network` wants of it: the layers that differ, and `units` that do not run."""
    changes: Changes = {"units": {name: True for name, ready in current["units"].items() if not ready}}
    changes["networkd"] = networkd.plan(current["networkd"], networkd_files.wanted(network))
    if "openvswitch" in current:
        changes["openvswitch"] = openvswitch.plan(current["openvswitch"], openvswitch.wanted(network))
        announcements = bond_announcements.wanted(network)
        changes["bond_announcements"] = bond_announcements.plan(current["bond_announcements"], announcements)
    changes["link_share"] = link_share.plan(current["link_share"], link_share.wanted(network))
    return {layer: change for layer, change in changes.items() if change}


def surplus_segments(current: State, network: Network) -> dict[str, dict[str, Any]]:
    """Give the segments that are there and not in `network`: `{name: {vlan, on, description, occupants}}`."""
    there = dict(networkd.segments(current["networkd"]))
    if "openvswitch" in current:
        there.update(openvswitch.segments(current["openvswitch"]))
    return {name: segment for name, segment in sorted(there.items()) if name not in network["segments"]}


def keep(segments: dict[str, dict[str, Any]], network: Network) -> Network:
    """Give `network` with `segments`, and their VLANs on the uplinks, left as they are.

    One on uplinks that shall go moves to those that are left.
    """
    kept = {
        name: {"vlan": segment["vlan"], "description": segment["description"]} for name, segment in segments.items()
    }
    result = {**network, "segments": {**network["segments"], **kept}}
    there = uplinks.bonds(network)
    for segment in segments.values() if there else ():
        bond = next((bond for bond in there if segment["on"] in (bond.name, bond.bridge)), there[0])
        tagged = sorted({*result[bond.key]["tagged"], segment["vlan"]})
        result[bond.key] = {**result[bond.key], "tagged": tagged}
    return result


def apply(changes: Changes, network: Network) -> None:
    """Make the changes, and wait until the host is as `network` wants it.

    Raises:
        DeviceError: a program refused a change, or the host is still different after a while.
    """
    if "units" in changes:
        services.run("systemctl", "enable", "--quiet", "--now", *changes["units"])
    networkd.apply(changes.get("networkd", {}))
    openvswitch.apply(changes.get("openvswitch", {}))
    bond_announcements.apply(changes.get("bond_announcements", {}))
    link_share.apply(changes.get("link_share", {}), link_share.wanted(network))
    deadline = time.monotonic() + SETTLE_S
    while left := plan(read(network), network):
        if time.monotonic() > deadline:
            raise DeviceError(f"the network is not as wanted {SETTLE_S:.0f} s after the change; still missing: {left}")
        time.sleep(0.05)


def _units(network: Network) -> list[str]:
    return [networkd.UNIT, *([openvswitch.UNIT] if network["backend"] == "openvswitch" else [])]


def _refuse_joined_bonds(network: Network) -> None:
    for key, what in (("members", "port"), ("tagged", "VLAN")):
        shared = Counter(each for bond in uplinks.bonds(network) for each in set(network[bond.key][key]))
        for each in sorted(each for each, count in shared.items() if count > 1):
            raise DeviceError(
                f"network: {what} {each} is in both uplinks and public_uplinks, which nothing may join; "
                "leave it to one of them"
            )


def _refuse_shared_vlans(network: Network) -> None:
    users: dict[int, str] = {}
    for name, item in [*network["segments"].items(), *network["interfaces"].items()]:
        other = users.setdefault(item["vlan"], name)
        if other != name:
            raise DeviceError(
                f"network: {other} and {name} are both VLAN {item['vlan']}; "
                "a host has one interface or segment per VLAN"
            )


def _refuse_share(bond: dict[str, Any]) -> None:
    share = bond.get("share")
    if not share:
        return
    vlan, kept, link = share["vlan"], share["guaranteed_mbit_s"], share["link_mbit_s"]
    if vlan not in bond["tagged"]:
        raise DeviceError(
            f"network.uplinks.share: VLAN {vlan} is not one of uplinks.tagged; add it there, or take the share away"
        )
    if not 0 < kept < link:
        raise DeviceError(
            f"network.uplinks.share: {kept} of {link} Mbit/s leaves one side nothing; give 1 to {link - 1} Mbit/s"
        )
