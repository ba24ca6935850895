"""What is rendered is what modules and drivers themselves would find nothing to change about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import (
    host_network,
    libvirt_domain,
    link_share,
    networkd_files,
    openvswitch,
    ovsdb,
)
from hypothesis import HealthCheck, given, settings

from podwright import plan_files
from podwright.errors import PlanError
from podwright.plan import State, plan
from podwright.rendering import render, rendered_files
from podwright.rendering.cli import note_rendered
from podwright.rendering.linux_network import OVS_DATABASE, TABLES
from podwright.rendering.stage import render_cloud
from podwright.runner import ExitCode, Run
from podwright.switches.driver import find_platform
from podwright.switches.state import from_data
from tests.unit.plan.clouds import Declaration, cloud_of, declare, declare_lab, declared, leases_for
from tests.unit.plan.test_properties import declarations


def states_of(declaration: Declaration) -> dict[str, State]:
    cloud = cloud_of(declaration)
    return plan(cloud, leases_for(cloud))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(declarations())
def test_whoever_reads_it_finds_the_desired_state(declaration: Declaration) -> None:
    for state in states_of(declaration).values():
        files = render(state)
        assert files == render(state)
        if state["kind"] == "pod_switch":
            assert find_platform(state["platform"]).parse(files["running-config"]) == from_data(state["switch"])
        elif state["kind"] != "routing_appliance":
            assert_network(files, dict(state["network"]))
        if state["kind"] == "hypervisor":
            machines = {
                Path(path).stem: libvirt_domain.parse_domain(text)
                for path, text in files.items()
                if path.startswith("etc/libvirt/qemu/")
            }
            assert machines == state["machines"]


def assert_network(files: dict[str, str], network: dict[str, Any]) -> None:
    complete = host_network.complete(network)
    directory = networkd_files.DIRECTORY.lstrip("/")
    found = {Path(path).name: text for path, text in files.items() if path.startswith(directory)}
    assert found == networkd_files.wanted(complete)["files"]
    unit = link_share.wanted(complete)["unit"]
    assert files.get(link_share.UNIT_FILE.lstrip("/")) == unit
    wanted = openvswitch.wanted(complete)
    if network["backend"] == "openvswitch":
        results = json.loads(files[OVS_DATABASE])
        rows = {
            table: [{column: ovsdb.decoded(value) for column, value in row.items()} for row in result["rows"]]
            for table, result in zip(TABLES, results, strict=True)
        }
        # A real server fills in what a transaction leaves out.
        defaults: dict[str, dict[str, Any]] = {
            "Bridge": {},
            "Port": {"tag": [], "trunks": [], "fake_bridge": False, "qos": []},
            "Interface": {"ofport": [], "ifindex": []},
            "QoS": {},
        }
        complete_rows = {table: [defaults[table] | row for row in rows[table]] for table in TABLES}
        current = openvswitch.parse(complete_rows)
        assert openvswitch.plan(current, wanted) == {}
        assert current["foreign"] == []
    else:
        assert OVS_DATABASE not in files


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    return declare_lab(tmp_path)


def test_second_rendering_writes_nothing(cloud_file: Path) -> None:
    first = render_cloud(cloud_file)
    assert first.devices == len([path for path in first.directory.iterdir() if path.is_dir()])
    assert first.changed_files > 50
    times = {file: file.stat().st_mtime_ns for file in first.directory.rglob("*/*") if file.is_file()}
    assert render_cloud(cloud_file).changed_files == 0
    assert times == {file: file.stat().st_mtime_ns for file in times}


def test_rendering_leases_and_plans_nothing(cloud_file: Path, tmp_path: Path) -> None:
    render_cloud(cloud_file)
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"rendered", "plan.lock"}


def test_what_is_no_longer_declared_is_removed(cloud_file: Path) -> None:
    directory = render_cloud(cloud_file).directory
    declaration = declared(cloud_file)
    del declaration["accounts"]["globex"]
    render_cloud(declare(cloud_file, declaration))
    devices = {path.name for path in directory.iterdir() if path.is_dir()}
    assert "globex-east-router" not in devices
    assert "acme-east-router" in devices
    assert not list(directory.rglob("globex-*.xml"))


def test_what_was_changed_by_hand_is_refused(cloud_file: Path) -> None:
    directory = render_cloud(cloud_file).directory
    file = directory / "east-p1-sw1/running-config"
    file.write_text(file.read_text().replace("<trunk-vlans>10<", "<trunk-vlans>101<", 1))
    with pytest.raises(PlanError, match=r"east-p1-sw1/running-config: is missing or not what was rendered; run"):
        rendered_files.check(directory, plan_files.sources_digest(cloud_file))


def test_what_is_of_another_declaration_is_refused(cloud_file: Path) -> None:
    directory = render_cloud(cloud_file).directory
    rendered_files.check(directory, plan_files.sources_digest(cloud_file))
    declare(cloud_file, declared(cloud_file) | {"quarantine_hours": 1})
    with pytest.raises(PlanError, match="was rendered before the inventory changed; run `podwright plan`"):
        rendered_files.check(directory, plan_files.sources_digest(cloud_file))


def test_state_that_a_device_cannot_have_names_the_device(tmp_path: Path) -> None:
    declaration = declared(declare_lab(tmp_path))
    declaration["zones"]["east"]["pods"]["p1"]["pod_switches"]["east-p1-sw1"]["platform"] = "sonic"
    cloud_file = declare(tmp_path / "cloud.yml", declaration)
    with pytest.raises(PlanError, match=r"^east-p1-sw1: ports.swp1: not the name of a port"):
        render_cloud(cloud_file)
    run = Run(completed=True)
    note_rendered(cloud_file, run)
    assert run.exit_code == ExitCode.FAILED
    assert run.failures[0].message.startswith("east-p1-sw1: ports.swp1: ")
