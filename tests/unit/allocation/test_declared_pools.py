"""The pools that an inventory declares beside those that every cloud has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podwright.allocation import Allocated, allocate, settle
from podwright.allocation.database import unix_time
from podwright.errors import AllocationError
from podwright.model.cloud import Cloud
from tests.unit.allocation.declaration import LATER, NOW, account, cloud, records

THREE = {"acme": account("web1"), "globex": account("web1", pod="p2"), "initech": account(subnet="auto")}


def run(declared: Cloud) -> Allocated:
    return allocate(declared, preview=False, now=NOW)


def test_a_zone_with_guest_vlans_gives_each_network_an_id_of_its_own_in_all_pods(tmp_path: Path) -> None:
    zone = {"guest_vlans": ["10-12", "20-29"]}
    leases = run(cloud(tmp_path, THREE, zone, guest_vlans=None)).leases
    # 10, 20 and 30 are the infrastructure's.
    assert leases.guest_vlans == {("acme", "default"): 11, ("globex", "default"): 12, ("initech", "default"): 21}
    found = [str(record) for record in records(cloud(tmp_path, {}))]
    assert "guest_vlan east 11 acme/default guest_network" in found


def test_vlan_ids_of_pods_and_of_their_zone_do_not_meet(tmp_path: Path) -> None:
    zone = {"guest_vlans": ["101-199"]}
    run(cloud(tmp_path, THREE))
    with pytest.raises(AllocationError) as raised:
        run(cloud(tmp_path, THREE, zone, guest_vlans=None))
    assert str(raised.value).splitlines() == [
        (
            f"zones.east.guest_vlans: in pod {pod} in zone east it would meet {those}; declare the VLAN ids there again, "
            "and deploy without these guest networks first"
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


@pytest.mark.parametrize("zone, pod", [({"guest_vlans": ["101-199"]}, {"guest_vlans": None})])
def test_the_order_of_a_declaration_does_not_matter(zone: dict[str, Any], pod: dict[str, Any], tmp_path: Path) -> None:
    backwards = dict(reversed(THREE.items()))
    first = run(cloud(tmp_path / "one", THREE, zone, **pod))
    assert first.leases == run(cloud(tmp_path / "two", backwards, dict(reversed(zone.items())), **pod)).leases
    assert not run(cloud(tmp_path / "one", backwards, zone, **pod)).changed
