"""What the proof says of a cloud with two accounts on two hypervisors, when all is well and when it is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from podwright.observe.probes import expected_addresses, probes, watches
from podwright.observe.verdict import Finding, Topic, judge

ACCOUNTS = {"acme": 101, "globex": 102}
PUBLIC = {"acme": "203.0.113.11", "globex": "203.0.113.12"}


def mac(account: str, index: int) -> str:
    return f"02:70:77:00:{ACCOUNTS[account] - 100:02x}:{index:02x}"


def nic(account: str, index: int, name: str, bridge: str) -> dict[str, Any]:
    return {"name": name, "device": f"pw-{account}-{index}", "mac": mac(account, index), "bridge": bridge}


def hypervisor(name: str, index: int) -> dict[str, Any]:
    """Runs machine web<index> of each account; the first one also runs the routing appliances."""
    machines = {
        f"{account}-web{index}": {
            "account": account,
            "role": "machine",
            "nics": [nic(account, index, "eth0", f"guest{vlan}")],
        }
        for account, vlan in ACCOUNTS.items()
    }
    if index == 1:
        machines |= {
            f"{account}-east-router": {
                "account": account,
                "role": "routing_appliance",
                "nics": [
                    nic(account, 7, "eth0", f"guest{vlan}"),
                    nic(account, 8, "eth1", "infra10"),
                    nic(account, 9, "eth2", "infra30"),
                ],
            }
            for account, vlan in ACCOUNTS.items()
        }
    return {
        "kind": "hypervisor",
        "zone": "east",
        "pod": "p1",
        "management_address": f"192.168.1.3{index}",
        "machines": machines,
        "network": {
            "segments": {
                "guest101": {"vlan": 101},
                "guest102": {"vlan": 102},
                "infra10": {"vlan": 10},
                "infra30": {"vlan": 30},
            },
            "interfaces": {"vlan20": {"vlan": 20, "addresses": [f"192.168.101.3{index}/24"], "description": "storage"}},
            "routed_ports": {},
            "routes": [],
        },
    }


def appliance(account: str) -> dict[str, Any]:
    hosts = [{"name": f"web{i}", "mac": mac(account, i), "address": f"10.1.1.{i + 1}"} for i in (1, 2)]
    network = {"subnet": "10.1.1.0/24", "router": "10.1.1.1", "domain": f"default.{account}.example", "hosts": hosts}
    return {
        "kind": "routing_appliance",
        "zone": "east",
        "pod": "p1",
        "account": account,
        "management_address": "192.168.1.101",
        "appliance": {
            "interfaces": {"eth0": {"addresses": ["10.1.1.1/24"]}},
            "guest_networks": {"eth0": network},
            "forwarding": [],
            "source_nat": {"address": PUBLIC[account]},
        },
    }


STATES: dict[str, Any] = {
    "east-zsw1": {
        "kind": "zone_switch",
        "zone": "east",
        "pod": None,
        "management_address": "192.168.0.11",
        "network": {
            "segments": {},
            "interfaces": {"vlan30": {"vlan": 30, "addresses": ["203.0.113.2/24"], "description": "public"}},
            "routed_ports": {"swp3": {"addresses": ["198.51.100.2/24"]}},
            "routes": [{"destination": "0.0.0.0/0", "gateway": "198.51.100.254"}],
        },
        "gateway": {"routing": None},
    },
    "sw1": {
        "kind": "pod_switch",
        "zone": "east",
        "pod": "p1",
        "management_address": "192.168.1.11",
        "switch": {
            "ports": {
                "swp4": {"tagged": [], "untagged": 10},
                "swp6": {"tagged": [101, 20], "untagged": None},
                "swp7": {"tagged": [], "untagged": None},
            }
        },
    },
    "hv1": hypervisor("hv1", 1),
    "hv2": hypervisor("hv2", 2),
    "acme-east-router": appliance("acme"),
    "globex-east-router": appliance("globex"),
}


GOOD_COMPARISONS: dict[str, list[dict[str, Any]]] = {
    "sw1": [{"changed": False, "astray": {}}],
    "east-zsw1": [{"changed": False}, {"changed": False}],
    "hv1": [{"changed": False}, {"changed": False}],
    "hv2": [{"changed": False}, {"changed": False}],
    "acme-east-router": [{"changed": False}],
    "globex-east-router": [{"changed": False}],
}


def good_frames() -> dict[str, Any]:
    """Every port heard its own segment and nothing else; both accounts left the zone through source NAT."""
    frames: dict[str, Any] = {
        device: {interface: {"macs": {}, "addresses": {}} for interface in interfaces}
        for device, interfaces in watches(STATES).items()
    }
    for index, host in ((1, "hv1"), (2, "hv2")):
        for account in ACCOUNTS:
            heard = {mac(account, 1): 5, mac(account, 2): 5}
            frames[host][f"pw-{account}-{index}"] = {"macs": heard, "addresses": {"10.1.1.2": 5}}
    frames["east-zsw1"]["swp3"]["addresses"] = dict.fromkeys(PUBLIC.values(), 3)
    return frames


def good_answers() -> dict[str, Any]:
    addresses = expected_addresses(STATES)
    return {
        host: {
            domain: {
                "addresses": addresses[domain],
                "results": {probe.statement: 0 if probe.answered else 1 for probe in asked},
            }
            for domain, asked in domains.items()
        }
        for host, domains in probes(STATES).items()
    }


def failed(frames: Any, answers: Any) -> list[tuple[str, str, str]]:
    return [(f.subject, f.statement, f.seen) for f in judge(STATES, frames, answers, GOOD_COMPARISONS) if not f.holds]


def test_all_holds_when_all_is_well():
    findings = judge(STATES, good_frames(), good_answers(), GOOD_COMPARISONS)
    assert [f for f in findings if not f.holds] == []
    assert {f.subject for f in findings} >= {"acme-web1", "globex-web2", "acme", "globex", "hv1 eth0", "hv1 vlan20"}


def test_nothing_observed_means_nothing_holds():
    assert all(not finding.holds for finding in judge(STATES, {}, {}, {}))


def test_machines_ask_for_every_neighbour_and_every_forbidden_address():
    asked = {probe.claim: probe.address for probe in probes(STATES)["hv1"]["acme-web1"]}
    assert asked == {
        "reaches web2": "10.1.1.3",
        "reaches its gateway": "10.1.1.1",
        "reaches the outside": "198.51.100.254",
        "does not reach acme-east-router (management)": "192.168.1.101",
        "does not reach east-zsw1 (management)": "192.168.0.11",
        "does not reach globex-east-router (management)": "192.168.1.101",
        "does not reach hv1 (management)": "192.168.1.31",
        "does not reach hv1 (storage)": "192.168.101.31",
        "does not reach hv2 (management)": "192.168.1.32",
        "does not reach hv2 (storage)": "192.168.101.32",
        "does not reach sw1 (management)": "192.168.1.11",
        "hears nobody at a free address": "10.1.1.254",
    }


def test_frame_of_another_account_is_found():
    frames = good_frames()
    frames["hv2"]["pw-globex-2"]["macs"][mac("acme", 1)] = 1
    assert failed(frames, good_answers()) == [
        ("hv2 pw-globex-2 (globex-web2 eth0)", "hears no frame of another guest network", "acme-web1 (1 frames)")
    ]


def test_segments_with_one_vni_are_one_and_others_are_not():
    """hv2 is in another pod, where both accounts have another VLAN id; only acme's network is in both pods."""
    states = copy.deepcopy(STATES)
    states["hv2"]["pod"] = "p2"
    for host in ("hv1", "hv2"):
        states[host]["network"]["segments"]["guest101"]["tunnel"] = {"vni": 5001}
    states["hv2"]["network"]["segments"]["guest101"]["vlan"] = 102
    findings = judge(states, good_frames(), good_answers(), GOOD_COMPARISONS)
    strangers = {finding.seen for finding in findings if not finding.holds}
    assert strangers == {"globex-web1 (5 frames)", "globex-web2 (5 frames)"}


@pytest.mark.parametrize(("device", "port"), [("hv1", "eth0"), ("hv2", "vlan20"), ("east-zsw1", "vlan30")])
def test_guest_frame_on_an_infrastructure_port_is_found(device: str, port: str):
    frames = good_frames()
    frames[device][port]["macs"][mac("globex", 2)] = 4
    assert failed(frames, good_answers()) == [(f"{device} {port}", "hears no guest's frame", "globex-web2 (4 frames)")]


def test_guest_address_that_was_not_translated_is_found():
    frames = good_frames()
    frames["east-zsw1"]["swp3"]["addresses"]["10.1.1.2"] = 2
    assert failed(frames, good_answers()) == [("east-zsw1 swp3", "hears no guest's frame", "10.1.1.2 (2 packets)")]


def test_missing_source_nat_is_found():
    frames = good_frames()
    del frames["east-zsw1"]["swp3"]["addresses"][PUBLIC["acme"]]
    assert failed(frames, good_answers()) == [("acme", "leaves zone east as 203.0.113.11", "0 packets")]


def test_watch_that_hears_nothing_at_all_is_found():
    frames = good_frames()
    frames["hv2"]["pw-acme-2"]["macs"] = {}
    assert failed(frames, good_answers()) == [("acme-web1", "eth0 is heard by acme-web2 on hv2", "0 frames")]


def test_answer_from_a_forbidden_address_is_found():
    answers = copy.deepcopy(good_answers())
    answers["hv1"]["acme-web1"]["results"]["does not reach hv2 (storage) (192.168.101.32)"] = 0
    assert failed(good_frames(), answers) == [
        ("acme-web1", "does not reach hv2 (storage) (192.168.101.32)", "answered")
    ]


def test_ping_that_could_not_run_is_no_proof():
    answers = copy.deepcopy(good_answers())
    answers["hv1"]["acme-web1"]["results"]["does not reach hv2 (storage) (192.168.101.32)"] = 127
    assert failed(good_frames(), answers) == [
        ("acme-web1", "does not reach hv2 (storage) (192.168.101.32)", "ping failed (127)")
    ]


def test_wrong_lease_is_found():
    answers = copy.deepcopy(good_answers())
    answers["hv2"]["globex-web2"]["addresses"] = ["169.254.7.7"]
    assert failed(good_frames(), answers) == [("globex-web2", "holds the DHCP lease 10.1.1.3", "169.254.7.7")]


@pytest.mark.parametrize(
    ("device", "results", "seen"),
    [
        ("sw1", [{"changed": False, "astray": {"swp6": "carries 20, 101-102 instead of 20, 101"}}], "swp6 carries"),
        ("sw1", [{"changed": True, "astray": {}}], "differs"),
        ("hv1", [{"changed": False}, {"changed": True}], "differs"),
        ("hv1", [{"changed": False}], "not observed"),
        ("acme-east-router", [], "not observed"),
    ],
)
def test_device_that_is_not_as_planned_is_found(device: str, results: list[Any], seen: str):
    comparisons = GOOD_COMPARISONS | {device: results}
    findings = judge(STATES, good_frames(), good_answers(), comparisons)
    assert [(f.topic, f.subject) for f in findings if not f.holds] == [(Topic.CONFIGURED, device)]
    assert seen in next(f.seen for f in findings if not f.holds)


def test_trunks_are_told():
    findings = judge(STATES, good_frames(), good_answers(), GOOD_COMPARISONS)
    assert "ports carry swp4 untagged, swp6 20+101, swp7 nothing" in [
        f.statement for f in findings if f.subject == "sw1"
    ]


def test_neighbours_that_are_not_there_are_told():
    routing = {"neighbours": ["10.200.0.2", "10.200.0.7"]}
    states = STATES | {"east-zsw1": STATES["east-zsw1"] | {"gateway": {"routing": routing}}}
    astray = {"changed": False, "astray": {"neighbour 10.200.0.7": "is not full"}}
    comparisons = GOOD_COMPARISONS | {"east-zsw1": [{"changed": False}, astray]}
    (finding,) = (f for f in judge(states, good_frames(), good_answers(), comparisons) if not f.holds)
    assert finding.statement.endswith("; has routes by its neighbours 10.200.0.2, 10.200.0.7")
    assert finding.seen == "neighbour 10.200.0.7 is not full"


def test_findings_are_in_a_stable_order():
    shuffled = dict(reversed(list(STATES.items())))
    first: list[Finding] = judge(STATES, good_frames(), good_answers(), GOOD_COMPARISONS)
    assert judge(shuffled, good_frames(), good_answers(), GOOD_COMPARISONS) == first


def with_back_network(reached: bool) -> dict[str, Any]:
    """acme with a second network, which web2 alone is in, and web1 may reach or not."""
    states = copy.deepcopy(STATES)
    states["hv2"]["network"]["segments"]["guest103"] = {"vlan": 103}
    states["hv2"]["machines"]["acme-web2"]["nics"].append(nic("acme", 12, "eth1", "guest103"))
    services = states["acme-east-router"]["appliance"]
    hosts = [{"name": "web2", "mac": mac("acme", 12), "address": "10.1.2.2"}]
    network = {"subnet": "10.1.2.0/24", "router": "10.1.2.1", "domain": "back.acme.example", "hosts": hosts}
    services["guest_networks"]["eth3"] = network
    services["forwarding"] = [{"from": "eth0", "to": "eth3"}] if reached else []
    return states


@pytest.mark.parametrize("reached", [False, True])
def test_other_networks_of_an_account_are_reached_only_where_that_is_declared(reached: bool) -> None:
    states = with_back_network(reached)
    asked = {probe.statement: probe.answered for probe in probes(states)["hv1"]["acme-web1"]}
    verb = "reaches" if reached else "does not reach"
    assert asked[f"{verb} web2 of back (10.1.2.2)"] is reached
    assert asked["does not reach the gateway of back (10.1.2.1)"] is False
    assert not any("10.1.2." in statement for statement in _asked(states, "hv1", "globex-web1"))


def test_a_machine_in_two_networks_asks_in_both() -> None:
    states = with_back_network(False)
    assert expected_addresses(states)["acme-web2"] == ["10.1.1.3", "10.1.2.2"]
    asked = _asked(states, "hv2", "acme-web2")
    assert {"reaches web1 (10.1.1.2)", "reaches its gateway (10.1.1.1)", "reaches its gateway (10.1.2.1)"} <= asked
    assert "hears nobody at a free address (10.1.2.254)" in asked
    assert not any("of back" in statement for statement in asked)


def _asked(states: dict[str, Any], hypervisor: str, domain: str) -> set[str]:
    return {probe.statement for probe in probes(states)[hypervisor][domain]}
