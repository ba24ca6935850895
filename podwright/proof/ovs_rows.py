"""The database of Open vSwitch: its bridges as points, and what their ports let pass (ovs-vswitchd.conf.db(5))."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import ovsdb

from podwright.proof.wiring import ALL_VLANS, Overlay, Point, Tunnel, Wiring
from podwright.rendering.linux_network import OVS_DATABASE, TABLES

Row = Mapping[str, Any]


def switch_wiring(device: str, zone: str, files: Mapping[str, str]) -> Wiring:
    """Read the bridges of a device; one without a database has none."""
    wiring = Wiring()
    if OVS_DATABASE not in files:
        return wiring
    tables = dict(zip(TABLES, json.loads(files[OVS_DATABASE]), strict=True))
    rows = {table: list(map(_decoded, result["rows"])) for table, result in tables.items()}
    ports = {row["_uuid"]: row for row in rows["Port"]}
    interfaces = {row["_uuid"]: row for row in rows["Interface"]}
    used = sorted({vlan for port in rows["Port"] for vlan in _named(port)})
    for bridge in rows["Bridge"]:
        for uuid in ovsdb.as_set(bridge["ports"]):
            members = [interfaces[member] for member in ovsdb.as_set(ports[uuid]["interfaces"])]
            _read_port(wiring, Point(device, bridge["name"]), zone, ports[uuid], members, used)
    return wiring


def _read_port(wiring: Wiring, bridge: Point, zone: str, port: Row, members: list[Row], used: Collection[int]) -> None:
    """A port of a bridge; of what stays in the device, only VLANs that some port is told to carry matter."""
    for member in members:
        kind, name, options = member.get("type", ""), str(member["name"]), member.get("options", {})
        within = [(bridge._replace(vlan=vlan), tag) for vlan, tag in _carried(port, used if kind else ALL_VLANS)]
        for inside, tag in within:
            if not kind:
                wiring.open_port(inside, bridge.device, name, tag, leg=len(members) > 1)
            elif kind in ("internal", "patch"):
                wiring.joins.append((inside, Point(bridge.device, name, tag)))
            elif _has_own_vni(member):
                tag = None
                wiring.joins.append((inside, Point(bridge.device, name)))
            if port.get("protected"):
                wiring.isolated.add((inside, Point(bridge.device, name, tag)))
        if kind == "patch":
            peer = str(options.get("peer"))
            wiring.joins += [(Point(bridge.device, name, tag), Point(bridge.device, peer, tag)) for _, tag in within]
        elif _has_own_vni(member):
            _end_tunnel(wiring, Point(bridge.device, name), zone, options)
        elif kind not in ("", "internal"):
            wiring.doubts.append(f"{bridge.device}: port {name} is a tunnel of a kind that the proof cannot follow")


def _end_tunnel(wiring: Wiring, link: Point, zone: str, options: Mapping[str, Any]) -> None:
    """A tunnel takes frames of its peer only (table Interface, `remote_ip`)."""
    overlay, remote = Overlay(zone, int(options["key"])), str(options.get("remote_ip", ""))
    if remote == "flow":
        wiring.doubts.append(f"{link}: its peers are chosen by flows, which the proof cannot follow")
    addresses = frozenset({str(options["local_ip"])} if "local_ip" in options else ())
    wiring.joins.append((link, overlay))
    wiring.tunnels.append(Tunnel(link, overlay, addresses, frozenset({remote}), choosy=True))


def _has_own_vni(interface: Row) -> bool:
    return interface["type"] == "vxlan" and str(interface.get("options", {}).get("key", "")).isdigit()


def _named(port: Row) -> list[int]:
    """The VLANs that a port names."""
    return [*ovsdb.as_set(port.get("trunks", [])), *ovsdb.as_set(port.get("tag", []))]


def _carried(port: Row, every: Collection[int]) -> list[tuple[int | None, int | None]]:
    """(VLAN in the bridge, tag on the port) of what a port lets pass, `every` VLAN where it names none (table Port)."""
    tag = None if port.get("tag", []) == [] else int(port["tag"])
    trunks = sorted(ovsdb.as_set(port.get("trunks", [])))
    mode = port.get("vlan_mode", []) or ("access" if tag is not None else "trunk")
    if mode == "access":
        return [(tag, None)]
    tagged: list[tuple[int | None, int | None]]
    tagged = [(vlan, vlan) for vlan in trunks or every if vlan in ALL_VLANS and vlan != tag]
    if mode == "trunk":
        # Without a list all pass, also frames without a tag; with one, those without a tag count as VLAN 0.
        return [(None, None), *tagged] if not trunks or 0 in trunks else tagged
    return [(tag, None if mode == "native-untagged" else tag), *tagged]


def _decoded(row: Row) -> Row:
    return {column: ovsdb.decoded(value) for column, value in row.items()}
