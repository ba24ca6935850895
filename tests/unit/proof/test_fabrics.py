"""Public and private pod switches: what is on a switch of the other kind is found, with the way that it takes there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from podwright.proof.segments import Finding
from podwright.switches.state import SwitchState
from tests.unit.plan.clouds import Declaration, account, made_declaration, with_public_switches, with_racks
from tests.unit.proof.configurations import Files, carrying, edit, edit_switch, findings, rendered, with_port

PUBLIC, PRIVATE = ("z0-p0-sw1-pub", "z0-p0-sw2-pub"), ("z0-p0-sw1", "z0-p0-sw2")


def apart(backend: str = "openvswitch", in_racks: bool = False) -> Declaration:
    """A pod of two hypervisors with pairs of both kinds; acme and its appliance are on the first."""
    declaration = made_declaration(1, 1, 2, backend)
    declaration["accounts"] = {"acme": account("z0", "p0", machines=2)}
    for machine in declaration["accounts"]["acme"]["machines"].values():
        machine["hypervisor"] = "z0-p0-hv0"
    return with_public_switches(with_racks(declaration) if in_racks else declaration)


def with_vlan(files: Files, switches: tuple[str, ...], vlan: int, *ports: str) -> None:
    """Let a VLAN pass ports of switches that may not have it yet."""

    def change(state: SwitchState) -> SwitchState:
        state = replace(state, vlans={**(state.vlans or {}), vlan: "stray"})
        for port in ports:
            state = with_port(port, tagged=carrying(state, port) | {vlan})(state)
        return state

    for switch in switches:
        edit_switch(files, switch, change)


def strays(found: list[Finding]) -> dict[str, tuple[str, ...]]:
    return {finding.statement: finding.path for finding in found if "networks alone" in finding.statement}


@pytest.mark.parametrize("backend", ["linux", "openvswitch"])
@pytest.mark.parametrize("in_racks", [False, True], ids=["one layer", "racks"])
def test_two_fabrics_are_joined_and_apart_as_they_shall(backend: str, in_racks: bool) -> None:
    assert findings(*rendered(apart(backend, in_racks))) == []


def test_public_vlan_on_the_trunk_of_a_private_switch() -> None:
    """The zone switch does not take it; nor is it let out anywhere else."""
    cloud, files = rendered(apart())
    with_vlan(files, PRIVATE[:1], 12, "z1")
    (found,) = findings(cloud, files)
    assert found.claim == "passed on"
    assert found.statement == "z0-p0-sw1 z1 VLAN 12 is open, and z0-zsw1 p0s1 does not let VLAN 12 in"
    assert found.path == ("z0-p0-sw1 z1 VLAN 12", "ends: z0-zsw1 p0s1 does not let VLAN 12 in")


def test_public_network_that_is_all_on_private_switches() -> None:
    """Its segment is whole, and nobody else is in it."""
    cloud, files = rendered(apart())
    with_vlan(files, PRIVATE, 12, "z1", "z2", "peer")
    joined = (
        ('"trunks": ["set", [10, 13]]', '"trunks": ["set", [10, 12, 13]]'),
        ('"name": "public12"', '"name": "pod10"'),
    )
    for zone_switch in ("z0-zsw1", "z0-zsw2"):
        edit(files, zone_switch, "openvswitch.json", *joined)
    found = findings(cloud, files)
    assert [finding.claim for finding in found] == ["apart", "apart"]
    path = strays(found)["public z0/p0 is on z0-p0-sw1, which carries private networks alone"]
    assert (path[0], path[-1]) == ("z0-zsw1 vlan12", "z0-p0-sw1 z1 VLAN 12")


def test_guest_vlan_on_a_public_switch() -> None:
    cloud, files = rendered(apart())
    with_vlan(files, PUBLIC, 1000, "h1", "peer")
    edit(files, "z0-p0-hv0", "openvswitch.json", ('"trunks": ["set", [12]]', '"trunks": ["set", [12, 1000]]'))
    (found,) = findings(cloud, files)
    assert found.claim == "needed"
    assert found.statement.endswith("carries it for nobody")
    # A bridge of the host that joins its two bonds: then the account is on the switch.
    edit(files, "z0-p0-hv0", "openvswitch.json", ('"name": "br1"', '"name": "br0"'))
    found = findings(cloud, files)
    path = strays(found)["account acme/default is on z0-p0-sw1-pub, which carries public networks alone"]
    assert path[1:] == (
        "z0-p0-hv0 guest1000",
        "z0-p0-hv0 br0 VLAN 1000",
        "z0-p0-hv0 eth1x VLAN 1000",
        "z0-p0-sw1-pub h1 VLAN 1000",
    )
