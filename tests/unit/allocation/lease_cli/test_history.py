"""`podwright lease`: what was done, and what pools were declared to hold."""

from __future__ import annotations

import json

import pytest

from tests.unit.allocation.lease_cli.said import Podwright, Said


@pytest.mark.usefixtures("deployed")
def test_history_is_told_run_by_run(podwright: Podwright) -> None:
    assert podwright("history", "--pool", "guest_vlan") == Said(
        0,
        """2026-01-01T00:00:00+00:00 run 1 by ada@controller: plan lab
  guest_vlan east/p1 declared: nothing -> 101-110,120-160
  guest_vlan east/p2 declared: nothing -> 101-110,120-160
  guest_vlan east/p1 101 acme/default guest_network: free -> held
  guest_vlan east/p1 102 globex/default guest_network: free -> held
2026-01-02T00:00:00+00:00 run 2 by ada@controller: plan lab
  guest_vlan east/p1 102 globex/default guest_network: held -> releasing""",
    )
    for filters, changes in (
        (["--since", "2026-01-02"], 8),
        (["--since", "2026-01-02T00:00:00+0000", "--limit", "2"], 2),
        (["--run", "1", "--holder", "globex/"], 1),
        (["--scope", "east/p2", "--holder", "globex"], 0),
    ):
        assert len(json.loads(podwright("history", "--json", *filters).out)["history"]) == changes
    assert podwright("history", "--run", "9") == Said(0, "nothing was done that is like that")


@pytest.mark.usefixtures("deployed")
def test_pools_are_shown_as_they_were_declared(podwright: Podwright) -> None:
    assert podwright("pools", "--scope", "east*") == Said(
        0,
        """guest_subnet east: declared by cloud lab at zones.east.guest_subnets
  for all: 172.16.0.0/24-172.16.3.0/24 (4)
guest_vlan east/p1: declared by cloud lab at zones.east.pods.p1.guest_vlans
  for all: 101-110, 120-160 (51)
guest_vlan east/p2: declared by cloud lab at zones.east.pods.p2.guest_vlans
  for all: 101-110, 120-160 (51)
management_address east/p1: declared by cloud lab at zones.east.pods.p1.networks.management.lease_range
  for all: 192.168.1.101-192.168.1.199 (99)
  for devices: 192.168.1.2-192.168.1.100, 192.168.1.200-192.168.1.254 (154)
management_address east/p2: declared by cloud lab at zones.east.pods.p2.networks.management.lease_range
  for all: 192.168.2.101-192.168.2.199 (99)
  for devices: 192.168.2.2-192.168.2.100, 192.168.2.200-192.168.2.254 (154)
management_subnet east: declared by cloud lab at zones.east.management_network
  for all: 192.168.0.0/24-192.168.255.0/24 (256)
public_address east: declared by cloud lab at zones.east.pods.*.networks.public.lease_range
  for p1: 203.0.1.11-203.0.1.250 (240)
  for p2: 203.0.2.11-203.0.2.250 (240)""",
    )
    assert json.loads(podwright("pools", "--pool", "public_address", "--json").out) == {
        "pools": [
            {
                "pool": "public_address",
                "scope": "east",
                "cloud": "lab",
                "declared_at": "zones.east.pods.*.networks.public.lease_range",
                "sections": {"p1": ["203.0.1.11-203.0.1.250"], "p2": ["203.0.2.11-203.0.2.250"]},
            }
        ]
    }
