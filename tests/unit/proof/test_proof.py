"""Right configurations prove clean, and what is wrong with others is found with the way of a frame that shows it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from podwright.cli import app
from podwright.errors import PlanError
from podwright.model.cloud import Cloud
from podwright.proof.cloud import prove
from podwright.proof.segments import Finding
from podwright.rendering.stage import configurations_of, render_cloud
from podwright.switches.driver import find_platform
from podwright.switches.platforms import platform_names
from podwright.switches.platforms.openconfig_netconf import configuration, parse
from podwright.switches.state import Port, SwitchState
from tests.unit.plan.clouds import (
    Declaration,
    account,
    cloud_of,
    declare,
    declare_lab,
    declared,
    lab_declaration,
    leases_for,
    made_declaration,
    with_racks,
)
from tests.unit.plan.test_properties import declarations

Files = dict[str, dict[str, str]]
DOMAIN = "etc/libvirt/qemu/{}.xml"
ROUNDS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rendered(cloud: Cloud) -> Files:
    return {device: dict(files) for device, files in configurations_of(cloud, leases_for(cloud)).items()}


def two_pods() -> Declaration:
    """One zone, two pods of three hypervisors, all of Linux's own bridges, three accounts in each pod."""
    declaration = made_declaration(1, 2, 3)
    declaration["accounts"] = {f"a{number}": account("z0", f"p{number % 2}", machines=3) for number in range(6)}
    return declaration


def lab_in_one_pod() -> Declaration:
    """The lab with all machines of an account in the pod of its network.

    VXLAN is taken to reach all who have a VNI, and would make good for what is torn inside a pod.
    """
    declaration = lab_declaration()
    for of_account in declaration["accounts"].values():
        for machine in of_account["machines"].values():
            machine.pop("pod", None)
    return declaration


def pinned_lab() -> Declaration:
    """The lab with acme on hypervisor 1 alone and globex on hypervisor 2."""
    declaration = lab_declaration()
    for name, hypervisor in (("acme", "east-p1-hv1"), ("globex", "east-p1-hv2")):
        declaration["accounts"][name]["machines"] = {
            "web1": {
                "guest_network": "default",
                "image": "tiny",
                "offering": "tiny",
                "hypervisor": hypervisor,
            }
        }
    return declaration


def pinned_files(cloud: Cloud) -> Files:
    leases = leases_for(cloud)
    placements = {**leases.placements, "acme-east-router": "east-p1-hv1", "globex-east-router": "east-p1-hv2"}
    return {
        device: dict(files)
        for device, files in configurations_of(cloud, replace(leases, placements=placements)).items()
    }


def findings(cloud: Cloud, files: Files) -> list[Finding]:
    return list(prove(cloud, files).findings)


def edit(files: Files, device: str, path: str, *changes: tuple[str, str]) -> None:
    for old, new in changes:
        assert old in files[device][path]
        files[device][path] = files[device][path].replace(old, new)


def edit_switch(files: Files, device: str, change: Callable[[SwitchState], SwitchState]) -> None:
    files[device]["running-config"] = configuration(change(parse(files[device]["running-config"])))


def with_port(name: str, **changes: Any) -> Callable[[SwitchState], SwitchState]:
    """A switch's state with something else on a port."""

    def change(state: SwitchState) -> SwitchState:
        ports = dict(state.ports or {})
        ports[name] = replace(ports.get(name, Port("trunk")), **changes)
        return replace(state, ports=ports)

    return change


def carrying(state: SwitchState, port: str) -> frozenset[int]:
    return (state.ports or {})[port].tagged


@ROUNDS
@given(declarations())
def test_generated_clouds_prove_clean(declaration: Declaration) -> None:
    cloud = cloud_of(declaration)
    files = rendered(cloud)
    proof = prove(cloud, files)
    assert proof.findings == ()
    assert proof.devices == len(files)
    assert proof.owners.get("account", 0) == len(declaration["accounts"])


@ROUNDS
@given(
    st.sampled_from(["linux", "openvswitch"]),
    st.lists(st.integers(1, 3), min_size=2, max_size=5),
    st.data(),
)
def test_nic_in_the_bridge_of_another_is_always_found(backend: str, machines: list[int], data: st.DataObject) -> None:
    declaration = made_declaration(1, 1, 1, backend)
    declaration["accounts"] = {f"a{number}": account("z0", "p0", count) for number, count in enumerate(machines)}
    cloud = cloud_of(declaration)
    leases = leases_for(cloud)
    files = rendered(cloud)
    one, other = data.draw(st.lists(st.sampled_from(range(len(machines))), min_size=2, max_size=2, unique=True))
    bridges = {number: f"guest{leases.guest_vlans[f'a{number}', 'default', 'p0']}" for number in (one, other)}
    edit(files, "z0-p0-hv0", DOMAIN.format(f"a{one}-m0"), (f'"{bridges[one]}"', f'"{bridges[other]}"'))
    shared = [finding.statement for finding in findings(cloud, files) if finding.claim == "apart"]
    first, second = sorted((one, other))
    assert shared == [f"account a{first}/default and account a{second}/default share a segment"]


PORTS = {"eos": "Ethernet", "ios": "GigabitEthernet1/0/", "nxos": "Ethernet1/", "sonic": "Ethernet"}
"""What switches of a platform call their ports, before the number"""


@pytest.mark.parametrize("platform", platform_names())
def test_each_platform_says_the_same_in_its_own_syntax(platform: str) -> None:
    declaration = lab_declaration()
    zone, port = declaration["zones"]["east"], PORTS.get(platform, "swp")
    for switch in zone["pods"]["p1"]["pod_switches"].values():
        switch["platform"] = platform
    zone["cables"] = [[re.sub(r"(-sw\d:)swp", rf"\g<1>{port}", end) for end in cable] for cable in zone["cables"]]
    cloud = cloud_of(declaration)
    files = rendered(cloud)
    assert findings(cloud, files) == []
    module = find_platform(platform)
    state = module.parse(files["east-p1-sw1"]["running-config"])
    narrow = with_port(f"{port}6", tagged=frozenset({10, 20}))(state)
    files["east-p1-sw1"]["running-config"] = module.configuration(narrow)
    assert {finding.claim for finding in findings(cloud, files)} == {"joined", "passed on"}


def test_vlan_reused_in_one_pod() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
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


def test_trunk_too_wide_at_one_end() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
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
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
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
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    edit(files, "east-p1-hv2", "openvswitch.json", ('"trunks": ["set", [10, 20, 30, 102]]', '"trunks": ["set", []]'))
    found = findings(cloud, files)
    assert {finding.claim for finding in found} == {"passed on"}
    assert "(and 4090 more VLANs)" in found[0].statement


def test_vlan_missing_on_one_trunk() -> None:
    """The host is still reached over its other leg, but it may use this one."""
    cloud = cloud_of(lab_in_one_pod())
    files = rendered(cloud)
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
    cloud = cloud_of(in_racks())
    assert findings(cloud, rendered(cloud)) == []


def test_vlan_missing_between_a_rack_and_what_joins_it() -> None:
    cloud = cloud_of(in_racks())
    files = rendered(cloud)
    for device in ("z0-p0-sw1-r1", "z0-p0-sw2-r1"):
        for port in ("up0", "up1"):
            state = parse(files[device]["running-config"])
            assert state.ports is not None
            edit_switch(files, device, with_port(port, tagged=state.ports[port].tagged - {1000}))
    torn = [finding for finding in findings(cloud, files) if finding.claim == "joined"]
    assert any("account a0/default" in finding.statement for finding in torn)


def test_vlan_missing_between_the_pod_switches() -> None:
    cloud = cloud_of(lab_in_one_pod())
    files = rendered(cloud)
    for device in ("east-p1-sw1", "east-p1-sw2"):
        edit_switch(files, device, with_port("swp3", tagged=frozenset({10, 20, 30, 102})))
    (torn,) = findings(cloud, files)
    assert (torn.claim, torn.path[-1]) == ("joined", "ends: the others are not behind it")
    assert "account acme/default" in torn.statement


def test_vlan_that_a_switch_does_not_have_passes_no_port_of_it() -> None:
    cloud = cloud_of(lab_in_one_pod())
    files = rendered(cloud)
    edit_switch(
        files,
        "east-p1-sw2",
        lambda state: replace(state, vlans={vlan: name for vlan, name in (state.vlans or {}).items() if vlan != 101}),
    )
    found = findings(cloud, files)
    assert {"joined", "passed on"} == {finding.claim for finding in found}
    assert all("acme/default" in finding.statement for finding in found)


def test_segment_bridged_into_management() -> None:
    cloud = cloud_of(two_pods())
    files = rendered(cloud)
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


def test_machine_in_the_bridge_of_management() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    edit(files, "east-p1-hv1", DOMAIN.format("acme-web1"), ('bridge="guest101"', 'bridge="infra10"'))
    (shared,) = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert shared.statement == "account acme/default and management east/p1 share a segment"
    assert shared.path == ("acme-web1 02:70:77:00:00:04", "east-p1-hv1 infra10", "acme-east-router 02:70:77:00:00:02")


def test_guest_vlan_let_out_to_the_management_network() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    edit_switch(files, "east-p1-sw2", with_port("swp4", mode="trunk", untagged=10, tagged=frozenset({101})))
    (shared,) = findings(cloud, files)
    assert shared.statement == "account acme/default and management east/p1 share a segment"
    assert shared.path[-2:] == ("east-p1-sw2 swp4 VLAN 101", "management east/p1")


def test_guest_vlan_that_is_storage_of_another_host() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    edit(files, "east-p1-hv1", "openvswitch.json", ('"tag": 101', '"tag": 20'))
    shared = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert [finding.statement for finding in shared] == ["account acme/default and storage east/p1 share a segment"]


def test_nics_of_an_appliance_that_are_exchanged() -> None:
    """Whose they are is told by the addresses inside, not by their order."""
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    path = DOMAIN.format("acme-east-router")
    edit(files, "east-p1-hv1", path, ('"guest101"', '"other"'), ('"infra30"', '"guest101"'), ('"other"', '"infra30"'))
    shared = {finding.statement for finding in findings(cloud, files) if finding.claim == "apart"}
    assert shared == {"account acme/default and public east/p1 share a segment"}


def test_vlans_without_tags_that_differ_at_the_ends_of_a_cable() -> None:
    """IEEE 802.1Q: what leaves VLAN 101 without a tag arrives in the VLAN of the other port."""
    cloud = cloud_of(lab_declaration())
    files = rendered(cloud)
    for device, vlan in (("east-p1-sw1", 101), ("east-p1-sw2", 102)):
        edit_switch(files, device, with_port("swp3", tagged=frozenset({10, 20, 30, 101, 102} - {vlan}), untagged=vlan))
    (shared,) = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert "account acme/default and account globex/default" in shared.statement
    assert {"east-p1-sw1 swp3", "east-p1-sw2 swp3"} <= set(shared.path)


VXLAN = "[NetDev]\nName={name}\nKind=vxlan\n\n[VXLAN]\nVNI={vni}\nDestinationPort=4789\n"


def tunnel(files: Files, device: str, vni: int, bridge: str) -> None:
    directory = "etc/systemd/network"
    files[device][f"{directory}/60-vni{vni}.netdev"] = VXLAN.format(name=f"vni{vni}", vni=vni)
    files[device][f"{directory}/60-vni{vni}.network"] = f"[Match]\nName=vni{vni}\n\n[Network]\nBridge={bridge}\n"


def guest_bridge(files: Files, account_name: str) -> tuple[str, str]:
    """(hypervisor, bridge) of an account's first machine."""
    path = DOMAIN.format(f"{account_name}-m0")
    device = next(device for device, texts in files.items() if path in texts)
    return device, files[device][path].partition('<source bridge="')[2].partition('"')[0]


def test_vni_shared_between_accounts_of_two_pods() -> None:
    cloud = cloud_of(two_pods())
    files = rendered(cloud)
    (one, first), (other, second) = guest_bridge(files, "a0"), guest_bridge(files, "a1")
    tunnel(files, one, 7001, first)
    tunnel(files, other, 7002, second)
    assert findings(cloud, files) == []
    tunnel(files, other, 7001, second)
    (shared,) = findings(cloud, files)
    assert shared.statement == "account a0/default and account a1/default share a segment"
    way = (f"{one} {first}", f"{one} vni7001", "VNI 7001 of zone z0", f"{other} vni7001", f"{other} {second}")
    assert way == shared.path[1:-1]


def add_ovs_port(files: Files, device: str, name: str, tag: int, **interface: str | list[Any]) -> None:
    """Put a port with one interface on br0, as a database that was collected has it."""
    bridges, ports, interfaces, queues = json.loads(files[device]["openvswitch.json"])
    bridges["rows"][0]["ports"][1].append(["uuid", f"port-{name}"])
    ports["rows"].append(
        {"_uuid": ["uuid", f"port-{name}"], "name": name, "tag": tag, "interfaces": ["uuid", f"interface-{name}"]}
    )
    interfaces["rows"].append({"_uuid": ["uuid", f"interface-{name}"], "name": name, **interface})
    files[device]["openvswitch.json"] = json.dumps([bridges, ports, interfaces, queues])


def test_vni_shared_in_open_vswitch() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    options = ["map", [["key", "7001"], ["remote_ip", "192.0.2.1"]]]
    for device, tag in (("east-p1-hv1", 101), ("east-p1-hv2", 102)):
        add_ovs_port(files, device, "vx", tag, type="vxlan", options=options)
    (shared,) = findings(cloud, files)
    assert shared.statement == "account acme/default and account globex/default share a segment"
    assert "VNI 7001 of zone east" in shared.path


def test_port_that_libvirt_made_counts_more_than_the_domain() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    add_ovs_port(files, "east-p1-hv1", "pw-77000004", 101, type="")
    assert findings(cloud, files) == []
    files = pinned_files(cloud)
    add_ovs_port(files, "east-p1-hv1", "pw-77000004", 20, type="")
    (shared,) = [finding for finding in findings(cloud, files) if finding.claim == "apart"]
    assert shared.statement == "account acme/default and storage east/p1 share a segment"
    assert shared.path[:3] == ("acme-web1 02:70:77:00:00:04", "east-p1-hv1 pw-77000004", "east-p1-hv1 br0 VLAN 20")


def test_tunnel_that_is_not_understood_is_said() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    add_ovs_port(files, "east-p1-hv1", "gre0", 101, type="gre", options=["map", [["remote_ip", "192.0.2.1"]]])
    (doubt,) = findings(cloud, files)
    assert (doubt.claim, doubt.statement) == (
        "read",
        "east-p1-hv1: port gre0 is a tunnel of a kind that the proof cannot follow",
    )


def test_plain_bridge_over_two_cables_lets_everything_through() -> None:
    cloud = cloud_of(two_pods())
    files = rendered(cloud)
    bridge = "[NetDev]\nName=br0\nKind=bridge\n"
    for path in [path for path in files["z0-zsw1"] if path.endswith(".network") and "vlan" not in path]:
        if "BridgeVLAN" in files["z0-zsw1"][path]:
            files["z0-zsw1"][path] = files["z0-zsw1"][path].partition("[BridgeVLAN]")[0]
    files["z0-zsw1"]["etc/systemd/network/50-podwright-br0.netdev"] = bridge
    edit_switch(files, "z0-p0-sw1", with_port("z1", tagged=frozenset({10, 12, 1000})))
    assert any(finding.claim == "passed on" and "z0-zsw1" in finding.statement for finding in findings(cloud, files))


def test_machine_that_is_not_declared() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    text = files["east-p1-hv1"][DOMAIN.format("acme-web1")]
    stranger = text.replace("acme-web1", "stranger").replace("02:70:77:00:00:04", "02:00:00:00:00:01")
    files["east-p1-hv1"][DOMAIN.format("stranger")] = stranger
    (shared,) = findings(cloud, files)
    assert shared.statement == "account acme/default and machine stranger, which is not declared share a segment"


def test_port_without_a_cable() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    edit_switch(files, "east-p1-sw1", with_port("swp48", mode="access", untagged=101))
    (found,) = findings(cloud, files)
    assert found.statement == "east-p1-sw1 swp48 lets account acme/default out, and no cable is declared"


def test_vlan_that_nobody_is_in() -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
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


@pytest.mark.parametrize(
    "change, doubt",
    [
        (lambda files: files.pop("east-p1-hv2"), "east-p1-hv2: has no configuration; collect it, or render it"),
        (lambda files: files["east-p1-sw1"].pop("running-config"), "east-p1-sw1: 'running-config' is missing"),
        (
            lambda files: files["east-p1-sw1"].update({"running-config": "<data>"}),
            "east-p1-sw1: its configuration cannot be read: ",
        ),
        (
            lambda files: files["east-p1-hv1"].update({"openvswitch.json": "{"}),
            "east-p1-hv1: its configuration cannot be read: ",
        ),
        (lambda files: files.update({"other": {}}), "other: has a configuration and is not declared"),
        (
            lambda files: files.update({"acme-east-router": {}}),
            "acme-east-router: no address is given to any of its NICs",
        ),
    ],
)
def test_what_was_not_read_is_not_proved(change: Callable[[Files], Any], doubt: str) -> None:
    cloud = cloud_of(pinned_lab())
    files = pinned_files(cloud)
    change(files)
    proof = prove(cloud, files)
    assert not proof.holds
    assert [finding for finding in proof.findings if finding.claim == "read" and finding.statement.startswith(doubt)]


def podwright(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["prove", *map(str, arguments)], catch_exceptions=False)


def test_command_proves_what_was_rendered_or_collected(tmp_path: Path) -> None:
    cloud_file = declare_lab(tmp_path)
    declare(cloud_file, declared(cloud_file))
    with pytest.raises(PlanError, match="state/rendered: nothing was rendered; run `podwright plan`"):
        podwright("-i", cloud_file)
    directory = render_cloud(cloud_file).directory
    clean = podwright("-i", cloud_file, "--json")
    assert clean.exit_code == 0
    assert json.loads(clean.stdout)["status"] == "proved"
    collected = tmp_path / "collected"
    shutil.copytree(directory, collected, ignore=shutil.ignore_patterns("index.json"))
    file = next(collected.glob(f"*/{DOMAIN.format('acme-web1')}"))
    hypervisor = file.relative_to(collected).parts[0]
    file.write_text(file.read_text().replace("guest101", "guest102"))
    refuted = podwright("-i", cloud_file, "--configurations", collected)
    assert refuted.exit_code == 2
    assert "apart: account acme/default and account globex/default share a segment\n" in refuted.stdout
    assert "    acme-web1 02:70:77:" in refuted.stdout
    assert f"\n    -> {hypervisor} guest102\n" in refuted.stdout
