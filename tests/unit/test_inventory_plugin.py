"""The inventory plugin: hosts, groups and few variables; or a refusal that nobody overlooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible_collections.podwright.cloud.plugins.inventory.podwright import InventoryModule

from tests.unit.model.test_source import BASE, write

ROOT = Path(__file__).parents[2]


def parse(path: Path) -> InventoryData:
    inventory = InventoryData()
    InventoryModule().parse(inventory, DataLoader(), str(path))
    inventory.reconcile_inventory()
    return inventory


def ansible_inventory(
    path: Path, *arguments: str, configuration: Path = ROOT / "ansible.cfg"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", path, *arguments],
        env={**os.environ, "ANSIBLE_CONFIG": str(configuration)},
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def inventory(tmp_path: Path) -> InventoryData:
    return parse(write({}, tmp_path))


def members(inventory: InventoryData, group: str) -> list[str]:
    return sorted(host.name for host in inventory.groups[group].get_hosts())


@pytest.mark.parametrize(
    "group, hosts",
    [
        ("zone_switches", ["east-z1", "east-z2", "west-z1"]),
        ("pod_switches", ["east-p1-s1", "east-p1-s2", "east-p2-s1", "west-p1-s1"]),
        ("storage_servers", ["east-p1-n1", "east-p2-n1", "west-p1-n1"]),
        ("hypervisors", ["east-p1-h1", "east-p1-h2", "east-p2-h1", "west-p1-h1"]),
        ("routing_appliances", ["acme-east-router", "acme-west-router", "globex-east-router"]),
        ("zone_west", ["acme-west-router", "west-p1-h1", "west-p1-n1", "west-p1-s1", "west-z1"]),
        ("pod_east_p2", ["east-p2-h1", "east-p2-n1", "east-p2-s1", "globex-east-router"]),
        ("account_acme", ["acme-east-router", "acme-west-router"]),
        ("ungrouped", []),
    ],
)
def test_groups(inventory: InventoryData, group: str, hosts: list[str]) -> None:
    assert members(inventory, group) == hosts


def test_a_device_has_its_management_address_and_nothing_else(inventory: InventoryData) -> None:
    variables = inventory.hosts["east-p1-h1"].vars
    assert {key for key in variables if not key.startswith("inventory_")} == {"ansible_host"}
    assert variables["ansible_host"] == "10.64.1.31"


def test_an_appliance_takes_its_address_from_its_state(inventory: InventoryData) -> None:
    assert "ansible_host" not in inventory.hosts["acme-east-router"].vars
    assert inventory.groups["routing_appliances"].vars == {
        "ansible_host": "{{ podwright_state.reached_at | default(podwright_state.management_address) }}"
    }


def test_behind_a_firewall_a_device_has_the_address_that_stands_for_its_own(tmp_path: Path) -> None:
    case = yaml.safe_load((ROOT / "tests/cases/inventories/good/firewall.yml").read_text())
    inventory = parse(write(case, tmp_path))
    found = {name: inventory.hosts[name].vars["ansible_host"] for name in ("west-f1", "west-p1-h1", "east-p1-h1")}
    assert found == {"west-f1": "10.255.0.12", "west-p1-h1": "10.202.1.31", "east-p1-h1": "10.64.1.31"}
    assert members(inventory, "firewalls") == ["west-f1"]


def test_every_host_knows_the_declaration_and_its_plan(inventory: InventoryData, tmp_path: Path) -> None:
    variables = inventory.groups["all"].vars
    assert variables["podwright_cloud_file"] == str(tmp_path / "cloud.yml")
    assert variables["podwright_state_directory"] == str(tmp_path / ".podwright")


def test_only_cloud_yml_is_a_declaration(tmp_path: Path) -> None:
    path = write({"files": {"hosts.yml": "all: {}"}}, tmp_path)
    assert InventoryModule().verify_file(str(path))
    assert not InventoryModule().verify_file(str(tmp_path / "hosts.yml"))
    assert not InventoryModule().verify_file(str(tmp_path / "none" / "cloud.yml"))


def test_a_wrong_declaration_is_refused_with_every_mistake(tmp_path: Path) -> None:
    changes = [{"old": "vcpus: 1", "new": "vcpu: 1"}, {"old": "10.65.2.0/24", "new": "10.65.2.0/33"}]
    with pytest.raises(AnsibleParserError) as refused:
        parse(write({"replace": changes}, tmp_path))
    assert "offerings.small.vcpu: vcpu is not a key of an offering; write vcpus" in str(refused.value)
    assert "storage.subnet: 10.65.2.0/33 is not a network; give a prefix length of 0 to 32" in str(refused.value)


def test_ansible_fails_on_a_wrong_declaration(tmp_path: Path) -> None:
    result = ansible_inventory(write({"replace": [{"old": "vcpus: 1", "new": "vcpu: 1"}]}, tmp_path), "--list")
    assert result.returncode != 0
    assert "cloud.yml:10: offerings.small.vcpu: vcpu is not a key of an offering; write vcpus" in result.stderr


def test_ansible_finds_the_plugin_without_our_configuration(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {ROOT / 'collections'}\n", encoding="utf-8")
    result = ansible_inventory(write({}, tmp_path), "--host", "east-z1", configuration=tmp_path / "ansible.cfg")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["ansible_host"] == "10.64.0.11"


def test_ansible_lists_plain_values_without_a_warning(tmp_path: Path) -> None:
    path = write({}, tmp_path)
    result = ansible_inventory(path, "--list")
    assert (result.returncode, result.stderr) == (0, "")
    hosts: dict[str, Any] = json.loads(result.stdout)["_meta"]["hostvars"]
    assert len(hosts) == 17
    assert {key: value for key, value in hosts["east-z1"].items() if key != "ansible_local"} == {
        "ansible_host": "10.64.0.11",
        "podwright_cloud_file": str(path),
        "podwright_state": "{{ lookup('podwright.cloud.desired_state', inventory_hostname) }}",
        "podwright_state_directory": str(tmp_path / ".podwright"),
    }


def test_ten_thousand_hosts_are_read_in_seconds(tmp_path: Path) -> None:
    accounts = {f"account{number}": {"guest_networks": {"default": {"zone": "west"}}} for number in range(10_000)}
    files = {"cloud.d/accounts.yml": yaml.safe_dump({"accounts": accounts})}
    path = write({"text": BASE.replace("capacity_gib: 1000", "capacity_gib: 200000"), "files": files}, tmp_path)
    started = time.process_time()
    assert len(members(parse(path), "routing_appliances")) == 10_003
    assert time.process_time() - started < 15
