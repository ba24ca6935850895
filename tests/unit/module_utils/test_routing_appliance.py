from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import (
    appliance_files,
    flat_state,
    look,
    routing_appliance,
)

CASES = Path(__file__).parents[2] / "cases" / "routing_appliance"
APPLIANCE = yaml.safe_load((CASES / "appliance.yml").read_text())
HOSTS = APPLIANCE["guest_networks"]["eth0"]["hosts"]
GOLDEN = CASES / "golden"


def merged(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = deepcopy(base)
    for key, value in patch.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else value
    return result


@pytest.mark.parametrize(
    "file", sorted(set(CASES.glob("*.yml")) - {CASES / "appliance.yml"}), ids=lambda file: file.stem
)
def test_differences_and_what_they_take(file: Path) -> None:
    case = yaml.safe_load(file.read_text())
    wanted = routing_appliance.desired(merged(APPLIANCE, case.get("appliance", {})))
    seen = case.get("seen_only") or routing_appliance.desired(APPLIANCE) | case.get("seen", {})

    differences = flat_state.compare(wanted, seen)
    steps = routing_appliance.actions(differences)

    assert (list(differences), steps) == (case["changed"], case["actions"])
    assert routing_appliance.may_cut_off(steps) == case["may_cut_off"]
    for path, lines in case.get("lines", {}).items():
        before, after = ((text or "").splitlines() for text in differences[path])
        assert [line for line in before if line not in after] == lines.get("removed", [])
        assert [line for line in after if line not in before] == lines.get("added", [])


def test_files_are_the_golden_ones() -> None:
    golden = {f"/{path.relative_to(GOLDEN)}": path.read_text() for path in GOLDEN.rglob("*") if path.is_file()}
    assert appliance_files.render(APPLIANCE) == golden


def test_what_is_applied_is_what_the_diff_shows() -> None:
    wanted = routing_appliance.desired(APPLIANCE)
    assert flat_state.diff(flat_state.compare(wanted, wanted | {"host name": "other", "packet filter": None})) == {
        "before": 'host name: "other"\n',
        "after": 'host name: "acme-east-router"\npacket filter: "as loaded"\n',
    }


def seen_in_sync(**programs: look.Program) -> look.Seen:
    """What is seen of an appliance that is as it should be, but for these programs."""
    links = [link(name, nic["mac"], *nic["addresses"]) for name, nic in APPLIANCE["interfaces"].items()]
    units = "".join(
        f"Id={unit}\nActiveState=active\nUnitFileState=enabled\n\n"
        for unit in ("systemd-networkd.service", "podwright-firewall.service", "podwright-dnsmasq.service")
    )
    return look.Seen(
        files=appliance_files.render(APPLIANCE)
        | {
            "/proc/sys/kernel/hostname": f"{APPLIANCE['hostname']}\n",
            "/proc/sys/net/ipv4/ip_forward": "1\n",
            "/proc/net/route": "Iface\tDestination\tGateway\neth2\t00000000\t017100CB\n",
            "/var/lib/podwright/firewall.listing": "table inet podwright {\n}\n",
        },
        present=frozenset(),
        programs={
            "units": look.Program(units, 0),
            "addresses": look.Program(json.dumps(links), 0),
            "rules": look.Program("table inet podwright {\n}\n", 0),
        }
        | programs,
    )


def test_an_appliance_that_is_as_it_should_be_shows_no_difference() -> None:
    assert routing_appliance.compare(APPLIANCE, seen_in_sync()) == {}


def test_all_that_was_looked_at_counts() -> None:
    """Each thing that is taken from what was seen makes a difference, a file of another interface among them."""
    whole = seen_in_sync()
    wanted = routing_appliance.sights(APPLIANCE)
    for path in appliance_files.render(APPLIANCE):
        assert path in wanted.files
        left = {other: text for other, text in whole.files.items() if other != path}
        assert list(routing_appliance.compare(APPLIANCE, whole._replace(files=left))) == [path]
    surplus = {appliance_files.network_file("eth7"): "[Match]\n"}
    seen = whole._replace(files={**whole.files, **surplus})
    assert routing_appliance.compare(APPLIANCE, seen) == {next(iter(surplus)): ("[Match]\n", None)}
    seen = whole._replace(present=frozenset(wanted.presences))
    assert set(routing_appliance.compare(APPLIANCE, seen)) == {"interrupted change", "unconfirmed change"}
    no_table = seen_in_sync(rules=look.Program("", 1))
    assert routing_appliance.compare(APPLIANCE, no_table) == {"packet filter": (None, "as loaded")}
    other_rules = seen_in_sync(rules=look.Program("table inet podwright { }\n", 0))
    assert set(routing_appliance.compare(APPLIANCE, other_rules)) == {"packet filter"}


@pytest.mark.parametrize("program", ["units", "addresses"])
def test_a_program_that_fails_is_no_state(program: str) -> None:
    with pytest.raises(RuntimeError, match="ended with 1"):
        routing_appliance.state(APPLIANCE, seen_in_sync(**{program: look.Program("", 1)}))


def link(name: str, mac: str, *addresses: str) -> dict[str, Any]:
    info = [dict(zip(("local", "prefixlen"), address.split("/"), strict=True), family="inet") for address in addresses]
    return {
        "ifname": name,
        "address": mac,
        "addr_info": [*info, {"family": "inet6", "local": "fe80::1", "prefixlen": 64}],
    }


def test_addresses_are_those_of_ipv4_in_order() -> None:
    shown = json.dumps(
        [link("lo", "00:00:00:00:00:00"), link("eth0", "02:70:77:00:00:01", "10.1.1.9/24", "10.1.1.1/24")]
    )
    interfaces = {"eth0": APPLIANCE["interfaces"]["eth0"]}
    assert routing_appliance.addresses(interfaces, shown) == {"addresses of eth0": "10.1.1.1/24 10.1.1.9/24"}


def test_an_interface_that_is_to_come_has_no_address_yet() -> None:
    interfaces = {"eth3": {"mac": "02:70:77:00:00:06", "addresses": ["10.1.2.1/24"]}}
    shown = json.dumps([link("eth0", "02:70:77:00:00:01", "10.1.1.1/24")])
    assert routing_appliance.addresses(interfaces, shown) == {"addresses of eth3": None}


@pytest.mark.parametrize(
    "links, found",
    [
        ([link("eth1", "02:70:77:00:00:01")], "eth1"),
        ([link("eth0", "02:70:77:00:00:09")], "02:70:77:00:00:09"),
    ],
)
def test_an_interface_with_another_mac_address_is_refused(links: list[dict[str, Any]], found: str) -> None:
    interfaces = {"eth0": APPLIANCE["interfaces"]["eth0"]}
    with pytest.raises(RuntimeError) as error:
        routing_appliance.addresses(interfaces, json.dumps(links))
    assert str(error.value) == (
        f"interfaces.eth0: found {found}, expected MAC address 02:70:77:00:00:01; "
        "give the virtual machine its NICs in the order of their names"
    )


def test_default_route_is_read_from_proc() -> None:
    header = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    guest = "eth0\t0001010A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    default = "eth2\t00000000\t017100CB\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    assert routing_appliance.default_route(header + guest + default) == "203.0.113.1 eth2"
    assert routing_appliance.default_route(header + guest) is None


def test_leases_of_declared_hosts_are_not_stale() -> None:
    leases = (
        "1795448536 02:70:77:00:00:04 10.1.1.2 web1 01:02:70:77:00:00:04\n"
        "1795448536 02:70:77:00:00:04 10.1.1.3 web1 01:02:70:77:00:00:04\n"
        "1795448536 02:70:77:00:00:09 10.1.1.9 * *\n"
        "duid 00:01:00:01\n"
    )
    assert routing_appliance.stale_leases(HOSTS, leases) == ("02:70:77:00:00:04 10.1.1.3\n02:70:77:00:00:09 10.1.1.9")
    assert routing_appliance.stale_leases(HOSTS, "") is None
