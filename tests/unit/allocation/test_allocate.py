from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from podwright.allocation import Lease, Placement, allocate, settle
from podwright.allocation.database import unix_time
from podwright.allocation.leases import Leases
from podwright.errors import AllocationError
from tests.unit.allocation.declaration import LATER, NOW, account, cloud, records

Accounts = dict[str, dict[str, Any]]

TWO = {"acme": account("web1", "web2", anti_affinity="web"), "globex": account("web1", subnet="auto")}


def test_every_holder_gets_the_lowest_value_of_each_pool(tmp_path: Path) -> None:
    leases = allocate(cloud(tmp_path, TWO), preview=False, now=NOW).leases

    assert leases.guest_vlans == {("acme", "default", "p1"): 101, ("globex", "default", "p1"): 102}
    assert leases.guest_subnets == {
        ("acme", "default"): IPv4Network("10.1.1.0/24"),
        ("globex", "default"): IPv4Network("172.16.0.0/24"),
    }
    assert leases.guest_addresses == {
        ("acme-web1", "default"): IPv4Address("10.1.1.2"),
        ("acme-web2", "default"): IPv4Address("10.1.1.3"),
        ("globex-web1", "default"): IPv4Address("172.16.0.2"),
    }
    assert leases.management_addresses == {
        "acme-east-router": IPv4Address("192.168.1.101"),
        "globex-east-router": IPv4Address("192.168.1.102"),
    }
    assert leases.public_addresses == {
        "acme-east-router": IPv4Address("203.0.1.11"),
        "globex-east-router": IPv4Address("203.0.1.12"),
    }
    assert leases.macs["acme-east-router", "eth0"] == "02:70:77:00:00:01"
    assert leases.macs["acme-east-router", "eth2"] == "02:70:77:00:00:03"
    assert leases.macs["globex-web1", "eth0"] == "02:70:77:00:00:09"
    assert leases.placements["acme-web1"] != leases.placements["acme-web2"]


def test_declared_subnets_and_device_addresses_are_not_handed_out(tmp_path: Path) -> None:
    accounts = {"acme": account(subnet="172.16.0.128/25"), "globex": account(subnet="auto")}
    declared = cloud(tmp_path, accounts)
    zone = declared.model_dump(mode="python")["zones"]["east"]
    assert zone["guest_subnets"] == IPv4Network("172.16.0.0/22")
    assert allocate(declared, preview=True).leases.guest_subnets["globex", "default"] == IPv4Network("172.16.1.0/24")


def test_a_holder_that_comes_back_before_its_release_is_over_gets_its_value_back(tmp_path: Path) -> None:
    with_globex, without = cloud(tmp_path, TWO), cloud(tmp_path, {"acme": TWO["acme"]})
    first = allocate(with_globex, preview=False, now=NOW)
    gone = allocate(without, preview=False, now=NOW)
    assert {str(lease).split()[0] for lease in gone.releasing} == {
        "guest_vlan", "guest_subnet", "guest_address", "management_address", "public_address", "mac", "placement",
        "volume",
    }  # fmt: skip
    assert not allocate(without, preview=False, now=NOW).changed

    back = allocate(with_globex, preview=False, now=NOW)

    assert back.leases == first.leases
    assert back.changed
    assert not allocate(with_globex, preview=False, now=LATER).changed


def test_a_value_is_free_only_when_seen_gone_and_quarantine_is_over(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account()}), preview=False, now=NOW)
    other = cloud(tmp_path, {"globex": account()})

    def vlan_of_globex(after: timedelta) -> int:
        return allocate(other, preview=True, now=NOW + after).leases.guest_vlans["globex", "default", "p1"]

    empty = cloud(tmp_path, {})
    allocate(empty, preview=False, now=NOW)
    assert vlan_of_globex(timedelta(days=400)) == 102  # a device may still carry it
    assert "placement east/p1 p1-hv1 acme-east-router (releasing)" in map(str, records(empty))
    assert settle(empty, planned_at=unix_time(NOW) - 1, now=NOW).changes == []  # given up after that plan

    settled = settle(empty, planned_at=unix_time(NOW), now=NOW)
    assert [str(change.after) for change in settled.changes if "guest_vlan" in str(change.before)] == [
        "guest_vlan east/p1 101 acme/default guest_network (quarantine)"
    ]
    assert {str(after) for before, after in settled.changes if isinstance(before, Placement)} == {"None"}
    assert vlan_of_globex(timedelta(hours=23)) == 102
    assert vlan_of_globex(timedelta(hours=24)) == 101
    assert settle(empty, planned_at=unix_time(NOW), now=NOW).changes == []


def test_a_preview_of_settling_changes_nothing(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, TWO), preview=False, now=NOW)
    empty = cloud(tmp_path, {})
    allocate(empty, preview=False, now=NOW)
    before = records(empty)
    assert settle(empty, planned_at=unix_time(NOW), preview=True, now=NOW).changes
    assert records(empty) == before


def test_nothing_is_released_while_a_device_that_left_may_carry_it(tmp_path: Path) -> None:
    switches = {"sw1": {"management_address": "192.168.1.11", "platform": "eos"}}
    allocate(cloud(tmp_path, {"acme": account()}, pod_switches=switches), preview=False, now=NOW)
    empty = cloud(tmp_path, {})
    allocate(empty, preview=False, now=NOW)
    before = records(empty)
    for preview in (True, False):
        settled = settle(empty, planned_at=unix_time(NOW), preview=preview, now=NOW)
        assert (settled.changes, settled.lost) == ([], ["sw1"])
    assert records(empty) == before

    assert settle(empty, planned_at=unix_time(NOW), lost_devices_confirmed=True, now=NOW).changes
    allocate(cloud(tmp_path, {"globex": account()}), preview=False, now=NOW)
    allocate(empty, preview=False, now=NOW)
    again = settle(empty, planned_at=unix_time(NOW), now=NOW)
    assert again.changes
    assert again.lost == []  # they were confirmed once and for all


def test_a_device_that_left_is_no_matter_while_nothing_is_to_be_released(tmp_path: Path) -> None:
    switches = {"sw1": {"management_address": "192.168.1.11", "platform": "eos"}}
    allocate(cloud(tmp_path, {"acme": account()}, pod_switches=switches), preview=False, now=NOW)
    without = cloud(tmp_path, {"acme": account()})
    allocate(without, preview=False, now=NOW)
    settled = settle(without, planned_at=unix_time(NOW), now=NOW)
    assert [str(change.after) for change in settled.changes] == [
        "management_address east/p1 192.168.1.11 sw1 management (quarantine)",
        "management_address east/p2 192.168.1.11 sw1 management (quarantine)",
    ]
    assert settled.lost == []


def test_a_lost_hypervisor_need_not_be_confirmed_again(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account("web1")}), preview=False, now=NOW)
    without = cloud(tmp_path, {}, hypervisors={})
    allocate(without, preview=False, lost_hypervisors_confirmed=True, now=NOW)
    settled = settle(without, planned_at=unix_time(NOW), now=NOW)
    assert settled.changes
    assert settled.lost == []


def test_all_exhausted_pools_are_named_at_once(tmp_path: Path) -> None:
    networks = {
        "management": {"vlan": 10, "subnet": "192.168.1.0/25", "lease_range": "192.168.1.101-192.168.1.101"},
        "storage": {"vlan": 20, "subnet": "192.168.101.0/24"},
        "public": {"vlan": 30, "subnet": "203.0.1.0/24"},
    }
    accounts = {
        "acme": account("web1", subnet="10.1.1.0/30"),
        "globex": account("web1", "web2", subnet="10.1.1.0/30"),
    }
    with pytest.raises(AllocationError) as raised:
        allocate(cloud(tmp_path, accounts, guest_vlans=[101], networks=networks, hypervisors={}), preview=False)
    assert str(raised.value).splitlines() == [
        (
            "zones.east.pods.p1.guest_vlans: pool guest_vlan of pod p1 in zone east has no VLAN id left for "
            "network default of account globex; it has 1 in all; "
            "extend zones.east.pods.p1.guest_vlans, or take holders away"
        ),
        (
            "zones.east.pods.p1.networks.management.lease_range: pool management_address of pod p1 in zone east has no "
            "address left for globex-east-router; it has 1 in all; "
            "extend zones.east.pods.p1.networks.management.lease_range, or take holders away"
        ),
        (
            "zones.east.pods.p1.networks.public.lease_range: pool public_address of zone east has no "
            "address left for acme-east-router, globex-east-router; it has 0 in all for p1; "
            "extend zones.east.pods.p1.networks.public.lease_range, or take holders away"
        ),
        (
            "accounts.globex.guest_networks.default.subnet: pool guest_address of network default in account globex "
            "has no address left for globex-web2; it has 1 in all; "
            "extend accounts.globex.guest_networks.default.subnet, or take holders away"
        ),
        *(
            f"zones.east.pods.p1.hypervisors: {domain} needs 1 vCPUs and 128 MiB and finds no room in pod p1 in "
            "zone east; left: no hypervisor; add a hypervisor, or take machines away"
            for domain in ("acme-east-router", "acme-web1", "globex-east-router", "globex-web1", "globex-web2")
        ),
    ]
    assert records(cloud(tmp_path, {})) == []


def test_an_empty_pool_tells_what_is_on_its_way_out(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account()}, guest_vlans=[101]), preview=False, now=NOW)
    with pytest.raises(
        AllocationError, match=r"it has 1 in all, 1 of them not yet seen gone .deploy the removal first.; extend"
    ) as raised:
        allocate(cloud(tmp_path, {"globex": account()}, guest_vlans=[101]), preview=False, now=NOW)
    assert "network default of account globex" in str(raised.value)


def test_a_pool_that_shrinks_below_its_leases_is_refused(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, TWO), preview=False, now=NOW)
    with pytest.raises(AllocationError) as raised:
        allocate(cloud(tmp_path, TWO, guest_vlans=["102-110"]), preview=False, now=NOW)
    assert str(raised.value) == (
        "zones.east.pods.p1.guest_vlans: 101 is no longer in it or is used otherwise, but network default of account "
        "acme has it; put it back, or take the holder away first"
    )


def test_a_second_network_takes_nothing_from_the_first(tmp_path: Path) -> None:
    """Who sorts first, the network or the machine, does not count: whoever has something keeps it."""
    first = run(tmp_path, {"acme": account("web1", "web2")})
    two = account("web1", "web2")
    two["guest_networks"] |= {"default": {**two["guest_networks"]["default"], "default": True}, "back": BACK}
    two["machines"]["web1"]["guest_networks"] = ["back", "default"]
    second = run(tmp_path, {"acme": two})
    assert second.guest_vlans == first.guest_vlans | {("acme", "back", "p1"): 102}
    assert second.guest_addresses == first.guest_addresses | {("acme-web1", "back"): IPv4Address("10.1.2.2")}
    assert second.macs == first.macs | {
        ("acme-east-router", "eth3"): "02:70:77:00:00:06",
        ("acme-web1", "eth1"): "02:70:77:00:00:07",
    }
    assert run(tmp_path, {"acme": account("web1", "web2")}) == first


BACK = {"zone": "east", "pod": "p1", "subnet": "10.1.2.0/24"}


def run(directory: Path, accounts: Accounts) -> Leases:
    return allocate(cloud(directory, accounts), preview=False, now=NOW).leases


def test_guest_addresses_follow_their_subnet(tmp_path: Path) -> None:
    before = allocate(cloud(tmp_path, {"acme": account("web1", "web2")}), preview=False, now=NOW)
    moved = {"acme": account("web1", "web2", subnet="10.9.0.0/24")}
    after = allocate(cloud(tmp_path, moved), preview=False, now=NOW)
    assert after.leases.guest_addresses == {
        ("acme-web1", "default"): IPv4Address("10.9.0.2"),
        ("acme-web2", "default"): IPv4Address("10.9.0.3"),
    }
    assert after.leases.guest_vlans == before.leases.guest_vlans
    assert not allocate(cloud(tmp_path, moved), preview=False, now=NOW).changed


def test_another_cloud_in_the_same_database_is_refused(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account()}), preview=False, now=NOW)
    other = cloud(tmp_path, {"acme": account()}).model_copy(update={"name": "other"})
    with pytest.raises(AllocationError) as raised:
        allocate(other, preview=False, now=NOW)
    assert str(raised.value).splitlines()[0] == (
        "zones.east.pods.p1.guest_vlans: pool guest_vlan of pod p1 in zone east belongs to cloud lab, and cloud "
        "other declares it too; give each cloud its own database"
    )


def pinned(*hypervisors: str) -> dict[str, Any]:
    """An account of a machine on each of the hypervisors; what else it has stays where it is."""
    machines = {f"m{number}": account("m", hypervisor=name) for number, name in enumerate(hypervisors)}
    return account() | {"machines": {name: made["machines"]["m"] for name, made in machines.items()}}


def test_a_machine_that_moved_says_where_it_was_until_that_is_settled(tmp_path: Path) -> None:
    def ask(*hypervisors: str) -> Leases:
        return allocate(cloud(tmp_path, {"acme": pinned(*hypervisors)}), preview=False, now=NOW).leases

    assert ask("p1-hv1").moved_from == {}
    assert ask("p1-hv2").moved_from == {"acme-m0": ["p1-hv1"]}
    again = allocate(cloud(tmp_path, {"acme": pinned("p1-hv2")}), preview=False, now=NOW)
    assert (again.changed, again.leases.moved_from) == (False, {"acme-m0": ["p1-hv1"]})
    assert ask("p1-hv1").moved_from == {"acme-m0": ["p1-hv2"]}
    settle(cloud(tmp_path, {"acme": pinned("p1-hv1")}), planned_at=unix_time(NOW), now=NOW)
    assert ask("p1-hv1").moved_from == {}


def test_a_machine_that_moved_to_another_pod_says_so(tmp_path: Path) -> None:
    before = allocate(cloud(tmp_path, {"acme": account("web1")}), preview=False, now=NOW).leases
    moved = allocate(cloud(tmp_path, {"acme": account("web1", pod="p2")}), preview=False, now=NOW).leases
    assert moved.placements["acme-web1"].startswith("p2-")
    assert moved.moved_from["acme-web1"] == [before.placements["acme-web1"]]
    assert (before.public_addresses["acme-east-router"], moved.public_addresses["acme-east-router"]) == (
        IPv4Address("203.0.1.11"),
        IPv4Address("203.0.2.11"),
    )


def test_a_hypervisor_that_is_gone_with_its_machines_is_refused_until_it_is_confirmed_lost(tmp_path: Path) -> None:
    declared = cloud(tmp_path, {"acme": account("web1", "web2", anti_affinity="web")})
    before = allocate(declared, preview=False, now=NOW).leases.placements
    hypervisors = declared.zones["east"].pods["p1"].model_dump()["hypervisors"]
    del hypervisors["p1-hv2"]
    without = cloud(tmp_path, {"acme": account("web1", "web2")}, hypervisors=hypervisors)
    on_lost = ", ".join(sorted(domain for domain, name in before.items() if name == "p1-hv2"))

    with pytest.raises(AllocationError) as raised:
        allocate(without, preview=False, now=NOW)
    assert str(raised.value).startswith(
        f"zones.east.pods.p1.hypervisors: p1-hv2 is gone from the declaration but holds {on_lost}; declare it again"
    )
    removed = cloud(tmp_path, {}, hypervisors=hypervisors)
    with pytest.raises(AllocationError, match="p1-hv2 is gone"):  # they run on there as well
        allocate(removed, preview=False, now=NOW)

    after = allocate(without, preview=False, lost_hypervisors_confirmed=True, now=NOW).leases
    assert set(after.placements.values()) == {"p1-hv1"}
    assert after.moved_from == {}
    assert not allocate(without, preview=False, now=NOW).changed


def test_a_hypervisor_that_its_machines_left_may_go(tmp_path: Path) -> None:
    hypervisors = cloud(tmp_path, {}).zones["east"].pods["p1"].model_dump()["hypervisors"]
    apart = {"acme": account("web1", "web2", anti_affinity="web")}
    allocate(cloud(tmp_path, apart, hypervisors=hypervisors), preview=False, now=NOW)
    hypervisors["p1-hv2"]["memory_mib"] = 1
    drained = cloud(tmp_path, {"acme": account("web1", "web2")}, hypervisors=hypervisors)
    assert set(allocate(drained, preview=False, now=NOW).leases.placements.values()) == {"p1-hv1"}
    settle(drained, planned_at=unix_time(NOW), now=NOW)
    del hypervisors["p1-hv2"]
    without = cloud(tmp_path, {"acme": account("web1", "web2")}, hypervisors=hypervisors)
    gone = allocate(without, preview=False, now=NOW)
    assert gone.placement_changes == []
    assert {lease.purpose for lease in gone.releasing if isinstance(lease, Lease)} == {"management"}


def test_placement_says_what_is_needed_and_what_is_left(tmp_path: Path) -> None:
    accounts = {"acme": account("m1", "m2", "m3", anti_affinity="spread")}
    with pytest.raises(AllocationError) as raised:
        allocate(cloud(tmp_path, accounts), preview=False)
    assert str(raised.value) == (
        "zones.east.pods.p1.hypervisors: acme-m3 needs 1 vCPUs and 128 MiB and finds no room in pod p1 in zone east; "
        "left: p1-hv1 30 vCPUs and 3840 MiB and a machine of its anti-affinity group; p1-hv2 31 vCPUs and 3968 MiB "
        "and a machine of its anti-affinity group; add a hypervisor, or take machines away"
    )
