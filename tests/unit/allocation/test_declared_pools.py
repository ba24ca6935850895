"""The pools that an inventory declares beside those that every cloud has."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from podwright.allocation import Allocated, allocate, settle
from podwright.allocation.database import unix_time
from podwright.allocation.demand import demands
from podwright.allocation.pools import SHARED, DeclaredPool, Pool, subnet_value
from podwright.errors import AllocationError
from podwright.model.cloud import Cloud, Network, PodDedication, PodSwitch
from tests.unit.allocation.declaration import LATER, NOW, account, cloud, records

THREE = {"acme": account("web1"), "globex": account("web1", pod="p2"), "initech": account(subnet="auto")}


def run(declared: Cloud) -> Allocated:
    return allocate(declared, preview=False, now=NOW)


def test_a_zone_with_guest_vlans_gives_each_network_an_id_of_its_own_in_all_pods(tmp_path: Path) -> None:
    zone = {"guest_vlans": ["10-12", "20-29"]}
    leases = run(cloud(tmp_path, THREE, zone, guest_vlans=None)).leases
    # 10, 20 and 30 are the infrastructure's.
    assert leases.guest_vlans == {
        ("acme", "default", "p1"): 11,
        ("globex", "default", "p2"): 12,
        ("initech", "default", "p1"): 21,
    }
    found = [str(record) for record in records(cloud(tmp_path, {}))]
    assert "guest_vlan east 11 acme/default guest_network" in found


def test_vlan_ids_of_pods_and_of_their_zone_do_not_meet(tmp_path: Path) -> None:
    zone = {"guest_vlans": ["101-199"]}
    run(cloud(tmp_path, THREE))
    with pytest.raises(AllocationError) as raised:
        run(cloud(tmp_path, THREE, zone, guest_vlans=None))
    assert str(raised.value).splitlines() == [
        (
            f"zones.east.guest_vlans: in pod {pod} in zone east it would meet {those}; declare the VLAN ids there "
            "again, and deploy without these guest networks first"
        )
        for pod, those in (
            ("p1", "101 of network default of account acme, 102 of network default of account initech"),
            ("p2", "101 of network default of account globex"),
        )
    ]
    empty = cloud(tmp_path, {})
    run(empty)
    settle(empty, planned_at=unix_time(NOW), now=NOW)
    run(cloud(tmp_path, THREE, zone, guest_vlans=None))
    with pytest.raises(AllocationError, match=r"pods\.p1\.guest_vlans: in zone east it would meet 101 of"):
        allocate(cloud(tmp_path, THREE), preview=False, now=LATER)


def dedicating(declared: Cloud, dedicated: Mapping[str, Any]) -> Cloud:
    """The same with what pod p1 dedicates to accounts."""
    east = declared.zones["east"]
    own = {account: PodDedication.model_validate(each) for account, each in dedicated.items()}
    pods = {**east.pods, "p1": east.pods["p1"].model_copy(update={"dedicated": own})}
    return declared.model_copy(update={"zones": {"east": east.model_copy(update={"pods": pods})}})


def addressed(**addresses: str | None) -> dict[str, Any]:
    """An account with machines that declare their addresses, or none."""
    declared = account(*addresses)
    for name, address in addresses.items():
        declared["machines"][name]["addresses"] = {"default": address} if address else {}
    return declared


def test_a_machine_has_the_address_that_it_declares_and_others_get_what_is_left(tmp_path: Path) -> None:
    declared = {"acme": addressed(a=None, b="10.1.1.2", c=None)}
    declared["acme"]["guest_networks"]["default"]["reserved"] = ["10.1.1.3", "10.1.1.4-10.1.1.10"]
    assert run(cloud(tmp_path, declared)).leases.guest_addresses == {
        ("acme-a", "default"): IPv4Address("10.1.1.11"),
        ("acme-b", "default"): IPv4Address("10.1.1.2"),
        ("acme-c", "default"): IPv4Address("10.1.1.12"),
    }


def test_a_declared_address_that_changes_is_had_at_once_and_the_old_one_is_released(tmp_path: Path) -> None:
    def addresses(declared: Cloud) -> list[str]:
        return [str(record) for record in records(declared) if str(record).startswith("guest_address")]

    first, second = (cloud(tmp_path, {"acme": addressed(a=address)}) for address in ("10.1.1.5", "10.1.1.6"))
    run(first)
    changed = run(second)
    assert changed.leases.guest_addresses == {("acme-a", "default"): IPv4Address("10.1.1.6")}
    assert [str(lease) for lease in changed.releasing] == [
        "guest_address acme/default 10.1.1.5 acme-a eth0 (releasing)"
    ]
    assert addresses(second) == [
        "guest_address acme/default 10.1.1.5 acme-a eth0 (releasing)",
        "guest_address acme/default 10.1.1.6 acme-a eth0",
    ]
    assert not run(second).changed

    back = run(first)  # what it had may be had again while nobody else can have it

    assert back.leases.guest_addresses == {("acme-a", "default"): IPv4Address("10.1.1.5")}
    assert addresses(first) == [
        "guest_address acme/default 10.1.1.5 acme-a eth0",
        "guest_address acme/default 10.1.1.6 acme-a eth0 (releasing)",
    ]
    settle(first, planned_at=unix_time(NOW), now=NOW)
    allocate(first, preview=False, now=LATER)
    assert addresses(first) == ["guest_address acme/default 10.1.1.5 acme-a eth0"]
    assert not allocate(cloud(tmp_path, {"acme": addressed(a=None)}), preview=False, now=LATER).changed


def test_an_address_that_another_machine_has_cannot_be_declared(tmp_path: Path) -> None:
    run(cloud(tmp_path, {"acme": addressed(a=None)}))
    with pytest.raises(AllocationError) as raised:
        run(cloud(tmp_path, {"acme": addressed(a=None, b="10.1.1.2")}))
    assert str(raised.value) == (
        "accounts.acme.guest_networks.default.subnet: 10.1.1.2, which acme-b asks for, belongs to acme-a (held); "
        "ask for another"
    )


def test_a_machine_leaves_an_address_that_becomes_reserved(tmp_path: Path) -> None:
    declared = {"acme": addressed(a=None)}
    run(cloud(tmp_path, declared))
    declared["acme"]["guest_networks"]["default"]["reserved"] = ["10.1.1.2-10.1.1.9"]
    assert run(cloud(tmp_path, declared)).leases.guest_addresses == {("acme-a", "default"): IPv4Address("10.1.1.10")}
    assert not run(cloud(tmp_path, declared)).changed


DEDICATED_IN_POD = {
    "globex": {"guest_vlans": ["120"], "public_addresses": ["203.0.1.40-203.0.1.41"]},
    "initech": {"public_addresses": ["203.0.1.11"]},
}
DEDICATED_IN_ZONE = {"globex": {"guest_subnets": ["172.16.2.0/24"]}}


def test_an_account_gets_what_is_dedicated_to_it_first_and_others_get_none_of_it(tmp_path: Path) -> None:
    accounts = {name: account(subnet="auto") for name in ("acme", "globex", "initech")}
    accounts["globex"]["guest_networks"]["far"] = {"zone": "east", "pod": "p1", "subnet": "auto"}
    declared = cloud(tmp_path, accounts, {"dedicated": DEDICATED_IN_ZONE})
    leases = run(dedicating(declared, DEDICATED_IN_POD)).leases
    assert leases.guest_vlans == {
        ("acme", "default", "p1"): 101,
        ("globex", "default", "p1"): 120,
        ("globex", "far", "p1"): 102,
        ("initech", "default", "p1"): 103,
    }
    assert {key: str(subnet) for key, subnet in leases.guest_subnets.items()} == {
        ("acme", "default"): "172.16.0.0/24",
        ("globex", "default"): "172.16.2.0/24",
        ("globex", "far"): "172.16.1.0/24",
        ("initech", "default"): "172.16.3.0/24",
    }
    assert leases.public_addresses == {
        "acme-east-router": IPv4Address("203.0.1.12"),
        "globex-east-router": IPv4Address("203.0.1.40"),
        "initech-east-router": IPv4Address("203.0.1.11"),
    }


def test_a_value_that_another_account_has_cannot_be_dedicated(tmp_path: Path) -> None:
    run(cloud(tmp_path, THREE))
    own = {"globex": {"guest_vlans": ["102"], "public_addresses": ["203.0.1.11"]}}
    with pytest.raises(AllocationError) as raised:
        run(dedicating(cloud(tmp_path, THREE), own))
    assert str(raised.value).splitlines() == [
        f"{path} is no longer in it or is used otherwise, but {holder} has it; put it back, or take the holder away "
        "first"
        for path, holder in (
            ("zones.east.pods.p1.guest_vlans: 102", "network default of account initech"),
            ("zones.east.pods.*.networks.public.lease_range: 203.0.1.11", "acme-east-router"),
        )
    ]


def test_what_an_account_has_may_be_dedicated_to_it_and_to_nobody_again(tmp_path: Path) -> None:
    before = run(cloud(tmp_path, THREE)).leases
    own = run(dedicating(cloud(tmp_path, THREE), {"acme": {"guest_vlans": ["101"]}}))
    assert own.leases.guest_vlans["acme", "default", "p1"] == before.guest_vlans["acme", "default", "p1"]
    assert run(cloud(tmp_path, THREE)).leases == before


def test_an_account_whose_own_is_used_up_with_all_the_rest_is_told_so(tmp_path: Path) -> None:
    accounts = {name: account() for name in ("acme", "globex")}
    dedicated = {"globex": {"guest_vlans": ["102-103"], "public_addresses": ["203.0.1.40"]}}
    with pytest.raises(AllocationError) as raised:
        run(dedicating(cloud(tmp_path, accounts, guest_vlans=["102-103"]), dedicated))
    assert str(raised.value) == (
        "zones.east.pods.p1.guest_vlans: pool guest_vlan of pod p1 in zone east has no VLAN id left for network "
        "default of account acme; it has 0 in all; extend zones.east.pods.p1.guest_vlans, or take holders away"
    )


def test_each_guest_network_of_a_zone_with_vnis_gets_one(tmp_path: Path) -> None:
    zone = {"vnis": ["5000-5001", "16777215"], "dedicated": {"initech": {"vnis": ["16777215"]}}}
    declared = cloud(tmp_path, THREE, zone)
    leases = run(declared).leases
    assert leases.vnis == {("acme", "default"): 5000, ("globex", "default"): 5001, ("initech", "default"): 16777215}
    assert "vni east 5001 globex/default guest_network" in map(str, records(declared))
    assert run(cloud(tmp_path, THREE)).leases.vnis == {}


def test_each_domain_of_a_pod_with_console_ports_gets_one(tmp_path: Path) -> None:
    leases = run(cloud(tmp_path, THREE, console_ports=["5900-5999"])).leases
    assert leases.console_ports == {
        "acme-east-router": 5900,
        "acme-web1": 5901,
        "initech-east-router": 5902,
        "globex-east-router": 5900,
        "globex-web1": 5901,
    }


def managed(directory: Path, subnet: str = "192.168.1", **switches: str) -> Cloud:
    """A cloud whose pod p1 has nothing but pod switches, by their management addresses."""
    declared = cloud(directory, {}, hypervisors={}, storage_servers={})
    east = declared.zones["east"]
    pod = east.pods["p1"]
    network = Network.model_validate(
        {"vlan": 10, "subnet": f"{subnet}.0/24", "gateway": f"{subnet}.1", "lease_range": f"{subnet}.101-{subnet}.199"}
    )
    devices = {
        name: PodSwitch.model_validate({"management_address": address, "platform": "eos"})
        for name, address in switches.items()
    }
    networks = pod.networks.model_copy(update={"management": network})
    pods = {"p1": pod.model_copy(update={"networks": networks, "pod_switches": devices})}
    return declared.model_copy(update={"zones": {"east": east.model_copy(update={"pods": pods})}})


def management(declared: Cloud) -> list[str]:
    return [str(record) for record in records(declared) if str(record).startswith("management")]


def test_devices_hold_their_addresses_and_pods_their_subnets(tmp_path: Path) -> None:
    declared = managed(tmp_path, sw1="192.168.1.11", sw2="192.168.1.254")
    allocated = run(declared)
    assert management(declared) == [
        "management_address east/p1 192.168.1.11 sw1 management",
        "management_address east/p1 192.168.1.254 sw2 management",
        "management_subnet east 192.168.1.0/24 p1 management",
    ]
    assert allocated.leases.management_addresses == {}
    assert not run(declared).changed


def test_a_device_with_another_address_has_that_at_once(tmp_path: Path) -> None:
    run(managed(tmp_path, sw1="192.168.1.11"))
    declared = managed(tmp_path, sw1="192.168.1.12")
    run(declared)
    assert management(declared)[:2] == [
        "management_address east/p1 192.168.1.11 sw1 management (releasing)",
        "management_address east/p1 192.168.1.12 sw1 management",
    ]
    both = managed(tmp_path, sw1="192.168.1.12", sw2="192.168.1.11")
    run(both)
    assert management(both)[:2] == [
        "management_address east/p1 192.168.1.11 sw2 management",
        "management_address east/p1 192.168.1.12 sw1 management",
    ]


@pytest.mark.parametrize(
    "after",
    [
        {"sw1": "192.168.1.12", "sw2": "192.168.1.11"},  # swapped
        {"sw1": "192.168.1.11", "sw3": "192.168.1.12"},  # renamed
        {"sw2": "192.168.1.11", "sw1": "192.168.1.13"},  # handed on
        {"sw1": "192.168.2.11", "sw2": "192.168.2.12"},  # moved with their subnet
    ],
)
def test_devices_hold_what_they_have_whoever_had_it_before(after: dict[str, str], tmp_path: Path) -> None:
    first = managed(tmp_path, sw1="192.168.1.11", sw2="192.168.1.12")
    run(first)
    subnet = after["sw1"].rpartition(".")[0]
    declared = managed(tmp_path, subnet, **after)
    run(declared)
    held = {line for line in management(declared) if not line.endswith(")")}
    assert held == {
        f"management_subnet east {subnet}.0/24 p1 management",
        *(f"management_address east/p1 {address} {name} management" for name, address in after.items()),
    }
    assert not run(declared).changed
    run(first)
    assert not run(first).changed
    settle(first, planned_at=unix_time(NOW), now=NOW)
    allocate(first, preview=False, now=LATER)
    assert len(management(first)) == 3


def test_a_pod_with_a_subnet_of_another_size_reserves_what_it_covers(tmp_path: Path) -> None:
    declared = managed(tmp_path)
    [pool] = [pool for pool, _ in demands(declared) if pool.name == "management_subnet"]
    assert subnet_value(IPv4Network("192.168.1.0/24")) in pool
    networks = {
        "management": {"vlan": 10, "subnet": "192.168.4.0/23", "gateway": "192.168.4.1"},
        "storage": {"vlan": 20, "subnet": "192.168.101.0/24"},
        "public": {"vlan": 30, "subnet": "203.0.1.0/24"},
    }
    [demand] = [each for each in demands(cloud(tmp_path, {}, networks=networks)) if each[0].name == "management_subnet"]
    assert demand.requests == []
    within = [number for number in range(8) if subnet_value(IPv4Network(f"192.168.{number}.0/24")) in demand.pool]
    assert within == [0, 1, 2, 3, 6, 7]


@pytest.mark.parametrize("section", ["p1", "p1:acme", "acme", SHARED])
def test_a_pool_is_the_same_when_it_is_read_as_it_was_written_down(section: str) -> None:
    pool = Pool("vni", "east", {section: (range(1, 2), range(5, 1 << 24)), "z:z": (range(3, 4),)}, "zones.east.vnis")
    assert DeclaredPool(pool.name, pool.scope, pool.declared, pool.declared_at, "lab").as_pool() == pool


@pytest.mark.parametrize(
    "zone, pod",
    [
        ({"guest_vlans": ["101-199"]}, {"guest_vlans": None}),
        ({"vnis": ["5000-5999"]}, {"console_ports": ["5900-5999"]}),
        ({"dedicated": DEDICATED_IN_ZONE}, {"dedicated": {"globex": {"guest_vlans": ["120-121"]}}}),
    ],
)
def test_the_order_of_a_declaration_does_not_matter(zone: dict[str, Any], pod: dict[str, Any], tmp_path: Path) -> None:
    backwards = dict(reversed(THREE.items()))
    first = run(cloud(tmp_path / "one", THREE, zone, **pod))
    assert first.leases == run(cloud(tmp_path / "two", backwards, dict(reversed(zone.items())), **pod)).leases
    assert not run(cloud(tmp_path / "one", backwards, zone, **pod)).changed


def test_a_guest_network_in_two_pods_has_a_vlan_id_of_each(tmp_path: Path) -> None:
    spread = account("web1", "web2")
    spread["machines"]["web2"]["pod"] = "p2"
    accounts = {"globex": account("web1", pod="p2"), "acme": spread}
    zone = {"vnis": ["5001-5009"]}
    before = run(cloud(tmp_path, {"globex": accounts["globex"]}, zone)).leases
    leases = run(cloud(tmp_path, accounts, zone)).leases
    assert leases.guest_vlans == {
        **before.guest_vlans,
        ("acme", "default", "p1"): 101,
        ("acme", "default", "p2"): 102,
    }
    assert leases.placements["acme-web2"].startswith("p2-")
    del spread["machines"]["web2"]
    less = run(cloud(tmp_path, accounts, zone))
    assert "guest_vlan east/p2 102 acme/default guest_network (releasing)" in map(str, less.releasing)


def test_a_zone_gives_a_guest_network_in_two_pods_one_vlan_id(tmp_path: Path) -> None:
    spread = account("web1", "web2")
    spread["machines"]["web2"]["pod"] = "p2"
    zone = {"guest_vlans": ["20-29"], "vnis": ["5001-5009"]}
    leases = run(cloud(tmp_path, {"acme": spread}, zone, guest_vlans=None)).leases
    assert leases.guest_vlans == {("acme", "default", "p1"): 21, ("acme", "default", "p2"): 21}
