from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import (
    bond_announcements,
    change_marker,
    difference,
    host_network,
    link_share,
    networkd,
    networkd_files,
    openvswitch,
)

CASES = Path(__file__).parents[2] / "cases" / "host_network"
GOLDEN = CASES / "golden"
NETWORKS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CASES / "networks").glob("*.yml"))}


@pytest.mark.parametrize("file", sorted(set(CASES.glob("*.yml"))), ids=lambda file: file.stem)
def test_changes(file: Path) -> None:
    case = yaml.safe_load(file.read_text())
    current = drifted(state_of(network(case["had"], case.get("had_with", {}))), case.get("drift", {}))
    if "error" in case:
        with pytest.raises(RuntimeError) as error:
            changes_of(case, current)
        assert str(error.value) == case["error"]
        return
    changes, busy = changes_of(case, current)
    assert changes == case["changes"]
    assert busy == case.get("busy", {})


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_files_of_networkd(name: str) -> None:
    files = networkd_files.wanted(host_network.complete(NETWORKS[name]))["files"]
    assert files == {path.name: path.read_text() for path in sorted((GOLDEN / name).glob("50-podwright-*"))}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_unit_that_makes_queues(name: str) -> None:
    golden = GOLDEN / name / link_share.UNIT
    text = link_share.wanted(host_network.complete(NETWORKS[name]))["unit"]
    assert text == (golden.read_text() if golden.exists() else None)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_unit_that_drops_announcements(name: str) -> None:
    golden = GOLDEN / name / bond_announcements.UNIT
    text = bond_announcements.wanted(host_network.complete(NETWORKS[name]))["unit"]
    assert text == (golden.read_text() if golden.exists() else None)


@pytest.mark.parametrize("name", [name for name, network in NETWORKS.items() if network["backend"] == "openvswitch"])
def test_operations_on_an_empty_database(name: str) -> None:
    empty: dict[str, list[Any]] = {"Bridge": [], "Port": [], "Interface": [], "QoS": []}
    changes = openvswitch.plan(openvswitch.parse(empty), openvswitch.wanted(host_network.complete(NETWORKS[name])))
    operations = openvswitch.operations(changes, empty)
    assert operations == json.loads((GOLDEN / name / "operations.json").read_text())


def test_open_vswitch_reads_back_what_was_written() -> None:
    """The rows are those of a hypervisor that was given the network, with a live and a dead port in guest101."""
    rows = json.loads((CASES / "recorded" / "ovsdb-rows.json").read_text())
    state = openvswitch.parse(rows)
    wanted = openvswitch.wanted(host_network.complete(NETWORKS["hypervisor-in-two-pods"]))
    assert openvswitch.plan(state, wanted) == {}
    assert state["occupants"] == {101: ["pw-00000001"]}
    assert state["foreign"] == ["pw-00000001", "pw-00000002"]


def test_removal_takes_dead_ports_with_the_segment_and_leaves_live_ones() -> None:
    rows = json.loads((CASES / "recorded" / "ovsdb-rows.json").read_text())
    uuid_of = {port["name"]: port["_uuid"] for port in rows["Port"]}
    first = openvswitch.operations({"ports": {"guest101": None}}, rows)[0]
    gone = [uuid for _, uuid in first["mutations"][0][2][1]]
    assert gone == [uuid_of["guest101"], uuid_of["pw-00000002"]]


def test_networkd_reads_addresses_links_and_routes() -> None:
    links = json.loads((CASES / "recorded" / "ip-address.json").read_text())
    routes = json.loads((CASES / "recorded" / "ip-route.json").read_text())
    wanted = networkd_files.wanted(host_network.complete(NETWORKS["zone-switch"]))
    state = networkd.parse(wanted["files"], links, routes, [], [])
    assert networkd.plan(state | {"in_force": True}, wanted) == {}
    assert state["routes"] == {"0.0.0.0/0": "198.51.100.254"}
    assert "eth0" not in state["addresses"]


def test_networkd_reads_tunnels_and_their_other_ends() -> None:
    links = json.loads((CASES / "recorded" / "hypervisor-ip-address.json").read_text())
    peers = json.loads((CASES / "recorded" / "bridge-fdb.json").read_text())
    wanted = networkd_files.wanted(host_network.complete(NETWORKS["hypervisor-in-two-pods"]))
    state = networkd.parse(wanted["files"], links, [], [], peers)
    assert state["tunnels"] == wanted["tunnels"]
    assert "vxlan5001" not in state["links"]


def test_an_address_on_a_link_that_is_down_is_lost() -> None:
    links = json.loads((CASES / "recorded" / "ip-address.json").read_text())
    wanted = networkd_files.wanted(host_network.complete(NETWORKS["zone-switch"]))
    vlan10 = next(link for link in links if link["ifname"] == "vlan10")
    vlan10["flags"].remove("UP")
    state = networkd.parse(wanted["files"], links, [], [], [])
    changes = networkd.plan({**state, "in_force": True}, wanted)
    assert changes["addresses"] == {"vlan10": wanted["addresses"]["vlan10"]}


def test_networkd_reads_which_vlans_the_trunks_carry() -> None:
    """Recorded of a switch that was given the network; `guest101` is a bridge with a VLAN table that means nothing."""
    links = json.loads((CASES / "recorded" / "linux-ip-address.json").read_text())
    vlans = json.loads((CASES / "recorded" / "linux-bridge-vlan.json").read_text())
    wanted = networkd_files.wanted(host_network.complete(NETWORKS["zone-switch-linux"]))
    routes = [{"dst": "default", "gateway": "198.51.100.254"}]
    untagged = {"vlan": 1, "flags": ["PVID", "Egress Untagged"]}
    state = networkd.parse(wanted["files"], links, routes, [*vlans, {"ifname": "guest101", "vlans": [untagged]}], [])
    assert networkd.plan(state | {"in_force": True}, wanted) == {}
    vlans[0]["vlans"].append(untagged)
    state = networkd.parse(wanted["files"], links, routes, vlans, [])
    assert state["vlans"][vlans[0]["ifname"]] == ["10", "30", "1 PVID Egress Untagged"]


@pytest.mark.parametrize(
    ("wants", "deleted"),
    [
        ("hypervisor-linux", ["bond1", "infra10", "infra30", "vlan40", "bond0.10", "vxlan5001"]),
        ("zone-switch-linux", ["bond0", "bond1", "guest101", "infra10", "infra30", "vxlan5001"]),
    ],
)
def test_links_that_go_with_others_are_not_deleted_twice(wants: str, deleted: list[str]) -> None:
    current = state_of(network("hypervisor-with-public-uplinks-linux", {}))["networkd"]
    changes = networkd.plan(current, networkd_files.wanted(host_network.complete(NETWORKS[wants])))
    assert sorted(networkd.to_delete(changes, current)) == sorted(deleted)


def test_a_run_that_ends_before_networkd_is_told_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_marker, "DIRECTORY", str(tmp_path / "markers"))
    monkeypatch.setattr(networkd, "DIRECTORY", str(tmp_path / "network"))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ip").symlink_to(str(shutil.which("ip")))
    monkeypatch.setenv("PATH", str(programs))  # where no networkctl is, so that the run ends before it
    wanted = networkd_files.wanted(host_network.complete(NETWORKS["hypervisor"]))
    assert networkd.read()["in_force"]

    with pytest.raises(FileNotFoundError):
        networkd.apply({"files": wanted["files"]})

    state = networkd.read()
    assert state["files"] == wanted["files"]
    assert networkd.plan(state, wanted)["in_force"] is True


def test_difference_shows_only_what_changes_and_files_as_they_are() -> None:
    current = {"files": {"a": "old\n\nend\n", "b": "same\n"}, "ports": {}}
    changes = {"files": {"a": "new\n\nend\n"}, "ports": {"bond0": {"trunks": [20, 101]}}}
    shown = difference.between(current, changes)
    assert yaml.safe_load(shown["before"]) == {"files": {"a": "old\n\nend\n"}, "ports": {"bond0": None}}
    assert yaml.safe_load(shown["after"]) == changes


def network(name: str, change: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = patched(deepcopy(NETWORKS[name]), change)
    return result


def state_of(given: dict[str, Any]) -> dict[str, Any]:
    """Say how a host reads that has just been given a network."""
    given = host_network.complete(given)
    units = {networkd.UNIT: True}
    state: dict[str, Any] = {"networkd": networkd_files.wanted(given) | {"in_force": True, "occupants": {}}}
    if given["backend"] == "openvswitch":
        state["openvswitch"] = openvswitch.wanted(given) | {"foreign": [], "occupants": {}}
        state["bond_announcements"] = bond_announcements.NOTHING | bond_announcements.wanted(given)
        units[openvswitch.UNIT] = True
    return state | {"units": units, "link_share": link_share.wanted(given)}


def drifted(state: dict[str, Any], drift: dict[str, Any]) -> dict[str, Any]:
    """Patch a state; what a state always says reads as null when it is gone."""
    result: dict[str, Any] = patched(state, drift)
    if "openvswitch" in result:
        result["openvswitch"].setdefault("bridges", {})
    for link in result["networkd"]["links"].values():
        link.setdefault("master", None)
    return result


def changes_of(case: dict[str, Any], current: dict[str, Any]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    wanted = host_network.complete(network(case.get("wants", case["had"]), case.get("with", {})))
    surplus = host_network.surplus_segments(current, wanted)
    busy = {name: segment for name, segment in surplus.items() if segment["occupants"]}
    kept = busy if case.get("remove", True) else surplus
    changes = host_network.plan(current, host_network.keep(kept, wanted))
    return changes, {name: segment["occupants"] for name, segment in busy.items()}


def patched(target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result
