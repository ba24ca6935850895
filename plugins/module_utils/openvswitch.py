"""The bridges, bonds, trunks, segments and VLAN interfaces of a host, in Open vSwitch.

A state is `{bridges, ports, foreign, occupants}`: `bridges` are `{name: {datapath,
spanning_tree}}`, `ports` those on them that carry podwright's mark, `foreign` names
everything else in the database, `occupants` are the foreign ports with a live
device per VLAN of these bridges (a segment is a VLAN; `ovs-vsctl(8)`, "fake bridge").
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import ovsdb
from ansible_collections.podwright.cloud.plugins.module_utils.errors import DeviceError
from ansible_collections.podwright.cloud.plugins.module_utils.networkd_files import bridge_of, tunnel_link
from ansible_collections.podwright.cloud.plugins.module_utils.uplinks import bond_of, bonds

UNIT = "openvswitch-switch.service"
MARK = "podwright"

# A trunk without VLANs would carry all of them (ovs-vswitchd.conf.db(5), Port.trunks); 4095 is
# reserved (IEEE 802.1Q-2018 table 9-2) and in no frame.
NO_VLAN = [4095]

# In a port: no frame passes between ports that are (ovs-vswitchd.conf.db(5), Port.protected). The uplinks and the
# tunnels are, so that what comes by one of them goes to the machines here and not on to other hosts (split horizon).
PROTECTED = {"protected": True}

# In a port: the queues of its interfaces are others' to make. Open vSwitch takes away those that it has not made, but
# where a port says so (ovs-vswitchd.conf.db(5), QoS, `linux-noop`).
QUEUES_LEFT_ALONE = {"qos": "linux-noop"}

COLUMNS = {
    "Bridge": ["name", "datapath_type", "rstp_enable", "other_config", "external_ids", "ports"],
    "Port": ["name", "tag", "trunks", "interfaces", "fake_bridge", "protected", "external_ids", "qos"],
    "Interface": ["name", "type", "ofport", "ifindex"],
    "QoS": ["type", "external_ids"],
}

# What says where frames go beside these columns, and of a port's options those that do: with IPsec, others are secrets.
_RUNNING = {**COLUMNS, "Port": [*COLUMNS["Port"], "vlan_mode"], "Interface": ["name", "type", "options"]}
_OPTIONS_SHOWN = ("in_key", "key", "local_ip", "out_key", "peer", "remote_ip")

State = dict[str, Any]

NOTHING: State = {"bridges": {}, "ports": {}, "foreign": [], "occupants": {}}


def installed() -> bool:
    """Tell whether the database server runs here."""
    return ovsdb.SOCKET.is_socket()


def read() -> State:
    """Read what Open vSwitch holds, in one request."""
    return parse(ovsdb.select(COLUMNS))


def running() -> dict[str, list[ovsdb.Row]]:
    """Read where frames go in all bridges, podwright's and others: {table: rows}, values as they are on the wire."""
    return without_secrets(ovsdb.rows(_RUNNING))


def without_secrets(rows: dict[str, list[ovsdb.Row]]) -> dict[str, list[ovsdb.Row]]:
    """Leave out of interfaces the options that do not say where frames go."""
    interfaces = [
        {**row, "options": ["map", [pair for pair in row["options"][1] if pair[0] in _OPTIONS_SHOWN]]}
        for row in rows["Interface"]
    ]
    return {**rows, "Interface": interfaces}


def parse(rows: dict[str, list[ovsdb.Row]]) -> State:
    """Read the state out of the rows of the database."""
    interfaces = {row["_uuid"]: row for row in rows["Interface"]}
    bridges = {row["name"]: row for row in rows["Bridge"] if MARK in row["external_ids"]}
    bridge_names = _bridge_names(list(bridges.values()))
    ports = [row for row in rows["Port"] if row["name"] not in bridges]
    marked = [row for row in ports if row["_uuid"] in bridge_names and MARK in row["external_ids"]]
    foreign = [row for row in ports if row not in marked]
    queues = {row["_uuid"]: row["type"] for row in rows["QoS"]}
    return {
        "bridges": {name: _bridge_state(row) for name, row in sorted(bridges.items())},
        "ports": {row["name"]: _port_state(row, interfaces, bridge_names[row["_uuid"]], queues) for row in marked},
        "foreign": sorted(_names(foreign, interfaces)),
        "occupants": _occupants([row for row in foreign if row["_uuid"] in bridge_names], interfaces),
    }


def wanted(network: dict[str, Any]) -> State:
    """Say what Open vSwitch must hold for `network`; nothing, when another backend carries it."""
    if network["backend"] != "openvswitch":
        return {"bridges": {}, "ports": {}}
    ports = dict(_wanted_ports(network))
    bridge = {"datapath": network["datapath"], "spanning_tree": network["spanning_tree"]}
    return {"bridges": dict.fromkeys(sorted({port["bridge"] for port in ports.values()}), bridge), "ports": ports}


def plan(current: State, wanted: State) -> dict[str, Any]:
    """Compare; the changes are what has to be set, null where it has to go.

    Raises:
        DeviceError: a name is taken by something that is not podwright's.
    """
    _refuse_taken_names(current, wanted)
    changes = {part: _differing(current[part], wanted[part]) for part in ("bridges", "ports")}
    return {part: differing for part, differing in changes.items() if differing}


def segments(current: State) -> dict[str, dict[str, Any]]:
    """Give the segments that are there: `{name: {vlan, on, description, occupants}}`, each `on` a bridge."""
    return {
        name: {
            "vlan": port["tag"],
            "on": port["bridge"],
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
    result: list[ovsdb.Operation] = []
    bridges = changes.get("bridges", {})
    for name, bridge in bridges.items():
        result += _bridge_operations(name, bridge, _row(rows["Bridge"], name))
    bridge_names = _bridge_names(rows["Bridge"])
    for name, port in changes.get("ports", {}).items():
        row = _row(rows["Port"], name)
        there = bridge_names.get(row["_uuid"]) if row else None
        if port is not None:
            result += _port_operations(name, port, row, there, rows["Interface"])
        elif row and there and bridges.get(there, {}) is not None:  # else it goes with its bridge
            result += _removal_operations(row, there, rows)
    result += _leftover_queues(changes.get("ports", {}), rows)
    # ovs-vswitchd copies next_cfg to cur_cfg when it has reconfigured itself (ovs-vswitchd.conf.db(5)).
    result.append({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]})
    result.append({"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]})
    return result


def _differing(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    differing = {name: item for name, item in wanted.items() if current.get(name) != item}
    differing.update({name: None for name in current if name not in wanted})
    return dict(sorted(differing.items()))


def _wanted_ports(network: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    tunnels = {name: segment for name, segment in network["segments"].items() if "tunnel" in segment}
    with_tunnels = {_bridge(network, segment) for segment in tunnels.values()}
    for bond in bonds(network):
        uplinks = network[bond.key]
        purpose = bond.key.replace("_", " ")
        port = _port("trunk", purpose, bond.bridge, members=sorted(uplinks["members"]), trunks=_trunks(uplinks))
        port |= PROTECTED if bond.bridge in with_tunnels else {}
        yield bond.name, port | (QUEUES_LEFT_ALONE if uplinks.get("share") else {})
    for name, trunk in network["trunks"].items():
        yield name, _port("trunk", "trunk", bridge_of(trunk), members=[name], trunks=_trunks(trunk))
    for name, segment in network["segments"].items():
        purpose, bridge = segment.get("description") or "segment", _bridge(network, segment)
        yield name, _port("segment", purpose, bridge, members=[name], tag=segment["vlan"])
    for name, segment in tunnels.items():
        link, bridge = tunnel_link(segment["tunnel"]["vni"]), _bridge(network, segment)
        yield link, _port("tunnel", f"{name} in other pods", bridge, members=[link], tag=segment["vlan"]) | PROTECTED
    for name, interface in network["interfaces"].items():
        purpose, bridge = interface.get("description") or "interface", _bridge(network, interface)
        yield name, _port("interface", purpose, bridge, members=[name], tag=interface["vlan"])


def _bridge(network: dict[str, Any], item: dict[str, Any]) -> str:
    """Name the bridge of a segment or an interface: that of the bond with its VLAN, where there are bonds."""
    bond = bond_of(network, item["vlan"])
    return bond.bridge if bond else bridge_of(item)


def _trunks(trunk: dict[str, Any]) -> list[int]:
    return sorted(trunk["tagged"]) or NO_VLAN


def _port(
    kind: str,
    purpose: str,
    bridge: str,
    *,
    members: list[str],
    tag: int | None = None,
    trunks: list[int] | None = None,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "purpose": purpose,
        "bridge": bridge,
        "members": members,
        "tag": tag,
        "trunks": trunks or [],
    }


def _bridge_names(bridges: list[ovsdb.Row]) -> dict[str, str]:
    """Say on which bridge each port is: `{UUID: name}`."""
    return {uuid: bridge["name"] for bridge in bridges for uuid in ovsdb.as_set(bridge["ports"])}


def _row(rows: list[ovsdb.Row], name: str) -> ovsdb.Row | None:
    return next((row for row in rows if row["name"] == name), None)


def _bridge_state(row: ovsdb.Row) -> dict[str, Any]:
    priority = int(row["other_config"].get("rstp-priority", 32768))
    return {
        "datapath": row["datapath_type"] or "system",
        "spanning_tree": {"priority": priority} if row["rstp_enable"] else None,
    }


def _port_state(
    row: ovsdb.Row, interfaces: dict[str, ovsdb.Row], bridge: str, queues: dict[str, str]
) -> dict[str, Any]:
    members = [interfaces[uuid] for uuid in ovsdb.as_set(row["interfaces"])]
    internal = any(member["type"] == "internal" for member in members)
    tag = None if row["tag"] == [] else row["tag"]
    kind = "segment" if row["fake_bridge"] else "interface" if internal else "trunk" if tag is None else "tunnel"
    port = _port(
        kind,
        row["external_ids"][MARK],
        bridge,
        members=sorted(member["name"] for member in members),
        tag=tag,
        trunks=sorted(ovsdb.as_set(row["trunks"])),
    )
    return port | (PROTECTED if row["protected"] else {}) | ({"qos": queues[row["qos"]]} if row["qos"] else {})


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
    names = {name for port in wanted["ports"].values() for name in port["members"]}
    names |= {*wanted["ports"], *wanted["bridges"]}
    taken = sorted(names & set(current["foreign"]))
    if taken:
        raise DeviceError(
            f"Open vSwitch already has {', '.join(taken)} without podwright's mark, and what is foreign is never "
            "touched; remove it with ovs-vsctl del-port or del-br, then run again"
        )


def _bridge_operations(name: str, bridge: dict[str, Any] | None, row: ovsdb.Row | None) -> Iterator[ovsdb.Operation]:
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
    local = {"name": name, "external_ids": _mark("bridge")}
    label = _label(name)
    yield _insertion("Interface", f"local_interface_{label}", {**local, "type": "internal"})
    yield _insertion("Port", f"local_port_{label}", {**local, "interfaces": ["named-uuid", f"local_interface_{label}"]})
    ports = ["named-uuid", f"local_port_{label}"]
    yield _insertion("Bridge", f"bridge_{label}", {"name": name, "ports": ports, **columns})
    yield _mutation("Open_vSwitch", [], "bridges", "insert", [["named-uuid", f"bridge_{label}"]])


def _spanning_tree_options(bridge: dict[str, Any], row: ovsdb.Row | None) -> list[list[str]]:
    options = dict(row["other_config"]) if row else {}
    options.pop("rstp-priority", None)
    if bridge["spanning_tree"]:
        options["rstp-priority"] = str(bridge["spanning_tree"]["priority"])
    return [[key, value] for key, value in sorted(options.items())]


def _port_operations(
    name: str, port: dict[str, Any], row: ovsdb.Row | None, there: str | None, interfaces: list[ovsdb.Row]
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
        "protected": "protected" in port,
        "bond_mode": "active-backup" if len(members) > 1 else ["set", []],
        "external_ids": _mark(port["purpose"]),
    }
    if "qos" in port:
        queues = {"type": port["qos"], "external_ids": _mark(port["purpose"])}
        yield _insertion("QoS", f"qos_{_label(name)}", queues)
        columns["qos"] = ["named-uuid", f"qos_{_label(name)}"]
    elif row and row["qos"]:
        columns["qos"] = ["set", []]
    if row:
        yield {"op": "update", "table": "Port", "where": _same(row), "row": columns}
        reference = ["uuid", row["_uuid"]]
        if there and there != port["bridge"]:
            yield _mutation("Bridge", _named(there), "ports", "delete", [reference])
    else:
        reference = ["named-uuid", f"port_{_label(name)}"]
        yield _insertion("Port", reference[1], {"name": name, **columns})
    if there != port["bridge"]:
        yield _mutation("Bridge", _named(port["bridge"]), "ports", "insert", [reference])


def _removal_operations(row: ovsdb.Row, there: str, rows: dict[str, list[ovsdb.Row]]) -> list[ovsdb.Operation]:
    """Take a port off the bridge; with a segment go the ports of machines that are no more."""
    gone = [row]
    if row["fake_bridge"]:
        interfaces = {interface["_uuid"]: interface for interface in rows["Interface"]}
        bridge_names = _bridge_names(rows["Bridge"])
        gone += [
            port
            for port in rows["Port"]
            if port["tag"] == row["tag"]
            and bridge_names.get(port["_uuid"]) == there
            and MARK not in port["external_ids"]
            and not _is_live(port, interfaces)
        ]
    ports = [["uuid", port["_uuid"]] for port in gone]
    return [_mutation("Bridge", _named(there), "ports", "delete", ports)]


def _leftover_queues(ports: dict[str, Any], rows: dict[str, list[ovsdb.Row]]) -> Iterator[ovsdb.Operation]:
    """Take away our rows of the table QoS that no port needs: unlike ports, they do not go with what names them."""
    needed = {row["qos"] for row in rows["Port"] if row["qos"] and row["name"] not in ports}
    for row in rows["QoS"]:
        if MARK in row["external_ids"] and row["_uuid"] not in needed:
            yield {"op": "delete", "table": "QoS", "where": _same(row)}


def _insertion(table: str, label: str, row: dict[str, Any]) -> ovsdb.Operation:
    return {"op": "insert", "table": table, "uuid-name": label, "row": row}


def _mutation(table: str, where: list[Any], column: str, mutator: str, members: list[Any]) -> ovsdb.Operation:
    return {"op": "mutate", "table": table, "where": where, "mutations": [[column, mutator, ["set", members]]]}


def _same(row: ovsdb.Row) -> list[list[Any]]:
    return [["_uuid", "==", ["uuid", row["_uuid"]]]]


def _named(bridge: str) -> list[list[str]]:
    return [["name", "==", bridge]]


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
