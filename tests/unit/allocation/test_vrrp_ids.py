"""VRRP ids, in the lab's cloud: in pod p1, management is VLAN 10 and public VLAN 30."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podwright.allocation import allocate
from podwright.allocation.database import Database
from podwright.allocation.pools import Pool
from podwright.allocation.single_pool import ask, ask_for_another
from podwright.errors import AllocationError
from podwright.model.cloud import Cloud
from podwright.plan import plan
from tests.unit.allocation.declaration import LATER, NOW
from tests.unit.plan.clouds import cloud_of, lab_declaration

# What stays as it is.
OTHERS = {"upstream": 1, "p1/tunnel": 40, "p2/management": 11, "p2/public": 31, "p2/tunnel": 41}


def lab(directory: Path, **vlans: int) -> Cloud:
    """The lab, with other VLANs of its infrastructure networks."""
    declaration = lab_declaration() | {"database": f"sqlite:///{directory}/leases.db"}
    networks: dict[str, Any] = declaration["zones"]["east"]["pods"]["p1"]["networks"]
    for name, vlan in vlans.items():
        networks[name]["vlan"] = vlan
    return cloud_of(declaration)


def ids(cloud: Cloud) -> dict[str, int]:
    """{virtual router: its id}"""
    return {router: value for (_, router), value in allocate(cloud, preview=False, now=NOW).leases.vrrp_ids.items()}


def reserved(cloud: Cloud, segment: str, *holders: str) -> list[int]:
    with Database(cloud.database) as database:
        asked = ask(
            database,
            Pool("vrrp_id", segment, {}, "SCOPE"),
            holders,
            purpose="load_balancer",
            state="present",
            fixed={},
            quarantine_hours=24,
            preview=False,
            now=NOW,
        )
    return [asked.leases[holder].value for holder in holders]


@pytest.mark.parametrize(
    ("vlans", "expected"),
    [
        ({}, {"p1/management": 10, "p1/public": 30}),
        ({"management": 255, "public": 256}, {"p1/management": 255, "p1/public": 1}),
        ({"management": 510, "public": 4094}, {"p1/management": 255, "p1/public": 14}),
        # Equal ids meet nowhere: each is in a VLAN of its own.
        ({"management": 7, "public": 262}, {"p1/management": 7, "p1/public": 7}),
    ],
)
def test_an_id_follows_from_its_vlan_as_it_did_before_ids_were_leased(
    tmp_path: Path, vlans: dict[str, int], expected: dict[str, int]
) -> None:
    cloud = lab(tmp_path, **vlans)
    assert ids(cloud) == expected | OTHERS
    assert not allocate(cloud, preview=False, now=LATER).changed


def test_a_second_virtual_router_of_a_segment_gets_another_id(tmp_path: Path) -> None:
    cloud = lab(tmp_path, management=2)
    ids(cloud)
    assert reserved(cloud, "east/2", "haproxy", "portal") == [1, 3]
    assert reserved(cloud, "east/30", "haproxy") == [1]
    assert ids(cloud)["p1/management"] == 2


def test_the_gateway_keeps_the_id_that_somebody_chose_and_the_switches_get_it(tmp_path: Path) -> None:
    """The provider's routers may have id 1 themselves, which only the operator knows."""
    cloud = lab(tmp_path)
    ids(cloud)
    with Database(cloud.database) as database:
        pool = Pool("vrrp_id", "east/upstream", {}, "SCOPE")
        ask_for_another(
            database, pool, "upstream", purpose="gateway", fixed=7, quarantine_hours=24, preview=False, now=NOW
        )
    leases = allocate(cloud, preview=False, now=LATER).leases
    assert leases.vrrp_ids["east", "upstream"] == 7
    for switch in ("east-zsw1", "east-zsw2"):
        addresses = plan(cloud, leases)[switch]["gateway"]["virtual_addresses"]  # type: ignore[typeddict-item]
        assert {each["interface"]: each["virtual_router_id"] for each in addresses} == {
            "vlan10": 10,
            "vlan11": 11,
            "vlan30": 30,
            "vlan31": 31,
            "vlan40": 40,
            "vlan41": 41,
            "swp3": 7,
        }


def test_a_gateway_that_moves_to_another_vlan_gives_its_id_up_there(tmp_path: Path) -> None:
    ids(lab(tmp_path))
    moved = allocate(lab(tmp_path, public=32), preview=False, now=NOW)
    assert "vrrp_id east/30 30 p1/public gateway (releasing)" in map(str, moved.releasing)
    assert moved.leases.vrrp_ids["east", "p1/public"] == 32


def test_the_id_of_a_gateway_can_be_taken_by_nobody_else(tmp_path: Path) -> None:
    cloud = lab(tmp_path)
    ids(cloud)
    with Database(cloud.database) as database, pytest.raises(AllocationError) as raised:
        ask(
            database,
            Pool("vrrp_id", "east/10", {}, "SCOPE"),
            ["haproxy"],
            purpose="gateway",
            state="present",
            fixed={"haproxy": 10},
            quarantine_hours=24,
            preview=False,
            now=NOW,
        )
    assert str(raised.value) == (
        "zones.east.pods.p1.networks.management: 10, which haproxy asks for, is kept for gateways; ask for another"
    )
