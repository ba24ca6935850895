"""Layer 3: who gets over zone switches, firewalls and routing appliances to where they must not."""

from __future__ import annotations

import pytest

from podwright.model.cloud import Cloud
from podwright.proof.routing_appliance import RULES as APPLIANCE_RULES
from podwright.proof.zone_routers import FIREWALL_RULES
from podwright.proof.zone_routers import ZONE_SWITCH_RULES as RULES
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
    edit(files, SWITCH, RULES, (LAST_RULE, "\n\t\tip saddr 10.0.0.0/8 jump elsewhere" + LAST_RULE))
    (doubt,) = findings(cloud, files)
    assert doubt.statement == (
        f"{SWITCH}: {RULES}: 'ip saddr 10.0.0.0/8 jump elsewhere', which the proof cannot follow"
    )


def leaked(cloud: Cloud, files: Files) -> dict[str, tuple[str, ...]]:
    """{what is said of Layer 3: the way}, where nothing else is said."""
    found = findings(cloud, files)
    assert {finding.claim for finding in found} <= {"apart"}
    return {finding.statement.removesuffix(" over Layer 3"): finding.path for finding in found}


def test_firewall_that_lets_the_zone_switches_into_management() -> None:
    """What a customer's machine would do: by its appliance, a zone switch and the firewall."""
    cloud, files = rendered(two_zones_declaration())
    accept = '\t\tiifname "vlan40" oifname { "eth4", "eth5" } tcp dport 22 accept comment "by hand"\n'
    rule = "\t\tct state established,related accept\n\t\tiifname"
    edit(files, "east-fw1", FIREWALL_RULES, (rule, f"{accept}{rule}"))
    found = leaked(cloud, files)
    assert found["account acme/east gets to management east/p1"] == (
        *("account acme/east", "acme-east-router eth0", "acme-east-router eth2", "public east/p1"),
        *("east-zsw1 vlan30", "east-zsw1 vlan40", "transit east"),
        *("east-fw1 vlan40", "east-fw1 eth4", "management east/p1"),
    )
    assert {statement.partition(" gets to ")[2] for statement in found} == {"management east/p1", "management east/p2"}


def test_firewall_without_its_packet_filter() -> None:
    cloud, files = rendered(two_zones_declaration())
    del files["east-fw1"][FIREWALL_RULES]
    assert "upstream east gets to management east/p2" in leaked(cloud, files)


def test_vpn_that_lets_customers_of_the_other_zone_into_management() -> None:
    cloud, files = rendered(two_zones_declaration())
    selected = "ip saddr 10.202.1.0/24 ct original ip daddr 10.201.1.0/24"
    wider = selected.replace("10.202.1.0/24", "{ 10.202.1.0/24, 203.0.113.128/26 }")
    edit(files, "east-fw1", FIREWALL_RULES, (selected, wider))
    found = leaked(cloud, files)
    assert found["public west/p1 gets to management east/p1"] == (
        *("public west/p1", "east-fw1 ipsec", "east-fw1 eth4", "management east/p1"),
    )
    assert {statement.partition(" gets to ")[0] for statement in found} == {"public west/p1"}


@pytest.mark.parametrize("matches", ['iifname "ipsec0"', 'iifname "eth1" meta ipsec exists ip saddr != 192.0.2.1'])
def test_vpn_whose_sources_are_not_said(matches: str) -> None:
    cloud, files = rendered(two_zones_declaration())
    hook = "hook forward priority filter; policy drop;\n"
    edit(files, "east-fw1", FIREWALL_RULES, (hook, f'{hook}\t\t{matches} oifname "eth3" accept\n'))
    everybody = {"vpn of anybody gets to management east", "public west/p1 gets to management east"}
    assert set(leaked(cloud, files)) == everybody


def test_rule_for_a_vpn_and_for_zone_switches_counts_for_both() -> None:
    cloud, files = rendered(two_zones_declaration())
    hook = "hook forward priority filter; policy drop;\n"
    opened = f'{hook}\t\tiifname {{ "ipsec0", "vlan40" }} oifname "eth3" accept\n'
    edit(files, "east-fw1", FIREWALL_RULES, (hook, opened))
    assert {"vpn of anybody gets to management east", "account acme/east gets to management east"} <= set(
        leaked(cloud, files)
    )


def test_table_for_frames_is_none_for_packets() -> None:
    """A transparent firewall that lost its other table routes whatever comes."""
    cloud, files = rendered(two_zones_declaration())
    text = files["east-fw1"][FIREWALL_RULES]
    files["east-fw1"][FIREWALL_RULES] = text.replace("table inet", "table bridge")
    assert "upstream east gets to management east/p2" in leaked(cloud, files)


def test_appliance_that_passes_guests_on_to_management() -> None:
    cloud, files = rendered(lab_declaration())
    router = "acme-east-router"
    edit(files, router, APPLIANCE_RULES, ('iifname "eth0" oifname "eth2" ip saddr 10.1.1.0/24 accept', "accept"))
    found = leaked(cloud, files)
    way = ("account acme/default", f"{router} eth0", f"{router} eth1", "management east/p1")
    assert found["account acme/default gets to management east/p1"] == way
    # Whoever is in a public network comes in by the same rule, other accounts, too.
    assert found["account globex/default gets to account acme/default"][-3:] == (
        *(f"{router} eth2", f"{router} eth0", "account acme/default"),
    )


@pytest.mark.parametrize("what", ["rules", "forwarding"])
def test_appliance_that_forwards_without_a_filter_or_not_at_all(what: str) -> None:
    cloud, files = rendered(lab_declaration())
    del files["acme-east-router"][APPLIANCE_RULES]
    if what == "forwarding":
        del files["acme-east-router"]["etc/sysctl.d/50-podwright.conf"]
    assert ("account acme/default gets to management east/p1" in leaked(cloud, files)) == (what == "rules")


def test_guest_networks_of_an_account_reach_each_other_only_where_declared() -> None:
    declaration = lab_declaration()
    declaration["accounts"]["acme"]["guest_networks"]["default"]["reaches"] = ["inner"]
    cloud, files = rendered(declaration)
    assert leaked(cloud, files) == {}
    del declaration["accounts"]["acme"]["guest_networks"]["default"]["reaches"]
    cloud, _ = rendered(declaration)
    router = "acme-east-router"
    way = ("account acme/default", f"{router} eth0", f"{router} eth3", "account acme/inner")
    assert leaked(cloud, files) == {"account acme/default gets to account acme/inner": way}


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
