"""A transparent firewall is a part of the cable that it stands in, and of nothing else."""

from __future__ import annotations

import pytest

from podwright.model.cloud import Cloud
from tests.unit.plan.clouds import with_transparent_firewalls
from tests.unit.proof.configurations import Files, edit, findings, rendered, two_pods

RULES = "etc/podwright/zone-firewall.nft"
INSIDE = "etc/systemd/network/50-podwright-eth2.network"
MANAGEMENT = "etc/systemd/network/50-podwright-eth3.network"


@pytest.fixture
def zone() -> tuple[Cloud, Files]:
    return rendered(with_transparent_firewalls(two_pods()))


def test_zone_behind_transparent_firewalls_is_proved(zone: tuple[Cloud, Files]) -> None:
    assert findings(*zone) == []


def test_rules_as_nft_lists_them_prove_the_same(zone: tuple[Cloud, Files]) -> None:
    edit(zone[1], "z0-fw1", RULES, ("ether type != { arp, ip } drop", "ether type != { ip, arp } drop"))
    assert findings(*zone) == []


def test_tagged_frames_that_no_rule_drops_are_found(zone: tuple[Cloud, Files]) -> None:
    edit(zone[1], "z0-fw1", RULES, ('iifname { "eth1", "eth2" } ether type != { arp, ip } drop\n', ""))
    (found,) = findings(*zone)
    assert found.claim == "passed on"
    assert found.statement.startswith("z0-fw1 eth2 VLAN 1 lets upstream z0 out (and 4093 more VLANs), and z0-zsw1 up ")


def test_rule_that_stands_behind_another_proves_nothing(zone: tuple[Cloud, Files]) -> None:
    edit(zone[1], "z0-fw1", RULES, ("\t\tiifname { ", '\t\tiifname "eth1" accept\n\t\tiifname { '))
    assert [found.claim for found in findings(*zone)] == ["passed on"]


def test_bridge_without_the_port_to_the_zone_switch_is_found(zone: tuple[Cloud, Files]) -> None:
    edit(zone[1], "z0-fw1", INSIDE, ("Bridge=transparent\n", ""))
    assert "upstream z0: z0-zsw2 up does not reach z0-zsw1 up" in {
        found.statement for found in findings(*zone) if found.claim == "joined"
    }


def test_bridge_with_the_port_to_management_is_found(zone: tuple[Cloud, Files]) -> None:
    edit(zone[1], "z0-fw1", MANAGEMENT, ("[Network]\n", "[Network]\nBridge=transparent\n"))
    assert "management z0 and upstream z0 share a segment" in {
        found.statement for found in findings(*zone) if found.claim == "apart"
    }
