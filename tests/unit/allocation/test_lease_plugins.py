"""The modules public_address and lease_info and the lookup lease, run by ansible-playbook."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from podwright.allocation import allocate
from podwright.model import load
from tests.unit.allocation.declaration import NOW, account, cloud
from tests.unit.allocation.test_allocation_modules import play, vlans

ROOT = Path(__file__).parents[3]


def addresses(directory: Path, *holders: str, **options: Any) -> dict[str, Any]:
    defaults = {"database": str(directory / "leases.db"), "zone": "east"}
    task = {"podwright.cloud.public_address": defaults | {"holders": list(holders)} | options}
    return task | {"ignore_errors": True}


def info(directory: Path, **options: Any) -> dict[str, Any]:
    return {"podwright.cloud.lease_info": {"database": str(directory / "leases.db")} | options}


def looked_up(directory: Path, *holders: str, **options: Any) -> dict[str, Any]:
    given = {"database": str(directory / "leases.db")} | options
    arguments = ", ".join([repr(each) for each in holders] + [f"{name}={value!r}" for name, value in given.items()])
    template = "{{ query('podwright.cloud.lease', " + arguments + ") }}"
    return {"ansible.builtin.debug": {"msg": template}, "ignore_errors": True}


def message(result: dict[str, Any]) -> str:
    return str(result["msg"]).rpartition("'podwright.cloud.lease' failed: ")[2]


def test_public_addresses_are_leased_in_a_zone(tmp_path: Path) -> None:
    ranges = ["203.0.113.11-203.0.113.12"]
    wanted = [
        addresses(tmp_path, "b", "a", ranges=ranges, fixed={"b": "203.0.113.11"}),
        addresses(tmp_path, "c"),
        addresses(tmp_path, "a", purpose="static_nat", fixed={"a": "203.0.113.300"}),
        addresses(tmp_path, "a", fixed={"z": "203.0.113.12"}),
        addresses(tmp_path, "a", ranges=["203.0.113.12-203.0.113.11"]),
        addresses(tmp_path, "b", state="absent"),
        info(tmp_path),
    ]
    previewed = play(tmp_path, wanted[0], info(tmp_path), check=True)
    assert not (tmp_path / "leases.db").exists()
    assert [result.get("leases") for result in previewed.results] == [{"a": "203.0.113.12", "b": "203.0.113.11"}, []]

    first, empty, no_address, unknown, backwards, absent, after = play(tmp_path, *wanted).results

    assert first == previewed.results[0]
    assert empty["msg"] == (
        "ranges: pool public_address of zone east has no address left for c; it has 2 in all; extend ranges, "
        "or take holders away"
    )
    assert no_address["msg"] == "fixed: 203.0.113.300 is not an address; give one such as 192.0.2.1"
    assert unknown["msg"] == "fixed: z is not one of the holders; name it there too"
    assert backwards["msg"] == (
        "ranges: 203.0.113.12-203.0.113.11 is not a range of addresses; write 203.0.113.11-203.0.113.12"
    )
    assert absent == {"changed": True, "leases": {}}
    assert [(lease["value"], lease["holder"], lease["state"]) for lease in after["leases"]] == [
        ("203.0.113.11", "b", "quarantine"),
        ("203.0.113.12", "a", "held"),
    ]


def test_public_addresses_of_a_cloud_are_those_of_a_pod(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account()}), preview=False)
    found, undivided, of_pod, given_up = play(
        tmp_path,
        addresses(tmp_path, "acme-east-router"),
        addresses(tmp_path, "bastion"),
        addresses(tmp_path, "bastion", pod="p2"),
        addresses(tmp_path, "acme-east-router", state="absent"),
    ).results
    assert found == {"changed": False, "leases": {"acme-east-router": "203.0.1.11"}}
    assert undivided["msg"] == (
        "zones.east.pods.*.networks.public.lease_range: pool public_address of zone east is divided among p1, p2 and "
        "has nothing for bastion; say whose part to take from, or extend it"
    )
    assert of_pod == {"changed": True, "leases": {"bastion": "203.0.2.11"}}
    assert given_up["msg"] == (
        "holders: 203.0.1.11 of acme-east-router belongs to cloud lab; take that out of its inventory instead"
    )


def test_leases_are_told_and_looked_up(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account("web1"), "globex": account()}), preview=False, now=NOW)
    allocate(cloud(tmp_path, {"acme": account("web1")}), preview=False, now=NOW)
    told, placed, stored, value, place, server, addresses_of_two, none, several, leaving, absent, other = play(
        tmp_path,
        info(tmp_path, pool="guest_vlan", scope="east/*", holder="acme", state="held"),
        info(tmp_path, pool="placement", holder="web"),
        info(tmp_path, pool="volume", holder="web"),
        looked_up(tmp_path, "acme/default", pool="guest_vlan", scope="east/p1"),
        looked_up(tmp_path, "acme-web1", pool="placement"),
        looked_up(tmp_path, "acme-web1", pool="volume"),
        looked_up(tmp_path, "acme-web1", "acme-east-router", pool="mac", purpose="eth0"),
        looked_up(tmp_path, "initech/default", pool="guest_vlan", scope="east/p1"),
        looked_up(tmp_path, "acme-east-router", pool="mac"),
        looked_up(tmp_path, "globex/default", "acme/default", pool="guest_vlan", default="none"),
        looked_up(tmp_path, "acme/default", pool="guest_vlan", database=str(tmp_path / "other.db")),
        looked_up(tmp_path, "acme-web1", pool="mac", purpose="eth9"),
    ).results
    assert told == {
        "changed": False,
        "leases": [
            {
                "pool": "guest_vlan",
                "scope": "east/p1",
                "value": 101,
                "holder": "acme/default",
                "purpose": "guest_network",
                "state": "held",
                "since": "2026-01-01T00:00:00+00:00",
                "until": None,
                "cloud": "lab",
            }
        ],
    }
    assert [(each["value"], each["holder"]) for each in placed["leases"]] == [("p1-hv2", "acme-web1")]
    assert [(each["value"], each["holder"], each["size_gib"]) for each in stored["leases"]] == [
        ("p1-n1", "acme-web1", 1)
    ]
    assert server["msg"] == ["p1-n1"]
    assert value["msg"] == [101]
    assert place["msg"] == ["p1-hv2"]
    assert addresses_of_two["msg"] == ["02:70:77:00:00:04", "02:70:77:00:00:01"]
    assert message(none) == (
        "guest_vlan east/p1: initech/default holds nothing; there is east/p1 101 acme/default guest_network"
    )
    assert message(several) == (
        "mac: acme-east-router holds 3 values: lab 02:70:77:00:00:01 acme-east-router eth0, "
        "lab 02:70:77:00:00:02 acme-east-router eth1, lab 02:70:77:00:00:03 acme-east-router eth2; "
        "give the scope and purpose of one"
    )
    assert leaving["msg"] == ["none", 101]
    assert message(absent) == "guest_vlan: acme/default holds nothing; there is nothing that is held"
    assert message(other) == ("mac: acme-web1 holds nothing for eth9; there is lab 02:70:77:00:00:04 acme-web1 eth0")


def test_without_a_database_it_is_that_of_the_inventory(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "inventories/example", tmp_path / "cloud", ignore=shutil.ignore_patterns(".podwright"))
    cloud_file = tmp_path / "cloud/cloud.yml"
    allocate(load(cloud_file), preview=False)
    variables = {"vars": {"podwright_cloud_file": str(cloud_file)}}
    tasks = [
        vlans(tmp_path, "acme", network="shop-east", ranges=[]),
        info(tmp_path, pool="guest_vlan", scope="east/p1"),
        looked_up(tmp_path, "acme/shop-east", pool="guest_vlan"),
    ]
    for task in tasks[:2]:
        del next(iter(task.values()))["database"]
    tasks[2]["ansible.builtin.debug"]["msg"] = (
        "{{ lookup('podwright.cloud.lease', 'acme/shop-east', pool='guest_vlan') }}"
    )
    leased, told, value = play(tmp_path, *(task | variables for task in tasks)).results
    assert leased == {"changed": False, "leases": {"acme": 1001}}
    assert [lease["value"] for lease in told["leases"]] == [1001]
    assert value["msg"] == 1001

    nowhere, wrong = play(tmp_path, tasks[1] | {"ignore_errors": True}, tasks[2]).results
    remedy = (
        "database: is not given, and podwright_cloud_file is not set; give the path or URL of a database, or use an "
        "inventory of podwright.cloud.podwright"
    )
    assert nowhere["msg"] == remedy
    assert message(wrong) == remedy
