"""Owners that share a segment are found, with the way of a frame from one to the other."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plan.clouds import (
    account,
    lab_declaration,
    leases_for,
    made_declaration,
)
from tests.unit.proof.configurations import (
    DOMAIN,
    ROUNDS,
    add_ovs_port,
    edit,
    edit_switch,
    findings,
    pinned,
    rendered,
    two_pods,
    with_port,
)


@ROUNDS
@given(
    st.sampled_from(["linux", "openvswitch"]),
    st.lists(st.integers(1, 3), min_size=2, max_size=5),
    st.data(),
)
def test_nic_in_the_bridge_of_another_is_always_found(backend: str, machines: list[int], data: st.DataObject) -> None:
    declaration = made_declaration(1, 1, 1, backend)
    declaration["accounts"] = {f"a{number}": account("z0", "p0", count) for number, count in enumerate(machines)}
    cloud, files = rendered(declaration)
    leases = leases_for(cloud)
    one, other = data.draw(st.lists(st.sampled_from(range(len(machines))), min_size=2, max_size=2, unique=True))
    bridges = {number: f"guest{leases.guest_vlans[f'a{number}', 'default', 'p0']}" for number in (one, other)}
    edit(files, "z0-p0-hv0", DOMAIN.format(f"a{one}-m0"), (f'"{bridges[one]}"', f'"{bridges[other]}"'))
    shared = [finding.statement for finding in findings(cloud, files) if finding.claim == "apart"]
    first, second = sorted((one, other))
    assert shared == [f"account a{first}/default and account a{second}/default share a segment"]


def test_vlan_reused_in_one_pod() -> None:
    cloud, files = pinned()
    for device in ("east-p1-sw1", "east-p1-sw2"):
        edit_switch(files, device, with_port("swp7", tagged=frozenset({10, 20, 30, 101})))
    edit(files, "east-p1-hv2", "openvswitch.json", ('"tag": 102', '"tag": 101'), ("30, 102]", "30, 101]"))
    (shared,) = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert shared.statement == "account acme/default and account globex/default share a segment"
    assert shared.path == (
        "acme-east-router 02:70:77:00:00:01",
        "east-p1-hv1 guest101",
        "east-p1-hv1 br0 VLAN 101",
        "east-p1-hv1 eth1 VLAN 101",
        "east-p1-sw1 swp6 VLAN 101",
        "east-p1-sw1 swp7 VLAN 101",
        "east-p1-hv2 eth1 VLAN 101",
        "east-p1-hv2 br0 VLAN 101",
        "east-p1-hv2 guest102",
        "globex-east-router 02:70:77:00:00:05",
    )


def test_segment_bridged_into_management() -> None:
    cloud, files = rendered(two_pods())
    hypervisor = next(
        device for device, texts in files.items() if {*texts} >= {DOMAIN.format("a0-m0")} and "infra10" in str(texts)
    )
    vlan = next(Path(path).stem.removeprefix("50-podwright-guest") for path in files[hypervisor] if "-guest" in path)
    path = "etc/systemd/network/50-podwright-bond0.10.network"
    edit(files, hypervisor, path, ("Bridge=infra10", f"Bridge=guest{vlan}"))
    shared = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert any(
        "management z0/p0" in finding.statement
        and f"{hypervisor} guest{vlan}" in finding.path
        and f"{hypervisor} bond0.10" in finding.path
        for finding in shared
    )


def test_two_networks_of_an_account_are_apart() -> None:
    """The NICs of a machine that is in both are known by their order."""
    cloud, files = rendered(lab_declaration())
    (hypervisor,) = [device for device, its in files.items() if DOMAIN.format("acme-db1") in its]
    swap = (('"guest101"', '"other"'), ('"guest102"', '"guest101"'), ('"other"', '"guest102"'))
    edit(files, hypervisor, DOMAIN.format("acme-db1"), *swap)
    assert {found.statement for found in findings(cloud, files) if found.claim == "apart"} == {
        "account acme/default and account acme/inner share a segment"
    }


def test_machine_in_the_bridge_of_management() -> None:
    cloud, files = pinned()
    edit(files, "east-p1-hv1", DOMAIN.format("acme-web1"), ('bridge="guest101"', 'bridge="infra10"'))
    (shared,) = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert shared.statement == "account acme/default and management east/p1 share a segment"
    assert shared.path == ("acme-web1 02:70:77:00:00:04", "east-p1-hv1 infra10", "acme-east-router 02:70:77:00:00:02")


def test_guest_vlan_let_out_to_the_management_network() -> None:
    cloud, files = pinned()
    edit_switch(files, "east-p1-sw2", with_port("swp4", mode="trunk", untagged=10, tagged=frozenset({101})))
    (shared,) = findings(cloud, files)
    assert shared.statement == "account acme/default and management east/p1 share a segment"
    assert shared.path[-2:] == ("east-p1-sw2 swp4 VLAN 101", "management east/p1")


def test_guest_vlan_that_is_storage_of_another_host() -> None:
    cloud, files = pinned()
    edit(files, "east-p1-hv1", "openvswitch.json", ('"tag": 101', '"tag": 20'))
    shared = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert [finding.statement for finding in shared] == ["account acme/default and storage east/p1 share a segment"]


def test_nics_of_an_appliance_that_are_exchanged() -> None:
    """Whose they are is told by the addresses inside, not by their order."""
    cloud, files = pinned()
    path = DOMAIN.format("acme-east-router")
    edit(files, "east-p1-hv1", path, ('"guest101"', '"other"'), ('"infra30"', '"guest101"'), ('"other"', '"infra30"'))
    shared = {finding.statement for finding in findings(cloud, files) if finding.claim == "apart"}
    assert shared == {"account acme/default and public east/p1 share a segment"}


def test_vlans_without_tags_that_differ_at_the_ends_of_a_cable() -> None:
    """IEEE 802.1Q: what leaves VLAN 101 without a tag arrives in the VLAN of the other port."""
    cloud, files = rendered(lab_declaration())
    for device, vlan in (("east-p1-sw1", 101), ("east-p1-sw2", 103)):
        edit_switch(
            files, device, with_port("swp3", tagged=frozenset({10, 20, 30, 101, 102, 103} - {vlan}), untagged=vlan)
        )
    (shared,) = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert "account acme/default and account globex/default" in shared.statement
    assert {"east-p1-sw1 swp3", "east-p1-sw2 swp3"} <= set(shared.path)


def test_port_that_libvirt_made_counts_more_than_the_domain() -> None:
    cloud, files = pinned()
    add_ovs_port(files, "east-p1-hv1", "pw-77000004", 101, type="")
    assert findings(cloud, files) == []
    cloud, files = pinned()
    add_ovs_port(files, "east-p1-hv1", "pw-77000004", 20, type="")
    (shared,) = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert shared.statement == "account acme/default and storage east/p1 share a segment"
    assert shared.path[:3] == ("acme-web1 02:70:77:00:00:04", "east-p1-hv1 pw-77000004", "east-p1-hv1 br0 VLAN 20")


def test_machine_that_is_not_declared() -> None:
    cloud, files = pinned()
    text = files["east-p1-hv1"][DOMAIN.format("acme-web1")]
    stranger = text.replace("acme-web1", "stranger").replace("02:70:77:00:00:04", "02:00:00:00:00:01")
    files["east-p1-hv1"][DOMAIN.format("stranger")] = stranger
    (shared,) = findings(cloud, files)
    assert shared.statement == "account acme/default and machine stranger, which is not declared share a segment"
