"""The modules vlan_allocation and guest_subnet, run by ansible-playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from podwright.allocation import allocate
from tests.unit.allocation.declaration import account, cloud, leases

ROOT = Path(__file__).parents[3]


class Played(NamedTuple):
    """What ansible-playbook said."""

    results: list[dict[str, Any]]
    """of each task, up to the first that failed"""
    output: str


def play(directory: Path, *tasks: dict[str, Any], check: bool = False) -> Played:
    book = directory / "play.yml"
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]))
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "-i", "localhost,", "-c", "local", "--diff", str(book), *(["--check"] if check else [])]
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_NOCOLOR": "1",
    }
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "WARNING" not in run.stdout + run.stderr
    decoder = json.JSONDecoder()
    results = [decoder.raw_decode("{" + rest)[0] for rest in run.stdout.split("=> {")[1:]]
    return Played(results, run.stdout)


def vlans(directory: Path, *accounts: str, **options: Any) -> dict[str, Any]:
    defaults = {"database": str(directory / "leases.db"), "zone": "east", "pod": "p1", "ranges": ["101-103"]}
    return {"podwright.cloud.vlan_allocation": defaults | {"accounts": list(accounts)} | options}


def subnets(directory: Path, *accounts: str, **options: Any) -> dict[str, Any]:
    defaults = {"database": str(directory / "leases.db"), "zone": "east", "networks": ["172.16.0.0/22"]}
    return {"podwright.cloud.guest_subnet": defaults | {"accounts": list(accounts)} | options}


def test_check_mode_returns_what_the_run_returns_and_makes_no_file(tmp_path: Path) -> None:
    tasks = (vlans(tmp_path, "globex", "acme"), subnets(tmp_path, "globex", "acme", fixed={"globex": "172.16.0.0/24"}))
    previewed = play(tmp_path, *tasks, check=True)
    assert not (tmp_path / "leases.db").exists()

    ran = play(tmp_path, *tasks)

    assert previewed == ran
    assert ran.results == [
        {"changed": True, "leases": {"acme": 101, "globex": 102}},
        {"changed": True, "leases": {"acme": "172.16.1.0/24", "globex": "172.16.0.0/24"}},
    ]
    for line in (
        "+guest_vlan east/p1 101 acme/default guest_network",
        "+guest_vlan east/p1 102 globex/default guest_network",
        "+guest_subnet east 172.16.0.0/24 globex/default guest_network",
        "+guest_subnet east 172.16.1.0/24 acme/default guest_network",
    ):
        assert line in ran.output
    assert [result["changed"] for result in play(tmp_path, *tasks).results] == [False, False]


def test_a_value_that_was_given_up_rests_before_another_gets_it(tmp_path: Path) -> None:
    steps = (
        vlans(tmp_path, "acme"),
        vlans(tmp_path, "acme", state="absent"),
        vlans(tmp_path, "acme", state="absent"),
        vlans(tmp_path, "globex"),
        vlans(tmp_path, "globex", state="absent", quarantine_hours=0),
        vlans(tmp_path, "initech"),
        vlans(tmp_path, "acme"),
    )
    assert play(tmp_path, *steps).results == [
        {"changed": True, "leases": {"acme": 101}},
        {"changed": True, "leases": {}},
        {"changed": False, "leases": {}},
        {"changed": True, "leases": {"globex": 102}},
        {"changed": True, "leases": {}},
        {"changed": True, "leases": {"initech": 102}},
        {"changed": True, "leases": {"acme": 101}},
    ]


def test_an_empty_pool_fails_and_gives_nothing_to_anyone(tmp_path: Path) -> None:
    [result] = play(tmp_path, vlans(tmp_path, "a", "b", "c", "d")).results
    assert result == {
        "changed": False,
        "msg": "ranges: pool guest_vlan of pod p1 in zone east has no VLAN id left for network default of account d; "
        "it has 3 in all; extend ranges, or take holders away",
    }
    assert leases(tmp_path / "leases.db") == []


def test_wrong_ranges_and_subnets_are_refused(tmp_path: Path) -> None:
    [result] = play(tmp_path, vlans(tmp_path, "acme", ranges=["9-5", "4095"])).results
    remedy = "a range of VLAN ids; give one VLAN id or two joined by a hyphen, the lower first, of 1 to 4094"
    assert result["msg"] == f"ranges: 9-5 is not {remedy}\nranges: 4095 is not {remedy}"
    [result] = play(tmp_path, subnets(tmp_path, "acme", fixed={"acme": "172.16.0.0/25"})).results
    assert result["msg"] == "fixed: 172.16.0.0/25 is not a subnet; give one such as 10.1.1.0/24"


def test_a_cloud_s_lease_can_be_looked_up_but_not_given_up(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account()}), preview=False)
    looked_up, given_up = play(
        tmp_path, vlans(tmp_path, "acme", ranges=[]), vlans(tmp_path, "acme", state="absent")
    ).results
    assert looked_up == {"changed": False, "leases": {"acme": 101}}
    assert given_up["msg"] == (
        "accounts: 101 of network default of account acme belongs to cloud lab; "
        "take the guest network out of its inventory instead"
    )
