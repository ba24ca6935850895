"""What holds for every cloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podwright.plan import State, canonical, digest, plan
from podwright.plan.names import guest_vlan, nic_device
from tests.unit.plan.clouds import (
    Declaration,
    account,
    cloud_of,
    leases_for,
    mac,
    made_declaration,
    with_public_switches,
    with_racks,
)

MAX_INTERFACE_NAME = 15
NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?", fullmatch=True)
ROUNDS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def declarations(draw: st.DrawFn) -> Declaration:
    zones, pods_in_zone = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    backend = draw(st.sampled_from(["linux", "openvswitch"]))
    declaration = made_declaration(zones, pods_in_zone, draw(st.integers(1, 3)), backend)
    for name in draw(st.lists(NAMES, max_size=5, unique=True)):
        place = (f"z{draw(st.integers(0, zones - 1))}", f"p{draw(st.integers(0, pods_in_zone - 1))}")
        pods = [f"p{number}" for number in range(pods_in_zone)]
        elsewhere = draw(st.dictionaries(st.integers(0, 3), st.sampled_from(pods), max_size=2))
        declaration["accounts"][name] = account(*place, draw(st.integers(0, 4)), elsewhere)
        if draw(st.booleans()):
            _add_network(draw, declaration["accounts"][name])
    return declaration


def _add_network(draw: st.DrawFn, of_account: Declaration) -> None:
    """Give an account a second network, with machines in either of both or in both."""
    default = of_account["guest_networks"]["default"]
    of_account["guest_networks"]["back"] = {**default, "subnet": "10.1.2.0/24", "reaches": ["default"]}
    default["default"] = True
    for machine in of_account["machines"].values():
        nics = st.sampled_from([["default"], ["back"], ["default", "back"], ["back", "default"]])
        machine["guest_networks"] = draw(nics)


def states_of(declaration: Declaration) -> dict[str, Any]:
    cloud = cloud_of(declaration)
    return dict(plan(cloud, leases_for(cloud)))


@ROUNDS
@given(declarations())
def test_trunk_carries_what_is_needed_behind_it_and_no_more(declaration: Declaration) -> None:
    states = states_of(declaration)
    for near, port, far in hypervisor_cables(declaration):
        hypervisor = states[far]
        bridges = {nic["bridge"] for machine in hypervisor["machines"].values() for nic in machine["nics"]}
        in_use = {hypervisor["network"]["segments"][bridge]["vlan"] for bridge in bridges}
        in_use |= {interface["vlan"] for interface in hypervisor["network"]["interfaces"].values()}
        assert states[near]["switch"]["ports"][port]["tagged"] == sorted(in_use)
        assert hypervisor["network"]["uplinks"]["tagged"] == sorted(in_use)
        assert bridges == set(hypervisor["network"]["segments"])


@ROUNDS
@given(declarations())
def test_both_ends_of_a_cable_carry_the_same(declaration: Declaration) -> None:
    states = states_of(declaration)
    for near, far in cable_ends(declaration):
        if near[0] in states and far[0] in states:
            assert tagged(states[near[0]], near[1]) == tagged(states[far[0]], far[1])


@ROUNDS
@given(declarations())
def test_switches_of_a_rack_carry_what_its_hosts_use_and_no_more(declaration: Declaration) -> None:
    states = states_of(with_racks(declaration))
    for near, far in cable_ends(declaration):
        if near[0] in states and far[0] in states:
            assert tagged(states[near[0]], near[1]) == tagged(states[far[0]], far[1])
    joining = [state for state in of_kind(states, "pod_switch") if "-r" not in state["device"]]
    for zone in declaration["zones"].values():
        for pod in zone["pods"].values():
            hosts = {**pod["storage_servers"], **pod["hypervisors"]}
            for name, switch in pod["pod_switches"].items():
                if rack := switch.get("rack"):
                    behind = [states[host]["network"] for host in hosts if hosts[host]["rack"] == rack]
                    used = {vlan for network in behind for vlan in network["uplinks"]["tagged"]}
                    found = states[name]["switch"]
                    assert set(found["vlans"]) == used
                    assert {
                        port: set(found["ports"][port]["tagged"]) for port in ("peer", "up0", "up1")
                    } == dict.fromkeys(("peer", "up0", "up1"), used)
                    best = max(state["switch"]["spanning_tree"]["priority"] for state in joining)
                    assert found["spanning_tree"]["priority"] > best


@ROUNDS
@given(declarations(), st.booleans())
def test_public_and_private_switches_share_no_vlan_and_no_bridge(declaration: Declaration, in_racks: bool) -> None:
    declaration = with_public_switches(with_racks(declaration) if in_racks else declaration)
    states = states_of(declaration)
    for near, far in cable_ends(declaration):
        if near[0] in states and far[0] in states:
            assert tagged(states[near[0]], near[1]) == tagged(states[far[0]], far[1])
    pods = {(z, p): pod for z, zone in declaration["zones"].items() for p, pod in zone["pods"].items()}
    for switch in of_kind(states, "pod_switch"):
        pod = pods[switch["zone"], switch["pod"]]
        public, is_public = {pod["networks"]["public"]["vlan"]}, "-pub" in switch["device"]
        vlans = set(switch["switch"]["vlans"])
        assert vlans <= public if is_public else not vlans & public
        assert all(set(port["tagged"]) <= vlans for port in switch["switch"]["ports"].values())
        twin = states[switch["device"].replace("-pub", "")]
        assert switch["switch"]["spanning_tree"] == twin["switch"]["spanning_tree"]
    for hypervisor in of_kind(states, "hypervisor"):
        private, public_bond = (set(hypervisor["network"][key]["tagged"]) for key in ("uplinks", "public_uplinks"))
        used = {item["vlan"] for part in ("segments", "interfaces") for item in hypervisor["network"][part].values()}
        assert private | public_bond == used
        assert not private & public_bond
    for zone_switch in of_kind(states, "zone_switch"):
        network, vlans_on = zone_switch["network"], {}
        for trunk in network["trunks"].values():
            vlans_on.setdefault(trunk["bridge"], set()).update(trunk["tagged"])
        assert len(vlans_on) == 2 * len(declaration["zones"][zone_switch["zone"]]["pods"])
        assert all(interface["vlan"] in vlans_on[interface["bridge"]] for interface in network["interfaces"].values())


@ROUNDS
@given(declarations())
def test_guest_vlan_is_known_to_a_pod_only_while_a_domain_uses_it(declaration: Declaration) -> None:
    states = states_of(declaration)
    for switch in of_kind(states, "pod_switch"):
        neighbours = [
            s for s in of_kind(states, "hypervisor") if (s["zone"], s["pod"]) == (switch["zone"], switch["pod"])
        ]
        used = {segment["vlan"] for state in neighbours for segment in state["network"]["segments"].values()}
        assert {vlan for vlan in switch["switch"]["vlans"] if vlan >= 1000} == {vlan for vlan in used if vlan >= 1000}
        assert switch["switch"]["ports"]["peer"]["tagged"] == sorted(switch["switch"]["vlans"])


@ROUNDS
@given(declarations())
def test_names_of_interfaces_fit_and_differ(declaration: Declaration) -> None:
    for state in states_of(declaration).values():
        names = list(interface_names(state))
        assert len(set(names)) == len(names)
        assert all(len(name) <= MAX_INTERFACE_NAME for name in names)


@ROUNDS
@given(declarations(), st.randoms(use_true_random=False))
def test_order_of_declaration_does_not_count(declaration: Declaration, random: Any) -> None:
    cloud = cloud_of(declaration)
    leases = leases_for(cloud)
    again = plan(cloud_of(shuffled(declaration, random)), leases)
    before = plan(cloud, leases)
    assert list(again) == list(before)
    assert [canonical(state) for state in again.values()] == [canonical(state) for state in before.values()]


@ROUNDS
@given(declarations())
def test_state_survives_being_written(declaration: Declaration) -> None:
    for state in states_of(declaration).values():
        text = canonical(state)
        assert yaml.load(text, Loader=yaml.CSafeLoader) == state
        assert canonical(yaml.safe_load(text)) == text


@ROUNDS
@given(declarations(), st.integers(0, 3))
def test_growth_of_an_account_changes_only_the_devices_it_touches(declaration: Declaration, machines: int) -> None:
    before = cloud_of(declaration)
    leases = leases_for(before)
    place = declaration["zones"]["z0"]["pods"]["p0"]
    declaration["accounts"]["newcomer"] = account("z0", "p0", machines)
    after = cloud_of(declaration)
    grown = leases_for(after, before=leases)
    hosts = {host for domain, host in grown.placements.items() if domain.startswith("newcomer-")}
    touched = {*place["pod_switches"], *place["storage_servers"], *hosts, "newcomer-z0-router"}
    assert changed(plan(before, leases), plan(after, grown)) == touched


def test_machine_added_to_an_account_leaves_switches_alone_where_its_network_is_already() -> None:
    declaration = made_declaration(zones=1, pods=1, hypervisors=1)
    declaration["accounts"]["acme"] = account("z0", "p0", 1)
    before = cloud_of(declaration)
    leases = leases_for(before)
    declaration["accounts"]["acme"] = account("z0", "p0", 2)
    after = cloud_of(declaration)
    states = plan(after, leases_for(after, before=leases))
    assert changed(plan(before, leases), states) == {"acme-z0-router", "z0-p0-hv0", "z0-p0-nfs"}


@given(st.sets(st.integers(1, (1 << 24) - 1), max_size=50))
def test_host_ends_of_nics_never_share_a_name(numbers: set[int]) -> None:
    names = {nic_device(mac(number)) for number in numbers}
    assert len(names) == len(numbers)
    assert all(len(name) <= MAX_INTERFACE_NAME for name in names)


@given(NAMES, NAMES, st.integers(1, 4094))
def test_vlan_names_fit(account_name: str, network: str, vlan: int) -> None:
    assert len(guest_vlan(account_name, network, vlan)) <= 32


def changed(old: dict[str, State], new: dict[str, State]) -> set[str]:
    digests = [{name: digest(canonical(state)) for name, state in states.items()} for states in (old, new)]
    return {name for name in old.keys() | new.keys() if digests[0].get(name) != digests[1].get(name)}


def shuffled(value: Any, random: Any) -> Any:
    """The same declaration, its mappings and cables written in another order; that of a machine's NICs counts."""
    if isinstance(value, list):
        items = [list(random.sample(item, len(item))) if isinstance(item, list) else item for item in value]
        return random.sample(items, len(items))
    if isinstance(value, dict):
        keys = random.sample(list(value), len(value))
        return {key: value[key] if _is_nics(key, value) else shuffled(value[key], random) for key in keys}
    return value


def _is_nics(key: str, holder: Declaration) -> bool:
    return key == "guest_networks" and isinstance(holder[key], list)


def of_kind(states: dict[str, Any], kind: str) -> list[Any]:
    return [state for state in states.values() if state["kind"] == kind]


def cable_ends(declaration: Declaration) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for zone in declaration["zones"].values():
        for cable in zone["cables"]:
            a, b = ((end.partition(":")[0], end.partition(":")[2]) for end in cable)
            yield a, b
            yield b, a


def hypervisor_cables(declaration: Declaration) -> Iterator[tuple[str, str, str]]:
    hypervisors = {
        h for zone in cloud_of(declaration).zones.values() for pod in zone.pods.values() for h in pod.hypervisors
    }
    return ((near[0], near[1], far[0]) for near, far in cable_ends(declaration) if far[0] in hypervisors)


def tagged(state: Any, port: str) -> Any:
    if state["kind"] == "pod_switch":
        return state["switch"]["ports"][port]["tagged"]
    if state["kind"] == "zone_switch":
        return state["network"]["trunks"][port]["tagged"]
    bonds = [state["network"][key] for key in ("uplinks", "public_uplinks") if key in state["network"]]
    (bond,) = [bond for bond in bonds if port in bond["members"]]
    return bond["tagged"]


def interface_names(state: Any) -> Iterator[str]:
    network = state.get("network", {})
    for part in ("trunks", "segments", "interfaces", "routed_ports"):
        yield from network.get(part, ())
    if network.get("uplinks"):
        yield from network["uplinks"]["members"]
        yield from (f"bond0.{vlan}" for vlan in network["uplinks"]["tagged"])
    for machine in state.get("machines", {}).values():
        yield from (nic["device"] for nic in machine["nics"])
    yield from {"br0", "bond0"} if network else ()
