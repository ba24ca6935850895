"""SONiC, over SSH and its `config` command (sonic-utilities), from 202411 on.

The configuration is CONFIG_DB as `sonic-cfggen -d --print-data` prints it: {table: {key: {field: value}}}, of which the
tables in `TABLES` are ours in part (sonic-yang-models: sonic-vlan, sonic-port, sonic-spanning-tree). A change is a JSON
patch (RFC 6902) for `config apply-patch`, made after `config checkpoint`, with a timer of systemd that runs `config
rollback` unless it is stopped in time (SONiC Generic Configuration Update and Rollback, High Level Design).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import jsonpatch

from podwright.errors import DeviceError, PodwrightError, SessionLost
from podwright.switches.access import Access
from podwright.switches.ssh_shell import Shell
from podwright.switches.state import Change, Port, PortForwarding, SwitchState, applied
from podwright.switches.transaction import commit

TABLES = ("PORT", "PORTCHANNEL", "STP", "STP_MST_INST", "STP_PORT", "VLAN", "VLAN_MEMBER")
INSTANCE = "MST_INSTANCE|0"
"""All VLANs are in instance 0, which is the tree that RSTP makes with other bridges (IEEE 802.1Q-2018 13.5)."""

DEFAULT_PRIORITY = 32768
TRIAL = "podwright-trial"
"""Name of the checkpoint, and of the systemd units that go back to it."""

CHANGE = "change the configuration"
READ = "read the running configuration"
Tables = dict[str, dict[str, dict[str, str]]]


def configuration(state: SwitchState) -> str:
    """CONFIG_DB of a switch in this state, as far as podwright configures it.

    Raises:
        PodwrightError: SONiC cannot be in that state; all the reasons.
    """
    mistakes = list(_mistakes(state))
    if mistakes:
        raise PodwrightError("\n".join(mistakes))
    return as_text(overlaid({}, state))


def parse(text: str) -> SwitchState:
    """The state in a CONFIG_DB. A port that is neither in a VLAN nor a switched port is not in it.

    Raises:
        DeviceError: it is no CONFIG_DB.
    """
    tables = load(text)
    tagged, untagged = _members(tables)
    spanning_tree = tables.get("STP_PORT", {})
    ports = {}
    for name, entry in {**tables.get("PORT", {}), **tables.get("PORTCHANNEL", {})}.items():
        if entry.get("mode") in ("access", "trunk") or name in tagged or name in untagged:
            up = entry.get("admin_status") == "up"
            tree = spanning_tree.get(name, {})
            ports[name] = Port(
                mode="access" if entry.get("mode") == "access" else "trunk",
                tagged=frozenset(tagged.get(name, ())) if up else frozenset(),
                untagged=untagged.get(name) if up else None,
                description=entry.get("description", ""),
                edge=tree.get("edge_port") == "true",
                path_cost=int(tree["path_cost"]) if "path_cost" in tree else None,
            )
    vlans = {_vlan_id(name): entry.get("description", "") for name, entry in tables.get("VLAN", {}).items()}
    return SwitchState(dict(sorted(vlans.items())), dict(sorted(ports.items())), _priority(tables))


def load(text: str) -> Tables:
    """The tables of a CONFIG_DB in JSON.

    Raises:
        DeviceError: it is none.
    """
    try:
        tables: Any = json.loads(text)
        if not isinstance(tables, dict):
            raise TypeError("it is no object")
        return {
            table: {key: dict(entry) for key, entry in tables[table].items()} for table in TABLES if table in tables
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise DeviceError(
            f"what should be CONFIG_DB in JSON, {{table: {{key: {{field: value}}}}}}, is not: {error}"
        ) from error


def overlaid(tables: Tables, state: SwitchState) -> Tables:
    """What a CONFIG_DB becomes when its switch is to be in a state: only our fields of our entries change."""
    result = deepcopy(tables)
    _overlay_vlans(result, state.vlans or {})
    _overlay_ports(result, parse(as_text(tables)).ports or {} if tables else {}, state.ports or {})
    if state.priority is not None:
        result.setdefault("STP", {}).setdefault("GLOBAL", {})["mode"] = "mst"
        result.setdefault("STP_MST_INST", {}).setdefault(INSTANCE, {})["bridge_priority"] = str(state.priority)
    return {table: entries for table, entries in sorted(result.items()) if entries}


def patch(tables: Tables, after: SwitchState) -> str:
    """The JSON patch that makes a CONFIG_DB one of a switch in a state."""
    operations: list[dict[str, Any]] = jsonpatch.make_patch(tables, overlaid(tables, after)).patch
    return json.dumps(sorted(operations, key=lambda one: (one["path"], one["op"])), indent=2) + "\n"


def _overlay_vlans(tables: Tables, vlans: Mapping[int, str]) -> None:
    entries = tables.setdefault("VLAN", {})
    wanted = {f"Vlan{vlan}": (vlan, name) for vlan, name in sorted(vlans.items())}
    for key in entries.keys() - wanted.keys():
        del entries[key]
    for key, (vlan, name) in wanted.items():
        entry = entries.setdefault(key, {})
        entry["vlanid"] = str(vlan)
        _put(entry, "description", name)


def _overlay_ports(tables: Tables, current: Mapping[str, Port], wanted: Mapping[str, Port]) -> None:
    members: dict[str, dict[str, str]] = {}
    for name, port in sorted(wanted.items()):
        entry = _table_of(tables, name).setdefault(name, {})
        entry["admin_status"] = "up" if port.vlans else "down"
        entry["mode"] = port.mode
        _put(entry, "description", port.description)
        tree = tables.setdefault("STP_PORT", {}).setdefault(name, {})
        tree["enabled"] = "true"
        tree["edge_port"] = "true" if port.edge else "false"
        _put(tree, "path_cost", "" if port.path_cost is None else str(port.path_cost))
        for vlan in port.tagged:
            members[f"Vlan{vlan}|{name}"] = {"tagging_mode": "tagged"}
        if port.untagged:
            members[f"Vlan{port.untagged}|{name}"] = {"tagging_mode": "untagged"}
    for name in sorted(current.keys() - wanted.keys()):
        entry = _table_of(tables, name)[name]
        entry["admin_status"] = "down"
        _put(entry, "mode", "")
        _put(entry, "description", "")
        tables.get("STP_PORT", {}).pop(name, None)
    tables["VLAN_MEMBER"] = {key: members[key] for key in sorted(members)}


def _put(entry: dict[str, str], field: str, value: str) -> None:
    """Set a field, or take it out where there is nothing to say."""
    if value:
        entry[field] = value
    else:
        entry.pop(field, None)


def _table_of(tables: Tables, port: str) -> dict[str, dict[str, str]]:
    return tables.setdefault("PORTCHANNEL" if port.startswith("PortChannel") else "PORT", {})


def _members(tables: Tables) -> tuple[dict[str, set[int]], dict[str, int]]:
    """({port: tagged VLANs}, {port: untagged VLAN})."""
    tagged: dict[str, set[int]] = {}
    untagged: dict[str, int] = {}
    for key, entry in tables.get("VLAN_MEMBER", {}).items():
        vlan, _, port = key.partition("|")
        if entry.get("tagging_mode") == "tagged":
            tagged.setdefault(port, set()).add(_vlan_id(vlan))
        else:
            untagged[port] = _vlan_id(vlan)
    return tagged, untagged


def _vlan_id(name: str) -> int:
    number = name.removeprefix("Vlan")
    if not number.isdigit():
        raise DeviceError(f"CONFIG_DB has {name!r} where a VLAN such as Vlan10 should be")
    return int(number)


def _priority(tables: Tables) -> int | None:
    if tables.get("STP", {}).get("GLOBAL", {}).get("mode") != "mst":
        return None
    return int(tables.get("STP_MST_INST", {}).get(INSTANCE, {}).get("bridge_priority", DEFAULT_PRIORITY))


def _mistakes(state: SwitchState) -> Iterator[str]:
    if 1 in (state.vlans or {}):
        yield "vlans.1: SONiC has VLANs 2 to 4094 (sonic-vlan.yang); take another id"
    for name in state.ports or {}:
        if not name.removeprefix("Ethernet").isdigit() and not name.removeprefix("PortChannel").isdigit():
            yield f"ports.{name}: not the name of a port; write it as the switch does: Ethernet0"
    for name, port in (state.ports or {}).items():
        if 1 in port.vlans:
            yield f"ports.{name}: VLAN 1 passes it, and SONiC has VLANs 2 to 4094 (sonic-vlan.yang); take another id"


def as_text(tables: Tables) -> str:
    """JSON, sorted and indented by 4: Python's own encoder for that takes ten times as long as this."""
    return _object(((table, _object(_entries(entries), 8)) for table, entries in sorted(tables.items())), 4) + "\n"


def _entries(entries: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for key in sorted(entries):
        entry = entries[key]
        try:
            yield key, _entry(*entry, *entry.values())
        except TypeError:  # some fields that are not ours are lists, which have no hash
            yield key, _entry.__wrapped__(*entry, *entry.values())


@lru_cache(1 << 12, typed=True)  # most of them are that a port carries a VLAN with its tag; 1 is not true
def _entry(*fields_and_values: Any) -> str:
    """An entry, of its fields and then their values in the same order."""
    count = len(fields_and_values) // 2
    entry = dict(zip(fields_and_values[:count], fields_and_values[count:], strict=True))
    return _object([(field, _value(value)) for field, value in sorted(entry.items())], 12)


def _value(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def _object(members: Iterable[tuple[str, str]], indent: int) -> str:
    """An object whose members are texts already."""
    margin = " " * indent
    lines = ",\n".join([f"{margin}{quoted(name)}: {text}" for name, text in members])
    return f"{{\n{lines}\n{margin[4:]}}}" if lines else "{}"


class Driver:
    """A switch of this platform, which is also the `Trial` of a change to it."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._shell = Shell(access)
        self._patch_file = ""

    @property
    def access(self) -> Access:
        """The device."""
        return self._access

    def read(self) -> SwitchState:
        """CONFIG_DB."""
        return parse(self.collect())

    def collect(self) -> str:
        """Our tables of CONFIG_DB: the others have secrets."""
        tables = load(self._shell.run(["sudo", "-n", "sonic-cfggen", "-d", "--print-data"], READ))
        if not tables.get("PORT"):
            raise DeviceError(
                f"{self._access.where}: cannot {READ}: CONFIG_DB has no table PORT, which every switch has; see "
                "whether SONiC has started"
            )
        return as_text(tables)

    def forwarding(self) -> dict[str, PortForwarding] | None:
        """None: SONiC's command for it prints a table for people only."""
        return None

    def render(self, change: Change, before: SwitchState) -> str:
        """The JSON patch that makes a change, as if nothing but ours were in CONFIG_DB."""
        tables = load(configuration(before))
        for name in change.ports:
            _table_of(tables, name).setdefault(name, {})
        return patch(tables, applied(change, before))

    def apply(self, change: Change, before: SwitchState) -> None:
        """Try a change, and make it stay."""
        after = applied(change, before)
        configuration(after)  # refuses what SONiC cannot be
        tables = load(self.collect())
        there = {**tables.get("PORT", {}), **tables.get("PORTCHANNEL", {})}
        for name, port in change.ports.items():
            if port is not None and name not in there:
                has = ", ".join(sorted(there))
                raise DeviceError(f"{self._access.where}: ports.{name}: the switch has no such port; it has {has}")
        commit(self, patch(tables, after), self.read, after)

    def close(self) -> None:
        """Log out."""
        self._shell.close()

    def lock(self) -> None:
        """Refuse while a change of another controller waits for its confirmation."""
        if self._shell.succeeds(["systemctl", "is-active", "--quiet", f"{TRIAL}.timer"], CHANGE):
            raise DeviceError(
                f"{self._access.where}: a change of another controller waits for its confirmation; wait until it is "
                f"done, or until {TRIAL}.timer has taken it back"
            )

    def stage(self, payload: str) -> None:
        """Copy the patch to the switch, and have it checked there."""
        self._patch_file = self._shell.run(["mktemp", "--tmpdir", f"{TRIAL}-XXXXXXXX"], CHANGE).strip()
        self._shell.run(["tee", self._patch_file], CHANGE, payload)
        self._config("apply-patch", "--dry-run", self._patch_file)

    def commit_on_trial(self, timeout_s: int) -> None:
        """Apply the patch after starting the timer; go back at once when it is refused midway."""
        self._config("checkpoint", TRIAL)
        # It would take a minute more if that let timers run together (systemd.timer(5)).
        timer = [f"--unit={TRIAL}", f"--on-active={timeout_s}s", "--timer-property=AccuracySec=100ms"]
        self._shell.run(["sudo", "-n", "systemd-run", *timer, "config", "rollback", TRIAL], CHANGE)
        try:
            self._config("apply-patch", self._patch_file)
        except SessionLost:
            raise
        except DeviceError:
            self.take_back()
            raise

    def probe(self) -> None:
        """Log in over another connection, and out again."""
        self._shell.probe()

    def confirm(self) -> None:
        """Stop the timer, which is gone once it has run out."""
        self._shell.run(["sudo", "-n", "systemctl", "stop", f"{TRIAL}.timer"], "confirm the change")

    def save(self) -> None:
        """Write CONFIG_DB to the file that it is read from at a restart."""
        self._config("save", "-y")

    def take_back(self) -> None:
        """Roll back to the checkpoint; should that fail, the timer tries again."""
        self._config("rollback", TRIAL)
        self.confirm()

    def discard(self) -> None:
        """Remove the patch."""
        self._remove_patch()

    def unlock(self) -> None:
        """Remove the patch."""
        self._remove_patch()

    def abandon(self) -> None:
        """Close the connection: the timer goes on."""
        self._shell.close()

    def _remove_patch(self) -> None:
        name, self._patch_file = self._patch_file, ""
        if name:
            self._shell.run(["rm", "-f", name], "remove the patch")

    def _config(self, *arguments: str) -> None:
        self._shell.run(["sudo", "-n", "config", *arguments], CHANGE)
