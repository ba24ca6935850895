"""Switches that Open vSwitch makes: the ports of a bridge, by its database.

What the columns mean: ovs-vswitchd.conf.db(5). The bridge has no table of VLANs; their names are kept beside it, and a
port carries those that its row lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from podwright.switches.access import Access
from podwright.switches.ovsdb import Operation, as_map, as_set, map_of, set_of
from podwright.switches.ovsdb_session import BRIDGE, OURS, OvsdbSession
from podwright.switches.state import ALL_VLANS, Change, Port, PortForwarding, SwitchState, applied, difference
from podwright.switches.transaction import commit

NOWHERE = 4095
"""The VLAN of ports that are shut: no frame may have it (IEEE 802.1Q-2018 table 9-2). An empty list would be all."""

VLAN_NAME, DESCRIPTION = "podwright-vlan-", "podwright-description"
EDGE, PATH_COST, PRIORITY = "rstp-port-admin-edge", "rstp-port-path-cost", "rstp-priority"
BRIDGE_COLUMNS = ("name", "external_ids", "other_config")
PORT_COLUMNS = ("name", "vlan_mode", "tag", "trunks", "external_ids", "other_config")
# Open vSwitch has IEEE 802.1Q's names of port states, others those of IEEE 802.1D.
PORT_STATES = {"Discarding": "blocking"}


class Driver:
    """A switch of this platform."""

    def __init__(self, access: Access) -> None:
        self._session = OvsdbSession(access)

    def read(self) -> SwitchState:
        """What the database says."""
        return parse(self.collect())

    def collect(self) -> str:
        """The bridge and its ports, as JSON."""
        bridge, ports = self._session.bridge(BRIDGE_COLUMNS, PORT_COLUMNS)
        return _as_text({"Bridge": [bridge], "Port": ports})

    def forwarding(self) -> dict[str, PortForwarding]:
        """What the ports do."""
        up = {row["name"] for row in self._session.interfaces(("name", "link_state")) if row["link_state"] == "up"}
        _, ports = self._session.bridge(("name",), (*PORT_COLUMNS, "rstp_status"))
        return {row["name"]: _forwarding(row, row["name"] in up) for row in ports}

    def render(self, change: Change, before: SwitchState) -> str:
        """The operations that make the change, and those that take it back."""
        after = applied(change, before)
        back = difference(after, before)
        return _as_text({"do": _operations(change, before), "undo": _operations(back, after)})

    def apply(self, change: Change, before: SwitchState) -> None:
        """Change the database, with a process on the device to change it back."""
        commit(self._session, self.render(change, before), self.read, applied(change, before))

    def close(self) -> None:
        """Log out."""
        self._session.close()


def configuration(state: SwitchState) -> str:
    """The rows of such a bridge and its ports, as JSON in the notation of RFC 7047 section 5.1."""
    names = {f"{VLAN_NAME}{number}": name for number, name in (state.vlans or {}).items()}
    priority = {} if state.priority is None else {PRIORITY: str(state.priority)}
    bridge = {"name": BRIDGE, "external_ids": map_of(names), "other_config": map_of(priority)}
    ports = [{"name": name, **_row(port), **_maps(port)} for name, port in sorted((state.ports or {}).items())]
    return _as_text({"Bridge": [bridge], "Port": ports})


def _as_text(lists: Mapping[str, Iterable[Any]]) -> str:
    """JSON with a line for each row or operation."""
    texts = []
    for name, members in lists.items():
        lines = ",\n".join(f"    {json.dumps(member, sort_keys=True)}" for member in members)
        texts.append(f'  "{name}": [\n{lines}\n  ]' if lines else f'  "{name}": []')
    return "{\n" + ",\n".join(texts) + "\n}\n"


def _row(port: Port) -> dict[str, Any]:
    """The columns that say what a port carries; a port that is shut is alone in a VLAN that no frame has."""
    row: dict[str, Any] = {"vlan_mode": "access", "tag": NOWHERE, "trunks": set_of(), "protected": not port.vlans}
    if port.mode == "trunk":
        row["vlan_mode"] = "native-untagged"
        row["trunks"] = set_of(*sorted(port.vlans or {NOWHERE}))
    if port.untagged is not None:
        row["tag"] = port.untagged
    elif port.tagged:
        row |= {"vlan_mode": "trunk", "tag": set_of()}
    return row


def _maps(port: Port) -> dict[str, Any]:
    """Our keys of the columns in which others have theirs too."""
    description = {DESCRIPTION: port.description} if port.description else {}
    cost = {} if port.path_cost is None else {PATH_COST: str(port.path_cost)}
    edge = {EDGE: "true" if port.edge else "false"}
    return {"external_ids": map_of(description), "other_config": map_of(edge | cost)}


def _operations(change: Change, before: SwitchState) -> Iterator[Operation]:
    """The operations that make a change (RFC 7047 section 5.2); what others keep in the same columns stays."""
    if change.priority is not None:
        yield {"op": "update", "table": "Bridge", "where": OURS, "row": {"rstp_enable": True}}
        yield from _put("Bridge", BRIDGE, "other_config", {PRIORITY: str(change.priority)})
    yield from _put(
        "Bridge", BRIDGE, "external_ids", {f"{VLAN_NAME}{vlan}": name for vlan, name in change.vlans.items()}
    )
    for index, (name, port) in enumerate(change.ports.items()):
        if port is None:
            yield _mutate("Bridge", BRIDGE, [["ports", "delete", set_of(["port", name])]])
        elif name in (before.ports or {}):
            yield {"op": "update", "table": "Port", "where": [["name", "==", name]], "row": _row(port)}
            ids, config = (as_map(column) for column in _maps(port).values())
            yield from _put("Port", name, "external_ids", {DESCRIPTION: ids.get(DESCRIPTION)})
            yield from _put("Port", name, "other_config", {EDGE: config[EDGE], PATH_COST: config.get(PATH_COST)})
        else:
            yield from _insertion(index, name, port)


def _insertion(index: int, name: str, port: Port) -> Iterator[Operation]:
    interfaces = ["named-uuid", f"interface{index}"]
    row = {"name": name, "interfaces": interfaces, **_row(port), **_maps(port)}
    yield {"op": "insert", "table": "Interface", "uuid-name": f"interface{index}", "row": {"name": name}}
    yield {"op": "insert", "table": "Port", "uuid-name": f"port{index}", "row": row}
    yield _mutate("Bridge", BRIDGE, [["ports", "insert", ["named-uuid", f"port{index}"]]])


def _put(table: str, name: str, column: str, pairs: Mapping[str, str | None]) -> Iterator[Operation]:
    """Give keys of a map their values; None takes a key away."""
    if pairs:
        values = {key: value for key, value in pairs.items() if value is not None}
        yield _mutate(table, name, [[column, "delete", set_of(*sorted(pairs))], [column, "insert", map_of(values)]])


def _mutate(table: str, name: str, mutations: list[Any]) -> Operation:
    return {"op": "mutate", "table": table, "where": [["name", "==", name]], "mutations": mutations}


def parse(text: str) -> SwitchState:
    """The state that rows make, as `configuration` renders them or a device tells them."""
    tables = json.loads(text)
    bridge = tables["Bridge"][0]
    names = as_map(bridge["external_ids"]).items()
    priority = as_map(bridge["other_config"]).get(PRIORITY)
    return SwitchState(
        vlans={int(key.removeprefix(VLAN_NAME)): name for key, name in names if key.startswith(VLAN_NAME)},
        ports={row["name"]: _port(row) for row in tables["Port"]},
        priority=None if priority is None else int(priority),
    )


def _port(row: Mapping[str, Any]) -> Port:
    tagged, untagged = _carried(row)
    config = as_map(row["other_config"])
    cost = config.get(PATH_COST)
    return Port(
        mode="access" if _mode(row) == "access" else "trunk",
        tagged=tagged,
        untagged=untagged,
        description=as_map(row["external_ids"]).get(DESCRIPTION, ""),
        edge=config.get(EDGE) == "true",
        path_cost=None if cost is None else int(cost),
    )


def _mode(row: Mapping[str, Any]) -> str:
    """The mode of a port; the default is that of the columns which are not empty."""
    if row["vlan_mode"] != set_of():
        return str(row["vlan_mode"])
    if row["tag"] == set_of():
        return "trunk"
    return "access" if row["trunks"] == set_of() else "native-tagged"


def _carried(row: Mapping[str, Any]) -> tuple[frozenset[int], int | None]:
    """(tagged VLANs, untagged VLAN) of a port."""
    mode, tag = _mode(row), next(iter(as_set(row["tag"])), None)
    if mode == "access":
        return frozenset(), None if tag == NOWHERE else tag
    trunks = frozenset(as_set(row["trunks"])) or ALL_VLANS
    untagged = tag if mode == "native-untagged" else None
    if mode == "native-tagged":
        trunks |= {tag}
    return trunks - {untagged, NOWHERE}, None if untagged == NOWHERE else untagged


def _forwarding(row: Mapping[str, Any], link_up: bool) -> PortForwarding:
    tagged, untagged = _carried(row)
    state = as_map(row["rstp_status"]).get("rstp_port_state", "disabled")
    return PortForwarding(tagged, untagged, link_up, PORT_STATES.get(state, state.lower()))
