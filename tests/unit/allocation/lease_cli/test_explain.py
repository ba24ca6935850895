"""`podwright lease`: who has a value, and what a holder has."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from podwright.allocation import settle
from tests.unit.allocation.declaration import account, cloud
from tests.unit.allocation.lease_cli.said import TODAY, Podwright, Said


def test_a_value_is_explained_with_its_history_and_where_else_it_could_be(deployed: Path, podwright: Podwright) -> None:
    settle(
        cloud(deployed, {"acme": account("web1")}),
        planned_at=int(TODAY.timestamp()),
        now=TODAY - timedelta(hours=1),
        preview=False,
    )
    assert podwright("explain", "102") == Said(
        0,
        """VLAN id 102 of pod p1 in zone east (guest_vlan)
  in quarantine, given up by network default of account globex (globex/default) for guest_network, asked for by cloud lab
  since 2026-01-03T23:00:00+00:00, until 2026-01-04T23:00:00+00:00
  from run 3 by ada@controller: release lab
  history:
    2026-01-01T00:00:00+00:00 run 1 by ada@controller: plan lab
      guest_vlan east/p1 102 globex/default guest_network: free -> held
    2026-01-02T00:00:00+00:00 run 2 by ada@controller: plan lab
      guest_vlan east/p1 102 globex/default guest_network: held -> releasing
    2026-01-03T23:00:00+00:00 run 3 by ada@controller: release lab
      guest_vlan east/p1 102 globex/default guest_network: releasing -> quarantine
free: guest_vlan east/p2""",  # noqa: E501 (what is said is not wrapped)
    )
    [there, elsewhere] = json.loads(podwright("explain", "102", "--json").out)["values"]
    assert (there["in_pool"], there["dedicated_to"], there["lease"]["state"]) == (True, None, "quarantine")
    assert there["history"][-1] == {
        "at": "2026-01-03T23:00:00+00:00",
        "run": 3,
        "operator": "ada",
        "host": "controller",
        "command": "release lab",
        "pool": "guest_vlan",
        "scope": "east/p1",
        "value": 102,
        "holder": "globex/default",
        "purpose": "guest_network",
        "before": "releasing",
        "after": "quarantine",
    }
    assert (elsewhere["lease"], elsewhere["history"]) == (None, [])


@pytest.mark.usefixtures("deployed")
def test_what_nobody_has_is_free_kept_for_somebody_or_of_no_pool(podwright: Podwright) -> None:
    assert podwright("explain", "130").out == "free: guest_vlan east/p1, guest_vlan east/p2"
    assert podwright("explain", "115", "--scope", "*/p2").out == "not in the pool: guest_vlan east/p2"
    assert podwright("explain", "203.0.2.20", "--pool", "public_address").out == (
        "free, for p2 alone: public_address east"
    )
    assert podwright("explain", "172.16.1.0/24").out.splitlines() == [
        "free: guest_subnet east",
        "not in the pool: management_subnet east",
    ]
    assert podwright("explain", "02:70:77:00:00:20").out == "free: mac lab"


@pytest.mark.usefixtures("deployed")
def test_a_holder_is_explained_with_all_that_it_has_and_had(podwright: Podwright) -> None:
    assert podwright("explain", "--holder", "acme-web1") == Said(
        0,
        """address 10.1.1.2 of network default in account acme (guest_address)
  held by acme-web1 for eth0, asked for by cloud lab
  since 2026-01-01T00:00:00+00:00
  from run 1 by ada@controller: plan lab
MAC address 02:70:77:00:00:04 of cloud lab (mac)
  held by acme-web1 for eth0, asked for by cloud lab
  since 2026-01-01T00:00:00+00:00
  from run 1 by ada@controller: plan lab
hypervisor p1-hv2 of pod p1 in zone east (placement)
  held by acme-web1, asked for by cloud lab
  since 2026-01-01T00:00:00+00:00
  from run 1 by ada@controller: plan lab
1 GiB on storage server p1-n1 of pod p1 in zone east (volume)
  held by acme-web1, asked for by cloud lab
  since 2026-01-01T00:00:00+00:00
  from run 1 by ada@controller: plan lab
  history:
    2026-01-01T00:00:00+00:00 run 1 by ada@controller: plan lab
      mac lab 02:70:77:00:00:04 acme-web1 eth0: free -> held
      guest_address acme/default 10.1.1.2 acme-web1 eth0: free -> held
      placement east/p1 p1-hv2 acme-web1: nothing -> held
      volume east/p1 p1-n1 acme-web1: nothing -> held 1 GiB""",
    )
    data = json.loads(podwright("explain", "--holder", "globex*", "--json").out)
    assert {lease["state"] for lease in data["leases"]} == {"releasing"}
    assert {change["after"] for change in data["history"]} == {"held", "releasing", "held 1 GiB", "releasing 1 GiB"}
