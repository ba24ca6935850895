"""Layer 3: who gets over a zone switch to where they must not."""

from __future__ import annotations

import pytest

from podwright.model.cloud import Cloud
from podwright.proof.routing import RULES
from tests.unit.plan.clouds import account, lab_declaration, made_declaration, two_zones_declaration
from tests.unit.proof.configurations import Files, edit, edit_switch, findings, rendered, with_port

SWITCH = "z0-zsw1"
DIRECTORY = "etc/systemd/network"
LAST_RULE = "\n\t}\n}\n"


def rack(backend: str = "linux") -> tuple[Cloud, Files]:
    declaration = made_declaration(1, 2, 1, backend)
    declaration["accounts"] = {"a0": account("z0", "p0", 2)}
    return rendered(declaration)


def test_zone_switches_of_the_inventories_pass_nothing_that_is_closed() -> None:
    for declaration in (lab_declaration(), two_zones_declaration()):
        assert findings(*rendered(declaration)) == []


@pytest.mark.parametrize("backend", ["linux", "openvswitch"])
def test_rule_between_guests_and_management(backend: str) -> None:
    cloud, files = rack(backend)
    edit(
        files,
        SWITCH,
        RULES,
        (LAST_RULE, '\n\t\tiifname "vlan12" oifname { "vlan10", "vrrp-vlan10" } accept' + LAST_RULE),
    )
    leaked = {finding.statement: finding for finding in findings(cloud, files)}
    assert {finding.claim for finding in leaked.values()} == {"apart"}
    found = leaked["public z0/p0 gets to management z0/p0 over Layer 3"]
    assert found.path == ("public z0/p0", f"{SWITCH} vlan12", f"{SWITCH} vlan10", "management z0/p0")
    # The other pod's public network gets there by way of the first one's.
    assert "public z0/p1 gets to management z0/p0 over Layer 3" in leaked


def test_zone_switch_without_its_packet_filter() -> None:
    cloud, files = rack()
    del files[SWITCH][RULES]
    leaked = {finding.statement for finding in findings(cloud, files)}
    assert "upstream z0 gets to management z0/p1 over Layer 3" in leaked


def test_policy_that_lets_everything_pass() -> None:
    cloud, files = rack()
    edit(
        files,
        SWITCH,
        RULES,
        ("hook forward priority filter; policy drop", "hook forward priority filter; policy accept"),
    )
    assert "public z0/p0 gets to tunnel z0/p1 over Layer 3" in {finding.statement for finding in findings(cloud, files)}


def test_networks_in_vrfs_of_their_own_are_apart() -> None:
    cloud, files = rack()
    edit(files, SWITCH, RULES, (LAST_RULE, '\n\t\tiifname "vlan12" oifname "vlan10" accept' + LAST_RULE))
    path = f"{DIRECTORY}/50-podwright-vlan10.network"
    edit(files, SWITCH, path, ("[Network]\n", "[Network]\nVRF=management\n"))
    assert [finding for finding in findings(cloud, files) if "Layer 3" in finding.statement] == []


def test_switch_that_does_not_forward_passes_nothing() -> None:
    cloud, files = rack()
    del files[SWITCH][RULES]
    del files[SWITCH]["etc/sysctl.d/50-podwright-zone-gateway.conf"]
    assert findings(cloud, files) == []


def test_rule_that_is_not_understood_is_said() -> None:
    cloud, files = rack()
    edit(files, SWITCH, RULES, (LAST_RULE, "\n\t\tip saddr 10.0.0.0/8 accept" + LAST_RULE))
    (doubt,) = findings(cloud, files)
    assert doubt.statement == (f"{SWITCH}: {RULES}: 'ip saddr 10.0.0.0/8 accept', which the proof cannot follow")


def test_guest_vlan_with_an_address_on_a_zone_switch() -> None:
    """An interface in a guest network is somebody in it, whatever is routed from there."""
    cloud, files = rack()
    for name in ("sw1", "sw2"):
        edit_switch(files, f"z0-p0-{name}", with_port("z1", tagged=frozenset({10, 12, 13, 1000})))
    trunks = [path for path in files[SWITCH] if "p0s" in path and path.endswith(".network")]
    for path in trunks:
        files[SWITCH][path] += "\n[BridgeVLAN]\nVLAN=1000\n"
    bridge = next(path for path, text in files[SWITCH].items() if "VLAN=vlan10\n" in text)
    edit(files, SWITCH, bridge, ("VLAN=vlan10\n", "VLAN=vlan10\nVLAN=vlan1000\n"))
    files[SWITCH][bridge] += "\n[BridgeVLAN]\nVLAN=1000\n"
    files[SWITCH][f"{DIRECTORY}/50-vlan1000.netdev"] = "[NetDev]\nName=vlan1000\nKind=vlan\n\n[VLAN]\nId=1000\n"
    files[SWITCH][f"{DIRECTORY}/50-vlan1000.network"] = "[Match]\nName=vlan1000\n\n[Network]\nAddress=10.1.1.2/24\n"
    (shared,) = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert shared.statement == (
        f"account a0/default and address 10.1.1.2/24 of {SWITCH}, which is in no declared network share a segment"
    )
    assert shared.path[-1] == f"{SWITCH} vlan1000"
