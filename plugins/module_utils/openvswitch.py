"""The bridge, bond, trunks, segments and VLAN interfaces of a host, in Open vSwitch.

A state is `{bridge, ports, foreign, occupants}`: `bridge` is null or `{datapath,
spanning_tree}`, `ports` are those that carry podwright's mark, `foreign` names
everything else in the database, `occupants` are the foreign ports with a live
device per VLAN of br0 (a segment is a VLAN; `ovs-vsctl(8)`, "fake bridge").
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import ovsdb
from ansible_collections.podwright.cloud.plugins.module_utils.errors import DeviceError

UNIT = "openvswitch-switch.service"
BRIDGE = "br0"
BOND = "bond0"
MARK = "podwright"

# A trunk without VLANs would carry all of them (ovs-vswitchd.conf.db(5), Port.trunks); 4095 is
# reserved (IEEE 802.1Q-2018 table 9-2) and in no frame.
NO_VLAN = [4095]

COLUMNS = {
    "Bridge": ["name", "datapath_type", "rstp_enable", "other_config", "external_ids", "ports"],
    "Port": ["name", "tag", "trunks", "interfaces", "fake_bridge", "external_ids"],
    "Interface": ["name", "type", "ofport", "ifindex"],
}

State = dict[str, Any]

NOTHING: State = {"bridge": None, "ports": {}, "foreign": [], "occupants": {}}


def installed() -> bool:
    """Tell whether the database server runs here."""
    return ovsdb.SOCKET.is_socket()


def read() -> State:
    """Read what Open vSwitch holds, in one request."""
    return parse(ovsdb.select(COLUMNS))


def parse(rows: dict[str, list[ovsdb.Row]]) -> State:
    """Read the state out of the rows of the database."""
    interfaces = {row["_uuid"]: row for row in rows["Interface"]}
    bridge = _row(rows["Bridge"], BRIDGE)
    ours = bridge is not None and MARK in bridge["external_ids"]
    on_bridge = ovsdb.as_set(bridge["ports"]) if bridge else []
    ports = [row for row in rows["Port"] if row["name"] != BRIDGE]
    marked = [row for row in ports if row["_uuid"] in on_bridge and MARK in row["external_ids"]]
    foreign = [row for row in ports if row not in marked]
    return {
        "bridge": _bridge_state(bridge) if bridge and ours else None,
        "ports": {row["name"]: _port_state(row, interfaces) for row in marked},
        "foreign": sorted(_names(foreign, interfaces) | ({BRIDGE} if bridge and not ours else set())),
        "occupants": _occupants([row for row in foreign if row["_uuid"] in on_bridge], interfaces),
    }


def wanted(network: dict[str, Any]) -> State:
    """Say what Open vSwitch must hold for `network`; nothing, when another backend carries it."""
    if network["backend"] != "openvswitch":
        return {"bridge": None, "ports": {}}
    ports = dict(_wanted_ports(network))
    bridge = {"datapath": network["datapath"], "spanning_tree": network["spanning_tree"]}
    return {"bridge": bridge if ports else None, "ports": ports}


def plan(current: State, wanted: State) -> dict[str, Any]:
    """Compare; the changes are what has to be set, null where it has to go.

    Raises:
        DeviceError: a name is taken by something that is not podwright's.
    """
    _refuse_taken_names(current, wanted)
    changes: dict[str, Any] = {}
    if current["bridge"] != wanted["bridge"]:
        changes["bridge"] = wanted["bridge"]
    ports = {name: port for name, port in wanted["ports"].items() if current["ports"].get(name) != port}
    ports.update({name: None for name in current["ports"] if name not in wanted["ports"]})
    if ports:
        changes["ports"] = dict(sorted(ports.items()))
    return changes


def segments(current: State) -> dict[str, dict[str, Any]]:
    """Give the segments that are there: `{name: {vlan, description, occupants}}`."""
    return {
        name: {
            "vlan": port["tag"],
            "description": port["purpose"],
            "occupants": current["occupants"].get(port["tag"], []),
        }
        for name, port in current["ports"].items()
        if port["kind"] == "segment"
    }


def apply(changes: dict[str, Any]) -> None:
    """Make all changes in one transaction and wait until the switch has taken them."""
    if not changes:
        return
    results = ovsdb.transact(operations(changes, ovsdb.select(COLUMNS)))
    _await_configuration(results[-1]["rows"][0]["next_cfg"])


def operations(changes: dict[str, Any], rows: dict[str, list[ovsdb.Row]]) -> list[ovsdb.Operation]:
    """Write `changes` as operations of OVSDB (RFC 7047 section 5.2) on a database that holds `rows`."""
    result = list(_bridge_operations(changes, _row(rows["Bridge"], BRIDGE)))
    for name, port in changes.get("ports", {}).items():
        row = _row(rows["Port"], name)
        if port is None:
            result += _removal_operations(row, rows) if row else []
        else:
            result += _port_operations(name, port, row, rows["Interface"])
    # ovs-vswitchd copies next_cfg to cur_cfg when it has reconfigured itself (ovs-vswitchd.conf.db(5)).
    result.append({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]})
    result.append({"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]})
    return result


def _wanted_ports(network: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    uplinks = network["uplinks"]
    if uplinks:
        yield BOND, _port("trunk", "uplinks", members=sorted(uplinks["members"]), trunks=_trunks(uplinks))
    for name, trunk in network["trunks"].items():
        yield name, _port("trunk", "trunk", members=[name], trunks=_trunks(trunk))
    for name, segment in network["segments"].items():
        yield name, _port("segment", segment.get("description") or "segment", members=[name], tag=segment["vlan"])
    for name, interface in network["interfaces"].items():
        purpose = interface.get("description") or "interface"
        yield name, _port("interface", purpose, members=[name], tag=interface["vlan"])


def _trunks(trunk: dict[str, Any]) -> list[int]:
    return sorted(trunk["tagged"]) or NO_VLAN


def _port(
    kind: str, purpose: str, *, members: list[str], tag: int | None = None, trunks: list[int] | None = None
) -> dict[str, Any]:
    return {"kind": kind, "purpose": purpose, "members": members, "tag": tag, "trunks": trunks or []}


def _row(rows: list[ovsdb.Row], name: str) -> ovsdb.Row | None:
    return next((row for row in rows if row["name"] == name), None)


def _bridge_state(row: ovsdb.Row) -> dict[str, Any]:
    priority = int(row["other_config"].get("rstp-priority", 32768))
    return {
        "datapath": row["datapath_type"] or "system",
        "spanning_tree": {"priority": priority} if row["rstp_enable"] else None,
    }


def _port_state(row: ovsdb.Row, interfaces: dict[str, ovsdb.Row]) -> dict[str, Any]:
    members = [interfaces[uuid] for uuid in ovsdb.as_set(row["interfaces"])]
    internal = any(member["type"] == "internal" for member in members)
    kind = "segment" if row["fake_bridge"] else "interface" if internal else "trunk"
    return _port(
        kind,
        row["external_ids"][MARK],
        members=sorted(member["name"] for member in members),
        tag=None if row["tag"] == [] else row["tag"],
        trunks=sorted(ovsdb.as_set(row["trunks"])),
    )


def _names(ports: list[ovsdb.Row], interfaces: dict[str, ovsdb.Row]) -> set[str]:
    members = {interfaces[uuid]["name"] for port in ports for uuid in ovsdb.as_set(port["interfaces"])}
    return members | {port["name"] for port in ports}


def _occupants(ports: list[ovsdb.Row], interfaces: dict[str, ovsdb.Row]) -> dict[int, list[str]]:
    occupants: dict[int, list[str]] = {}
    for port in sorted(ports, key=lambda row: str(row["name"])):
        if port["tag"] != [] and _is_live(port, interfaces):
            occupants.setdefault(port["tag"], []).append(port["name"])
    return occupants


def _is_live(port: ovsdb.Row, interfaces: dict[str, ovsdb.Row]) -> bool:
    """Tell whether a port has a device: a machine that was killed leaves one without.

    The device is gone (ifindex 0), or was when the port was opened (ofport -1; ovs-vswitchd.conf.db(5), Interface).
    """
    members = [interfaces[uuid] for uuid in ovsdb.as_set(port["interfaces"])]
    return any(member["ofport"] != -1 and member["ifindex"] != 0 for member in members)


def _refuse_taken_names(current: State, wanted: State) -> None:
    names = {name for port in wanted["ports"].values() for name in port["members"]} | set(wanted["ports"])
    if wanted["bridge"]:
        names.add(BRIDGE)
    taken = sorted(names & set(current["foreign"]))
    if taken:
        raise DeviceError(
            f"Open vSwitch already has {', '.join(taken)} without podwright's mark, and what is foreign is never "
            "touched; remove it with ovs-vsctl del-port or del-br, then run again"
        )


def _bridge_operations(changes: dict[str, Any], row: ovsdb.Row | None) -> Iterator[ovsdb.Operation]:
    if "bridge" not in changes:
        return
    bridge = changes["bridge"]
    if bridge is None:
        if row:
            yield _mutation("Open_vSwitch", [], "bridges", "delete", [["uuid", row["_uuid"]]])
        return
    columns = {
        "datapath_type": bridge["datapath"],
        "rstp_enable": bridge["spanning_tree"] is not None,
        "other_config": ["map", _spanning_tree_options(bridge, row)],
        "external_ids": _mark("bridge"),
    }
    if row:
        yield {"op": "update", "table": "Bridge", "where": _same(row), "row": columns}
        return
    local = {"name": BRIDGE, "external_ids": _mark("bridge")}
    yield _insertion("Interface", "local_interface", {**local, "type": "internal"})
    yield _insertion("Port", "local_port", {**local, "interfaces": ["named-uuid", "local_interface"]})
    yield _insertion("Bridge", "bridge", {"name": BRIDGE, "ports": ["named-uuid", "local_port"], **columns})
    yield _mutation("Open_vSwitch", [], "bridges", "insert", [["named-uuid", "bridge"]])


def _spanning_tree_options(bridge: dict[str, Any], row: ovsdb.Row | None) -> list[list[str]]:
    options = dict(row["other_config"]) if row else {}
    options.pop("rstp-priority", None)
    if bridge["spanning_tree"]:
        options["rstp-priority"] = str(bridge["spanning_tree"]["priority"])
    return [[key, value] for key, value in sorted(options.items())]


def _port_operations(
    name: str, port: dict[str, Any], row: ovsdb.Row | None, interfaces: list[ovsdb.Row]
) -> Iterator[ovsdb.Operation]:
    members: list[list[str]] = []
    for number, member in enumerate(port["members"]):
        existing = _row(interfaces, member)
        if existing:
            members.append(["uuid", existing["_uuid"]])
            continue
        label = f"interface_{_label(name)}_{number}"
        kind = "internal" if port["kind"] in ("segment", "interface") else ""
        yield _insertion("Interface", label, {"name": member, "type": kind, "external_ids": _mark(port["purpose"])})
        members.append(["named-uuid", label])
    columns = {
        "interfaces": ["set", members],
        "tag": ["set", []] if port["tag"] is None else port["tag"],
        "trunks": ["set", port["trunks"]],
        "fake_bridge": port["kind"] == "segment",
        "bond_mode": "active-backup" if len(members) > 1 else ["set", []],
        "external_ids": _mark(port["purpose"]),
    }
    if row:
        yield {"op": "update", "table": "Port", "where": _same(row), "row": columns}
        return
    label = f"port_{_label(name)}"
    yield _insertion("Port", label, {"name": name, **columns})
    yield _mutation("Bridge", [["name", "==", BRIDGE]], "ports", "insert", [["named-uuid", label]])


def _removal_operations(row: ovsdb.Row, rows: dict[str, list[ovsdb.Row]]) -> list[ovsdb.Operation]:
    """Take a port off the bridge; with a segment go the ports of machines that are no more."""
    gone = [row]
    if row["fake_bridge"]:
        interfaces = {interface["_uuid"]: interface for interface in rows["Interface"]}
        on_bridge = ovsdb.as_set(next(bridge["ports"] for bridge in rows["Bridge"] if bridge["name"] == BRIDGE))
        gone += [
            port
            for port in rows["Port"]
            if port["tag"] == row["tag"]
            and port["_uuid"] in on_bridge
            and MARK not in port["external_ids"]
            and not _is_live(port, interfaces)
        ]
    ports = [["uuid", port["_uuid"]] for port in gone]
    return [_mutation("Bridge", [["name", "==", BRIDGE]], "ports", "delete", ports)]


def _insertion(table: str, label: str, row: dict[str, Any]) -> ovsdb.Operation:
    return {"op": "insert", "table": table, "uuid-name": label, "row": row}


def _mutation(table: str, where: list[Any], column: str, mutator: str, members: list[Any]) -> ovsdb.Operation:
    return {"op": "mutate", "table": table, "where": where, "mutations": [[column, mutator, ["set", members]]]}


def _same(row: ovsdb.Row) -> list[list[Any]]:
    return [["_uuid", "==", ["uuid", row["_uuid"]]]]


def _mark(purpose: str) -> list[Any]:
    return ["map", [[MARK, purpose]]]


def _label(name: str) -> str:
    """Write a name as an <id> of RFC 7047 section 3.1."""
    return "".join(character if character.isalnum() else "_" for character in name)


def _await_configuration(number: int) -> None:
    deadline = time.monotonic() + ovsdb.TIMEOUT_S
    while ovsdb.select({"Open_vSwitch": ["cur_cfg"]})["Open_vSwitch"][0]["cur_cfg"] < number:
        if time.monotonic() > deadline:
            raise DeviceError(
                f"ovs-vswitchd did not take configuration {number} within {ovsdb.TIMEOUT_S:.0f} s; "
                f"see journalctl -u {UNIT} and run again"
            )
        time.sleep(0.01)
    _refuse_dead_ports()


def _refuse_dead_ports() -> None:
    rows = ovsdb.select({"Interface": ["name", "error", "external_ids"]})["Interface"]
    errors = [str(row["error"]) for row in rows if MARK in row["external_ids"] and row["error"]]
    if errors:
        raise DeviceError(f"Open vSwitch could not open a port: {'; '.join(sorted(errors))}; check the cables' names")
