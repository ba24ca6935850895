"""VLANs that do not get to all who need them, or get to where nobody does."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.plan.clouds import (
    Declaration,
    account,
    lab_declaration,
    made_declaration,
    with_racks,
)
from tests.unit.proof.configurations import (
    carrying,
    edit,
    edit_switch,
    findings,
    pinned,
    rendered,
    two_pods,
    with_port,
)


def test_trunk_too_wide_at_one_end() -> None:
    cloud, files = pinned()
    edit_switch(files, "east-p1-sw1", with_port("swp7", tagged=frozenset({10, 20, 30, 101, 102})))
    (found,) = findings(cloud, files)
    assert found.claim == "passed on"
    assert found.statement == (
        "east-p1-sw1 swp7 VLAN 101 lets account acme/default out, and east-p1-hv2 eth1 does not let VLAN 101 in"
    )
    assert found.path[-3:] == (
        "east-p1-sw1 swp6 VLAN 101",
        "east-p1-sw1 swp7 VLAN 101",
        "ends: east-p1-hv2 eth1 does not let VLAN 101 in",
    )


def test_trunk_too_wide_at_both_ends() -> None:
    cloud, files = pinned()
    for device in ("east-p1-sw1", "east-p1-sw2"):
        edit_switch(files, device, with_port("swp7", tagged=frozenset({10, 20, 30, 101, 102})))
    edit(files, "east-p1-hv2", "openvswitch.json", ("30, 102]", "30, 101, 102]"))
    (found,) = findings(cloud, files)
    assert (found.claim, found.statement) == (
        "needed",
        "east-p1-hv2 br0 VLAN 101 is in the segment of account acme/default, and nobody there needs it",
    )
    assert found.path[-2:] == ("east-p1-hv2 eth1 VLAN 101", "east-p1-hv2 br0 VLAN 101")


def test_trunk_without_a_list_is_too_wide() -> None:
    cloud, files = pinned()
    edit(files, "east-p1-hv2", "openvswitch.json", ('"trunks": ["set", [10, 20, 30, 102]]', '"trunks": ["set", []]'))
    found = findings(cloud, files)
    assert {finding.claim for finding in found} == {"passed on"}
    assert "(and 4090 more VLANs)" in found[0].statement


def test_vlan_missing_on_one_trunk() -> None:
    """The host is still reached over its other leg, but it may use this one."""
    cloud, files = rendered(lab_declaration())
    edit_switch(files, "east-p1-sw1", lambda state: with_port("swp6", tagged=carrying(state, "swp6") - {101})(state))
    claims = {finding.claim: finding for finding in findings(cloud, files)}
    assert claims.keys() == {"joined", "passed on"}
    torn = claims["joined"]
    assert torn.statement.startswith("account acme/default: acme-")
    assert torn.path[-3:] == (
        "east-p1-hv1 br0 VLAN 101",
        "east-p1-hv1 eth1 VLAN 101",
        "ends: east-p1-sw1 swp6 does not let VLAN 101 in",
    )
    assert claims["passed on"].path[-1] == "ends: east-p1-sw1 swp6 does not let VLAN 101 in"


def in_racks() -> Declaration:
    """A pod of two racks; the three machines of each account are in both."""
    declaration = made_declaration(1, 1, 4)
    declaration["accounts"] = {f"a{number}": account("z0", "p0", machines=3) for number in range(3)}
    return with_racks(declaration)


def test_racks_are_joined_and_apart_as_they_shall() -> None:
    assert findings(*rendered(in_racks())) == []


def test_vlan_missing_between_a_rack_and_what_joins_it() -> None:
    cloud, files = rendered(in_racks())
    for device in ("z0-p0-sw1-r1", "z0-p0-sw2-r1"):
        for port in ("up0", "up1"):
            edit_switch(files, device, lambda state, p=port: with_port(p, tagged=carrying(state, p) - {1000})(state))
    torn = [finding for finding in findings(cloud, files) if finding.claim == "joined"]
    assert any("account a0/default" in finding.statement for finding in torn)


def test_vlan_missing_between_the_pod_switches() -> None:
    cloud, files = rendered(lab_declaration())
    for device in ("east-p1-sw1", "east-p1-sw2"):
        edit_switch(files, device, lambda state: with_port("swp3", tagged=carrying(state, "swp3") - {101})(state))
    (torn,) = findings(cloud, files)
    assert (torn.claim, torn.path[-1]) == ("joined", "ends: the others are not behind it")
    assert "account acme/default" in torn.statement


def test_vlan_that_a_switch_does_not_have_passes_no_port_of_it() -> None:
    cloud, files = rendered(lab_declaration())
    edit_switch(
        files,
        "east-p1-sw2",
        lambda state: replace(state, vlans={vlan: name for vlan, name in (state.vlans or {}).items() if vlan != 101}),
    )
    found = findings(cloud, files)
    assert {"joined", "passed on"} == {finding.claim for finding in found}
    assert all("acme/default" in finding.statement for finding in found)


def test_plain_bridge_over_two_cables_lets_everything_through() -> None:
    cloud, files = rendered(two_pods())
    bridge = "[NetDev]\nName=br0\nKind=bridge\n"
    for path in [path for path in files["z0-zsw1"] if path.endswith(".network") and "vlan" not in path]:
        if "BridgeVLAN" in files["z0-zsw1"][path]:
            files["z0-zsw1"][path] = files["z0-zsw1"][path].partition("[BridgeVLAN]")[0]
    files["z0-zsw1"]["etc/systemd/network/50-podwright-br0.netdev"] = bridge
    edit_switch(files, "z0-p0-sw1", with_port("z1", tagged=frozenset({10, 12, 1000})))
    assert any(finding.claim == "passed on" and "z0-zsw1" in finding.statement for finding in findings(cloud, files))


def test_port_without_a_cable() -> None:
    cloud, files = pinned()
    edit_switch(files, "east-p1-sw1", with_port("swp48", mode="access", untagged=101))
    (found,) = findings(cloud, files)
    assert found.statement == "east-p1-sw1 swp48 lets account acme/default out, and no cable is declared"


def test_vlan_that_nobody_is_in() -> None:
    cloud, files = pinned()
    for device in ("east-p1-sw1", "east-p1-sw2"):
        edit_switch(
            files,
            device,
            lambda state: with_port("swp3", tagged=carrying(state, "swp3") | {150})(
                replace(state, vlans={**(state.vlans or {}), 150: "old"})
            ),
        )
    (found,) = findings(cloud, files)
    assert found.claim == "needed"
    assert found.statement == (
        "the cable from east-p1-sw1 swp3 VLAN 150 to east-p1-sw2 swp3 VLAN 150 carries it for nobody"
    )
