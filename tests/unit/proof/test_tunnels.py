"""VXLAN: who shares a network identifier, and who is not reached because an entry for a peer is missing."""

from __future__ import annotations

import re

import pytest

from tests.unit.plan.clouds import Declaration, account, lab_declaration, made_declaration
from tests.unit.proof.configurations import (
    Files,
    add_ovs_port,
    edit,
    findings,
    guest_bridge,
    pinned,
    rendered,
    two_pods,
)

VXLAN = "[NetDev]\nName={name}\nKind=vxlan\n\n[VXLAN]\nVNI={vni}\nDestinationPort=4789\n"


def tunnel(files: Files, device: str, vni: int, bridge: str) -> None:
    directory = "etc/systemd/network"
    files[device][f"{directory}/60-vni{vni}.netdev"] = VXLAN.format(name=f"vni{vni}", vni=vni)
    files[device][f"{directory}/60-vni{vni}.network"] = f"[Match]\nName=vni{vni}\n\n[Network]\nBridge={bridge}\n"


def test_vni_shared_between_accounts_of_two_pods() -> None:
    cloud, files = rendered(two_pods())
    (one, first), (other, second) = guest_bridge(files, "a0"), guest_bridge(files, "a1")
    tunnel(files, one, 7001, first)
    tunnel(files, other, 7002, second)
    assert findings(cloud, files) == []
    tunnel(files, other, 7001, second)
    (shared,) = findings(cloud, files)
    assert shared.statement == "account a0/default and account a1/default share a segment"
    way = (f"{one} {first}", f"{one} vni7001", "VNI 7001 of zone z0", f"{other} vni7001", f"{other} {second}")
    assert way == shared.path[1:-1]


def test_vni_shared_in_open_vswitch() -> None:
    cloud, files = pinned()
    options = ["map", [["key", "7001"], ["remote_ip", "192.0.2.1"]]]
    for device, tag in (("east-p1-hv1", 101), ("east-p1-hv2", 102)):
        add_ovs_port(files, device, "vx", tag, type="vxlan", options=options)
    (shared,) = findings(cloud, files)
    assert shared.statement == "account acme/default and account globex/default share a segment"
    assert "VNI 7001 of zone east" in shared.path


def test_tunnel_that_is_not_understood_is_said() -> None:
    cloud, files = pinned()
    add_ovs_port(files, "east-p1-hv1", "gre0", 101, type="gre", options=["map", [["remote_ip", "192.0.2.1"]]])
    (doubt,) = findings(cloud, files)
    assert (doubt.claim, doubt.statement) == (
        "read",
        "east-p1-hv1: port gre0 is a tunnel of a kind that the proof cannot follow",
    )


def three_pods(backend: str) -> Declaration:
    """One account with a machine in each of three pods, its routing appliance beside the first."""
    declaration = made_declaration(1, 3, 1, backend)
    declaration["accounts"] = {"a0": account("z0", "p0", 3, {1: "p1", 2: "p2"})}
    return declaration


NETWORK = "etc/systemd/network/50-podwright-vxlan5001.network"
NETDEV = "etc/systemd/network/50-podwright-vxlan5001.netdev"
ENTRY = "\n[BridgeFDB]\nMACAddress=00:00:00:00:00:00\nDestination={}\nAssociatedWith=self\n"
ADDRESSES = ("10.128.64.10", "10.129.64.10", "10.130.64.10")
"""Of the hypervisors of the three pods in the tunnel networks"""

BACKENDS = pytest.mark.parametrize("backend", ["linux", "openvswitch"])


@BACKENDS
def test_three_pods_prove_clean(backend: str) -> None:
    assert findings(*rendered(three_pods(backend))) == []


@BACKENDS
def test_entry_for_a_peer_is_missing(backend: str) -> None:
    """The third pod answers nobody's question for who has an address there: others still reach each other."""
    cloud, files = rendered(three_pods(backend))
    edit(files, "z0-p1-hv0", NETWORK, (ENTRY.format(ADDRESSES[2]), ""))
    (torn,) = findings(cloud, files)
    assert torn.claim == "joined"
    assert re.fullmatch(r"account a0/default: a0-m1 \S+ does not reach a0-m2 \S+", torn.statement)
    assert torn.path[-2:] == (
        "z0-p1-hv0 vxlan5001",
        "ends: it has no entry for 10.130.64.10 of z0-p2-hv0 vxlan5001",
    )


@BACKENDS
def test_tunnel_of_one_side_only(backend: str) -> None:
    cloud, files = rendered(three_pods(backend))
    edit(files, "z0-p2-hv0", NETWORK, *((ENTRY.format(address), "") for address in ADDRESSES[:2]))
    (torn,) = findings(cloud, files)
    assert re.fullmatch(r"account a0/default: a0-m2 \S+ does not reach \S+ \S+", torn.statement)
    assert torn.path[-2].startswith("z0-p2-hv0 vxlan5001")
    assert torn.path[-1].startswith("ends: it has no entry for 10.128.64.10 of z0-p0-hv0 vxlan5001")


@pytest.mark.parametrize(
    "change", [("VNI=5001", "VNI=5002"), ("Local=10.130.64.10", "Local=10.130.64.11")], ids=["identifier", "address"]
)
def test_tunnel_that_is_not_where_the_others_look_for_it(change: tuple[str, str]) -> None:
    cloud, files = rendered(three_pods("linux"))
    edit(files, "z0-p2-hv0", NETDEV, change)
    assert {finding.claim for finding in findings(cloud, files)} == {"joined"}


@BACKENDS
def test_entries_do_not_lead_over_a_third_hypervisor(backend: str) -> None:
    """Split horizon: what came out of a tunnel goes into none, so every pair needs entries of its own."""
    cloud, files = rendered(three_pods(backend))
    edit(files, "z0-p1-hv0", NETWORK, (ENTRY.format(ADDRESSES[2]), ""))
    edit(files, "z0-p2-hv0", NETWORK, (ENTRY.format(ADDRESSES[1]), ""))
    (torn,) = findings(cloud, files)
    assert torn.claim == "joined"


def test_vlan_torn_inside_a_pod_is_not_made_good_by_tunnels() -> None:
    """Both hypervisors of the pod have a tunnel to the other pod, and none to each other."""
    cloud, files = rendered(lab_declaration())
    edit(files, "east-p1-hv1", "openvswitch.json", ("101, 102, 103]", "102, 103]"))
    torn = [finding for finding in findings(cloud, files) if finding.claim == "joined"]
    assert torn
    assert all("acme/default" in finding.statement for finding in torn)


def test_peers_found_by_multicast_are_not_understood() -> None:
    cloud, files = rendered(three_pods("linux"))
    edit(files, "z0-p2-hv0", NETDEV, ("VNI=5001", "VNI=5001\nGroup=239.0.0.1"))
    (doubt,) = findings(cloud, files)
    assert doubt.statement == "z0-p2-hv0: vxlan5001 finds its peers by multicast, which the proof cannot follow"
