"""A transparent firewall on a kernel that tracks connections over bridges: what frames and packets do.

Its tests are in order: what is refused before there is a firewall, what it does, and how it goes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from podwright.proof.cloud import prove
from podwright.rendering.stage import configurations_of
from podwright.runner import ExitCode
from tests.devices import wire
from tests.devices.processes import eventually
from tests.devices.transparent_zone import (
    CUSTOMER,
    FIREWALL,
    GATEWAY,
    OUTSIDE,
    Zone,
    cloud_of_zone,
    routed_state,
    states,
    transparent_zone,
)
from tests.unit.plan.clouds import leases_for

PASSING = [
    *("web from outside", "ping of the shared address", "web from a neighbour", "customer asks", "out from ours"),
    *("arp for the shared address", "arp for the zone switch", "announcement of the gateway", "arp for the gateway"),
    *("announcement of the shared address", "vrrp from beyond"),
]
OURS = "ls /etc/systemd/network /run/systemd/network 2>/dev/null | grep podwright || :; nft list tables; ip -brief link"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zone]:
    """A zone whose firewall has nothing of podwright's yet."""
    with transparent_zone(tmp_path_factory.mktemp("transparent")) as zone:
        yield zone


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    planned: dict[str, Any] = states()[FIREWALL]
    return planned


@pytest.fixture(scope="module")
def zone(bare: Zone, state: dict[str, Any]) -> Zone:
    """The zone with its firewall."""
    result = bare.deploy(state)
    assert (result.exit_code, result.warnings) == (ExitCode.CHANGED, []), result.failures
    assert eventually(lambda: bare.has_shared_address("zsw1"), 30)  # it has a cable to the provider now
    return bare


def test_kernel_without_connections_over_bridges_is_refused_before_anything_changes(
    bare: Zone, state: dict[str, Any]
) -> None:
    before = bare.host.on(OURS)
    bare.host.on("echo 'install nf_conntrack_bridge /bin/false' >/etc/modprobe.d/test.conf")
    result = bare.deploy(state)
    bare.host.on("rm /etc/modprobe.d/test.conf")
    (failure,) = result.failures
    assert failure.task == "Bring the network to its desired state"
    assert "it lacks CONFIG_NF_CONNTRACK_BRIDGE (module nf_conntrack_bridge, since Linux 5.3)" in failure.message
    assert bare.host.on(OURS) == before


def test_check_mode_shows_the_change_and_makes_none(bare: Zone, state: dict[str, Any]) -> None:
    before = bare.host.on(OURS)
    result = bare.deploy(state, check=True, diff=True)
    assert (result.exit_code, result.warnings) == (ExitCode.CHANGED, []), result.failures
    network, firewall = (difference["after"] for difference in result.differences)
    assert "BindCarrier=eth1" in network
    assert "table bridge podwright_firewall" in firewall
    assert bare.host.on(OURS) == before


def test_frames_pass_that_may_and_no_others(zone: Zone) -> None:
    assert zone.passing(*wire.FRAMES) == PASSING


def test_answer_passes_once_somebody_asked(zone: Zone) -> None:
    zone.host.on("conntrack --flush")
    assert zone.passing("answer to nobody", "customer asks", "answer to nobody") == [
        "customer asks",
        "answer to nobody",
    ]


def test_customers_reach_the_outside_and_are_reached_as_the_rules_have_it(zone: Zone) -> None:
    zone.serve("customer", 80)
    zone.serve("customer", 22)
    zone.serve("outside", 443)
    assert zone.passes("customer", f"ping -c 1 -W 2 {OUTSIDE}")
    assert zone.passes("customer", zone.connection(OUTSIDE, 443))
    assert zone.passes("outside", zone.connection(CUSTOMER, 80))
    assert not zone.passes("outside", zone.connection(CUSTOMER, 22))
    assert not zone.passes("outside", f"ping -c 1 -W 1 {CUSTOMER}")
    assert zone.passes("zsw1", zone.connection(CUSTOMER, 22))


def test_what_the_firewall_runs_with_is_proved_to_pass_no_tags_and_lead_nowhere_else(zone: Zone) -> None:
    cloud = cloud_of_zone()
    rendered = configurations_of(cloud, leases_for(cloud))
    running = dict(zone.collect())
    assert prove(cloud, {**rendered, FIREWALL: running}).findings == ()
    del running["etc/podwright/zone-firewall.nft"]
    assert "passed on" in {found.claim for found in prove(cloud, {**rendered, FIREWALL: running}).findings}


def test_rules_change_under_a_connection_that_goes_on(zone: Zone) -> None:
    zone.serve("customer", 80)
    with zone.stream("outside", CUSTOMER, 80) as longest_silence_ms:
        result = zone.deploy(states(firewall_rules={})[FIREWALL])
        assert result.exit_code == ExitCode.CHANGED, result.failures
        assert not zone.passes("outside", zone.connection(CUSTOMER, 80))
        silence_ms = longest_silence_ms()
    sys.stderr.write(f"\nrules changed: {silence_ms} ms without an answer, asking every 10 ms\n")
    assert silence_ms < 1000


def test_table_that_somebody_removed_is_there_again_after_the_next_run(zone: Zone, state: dict[str, Any]) -> None:
    zone.host.on("nft delete table bridge podwright_firewall")
    # So what did not come out before was dropped by rules; LLDP no bridge passes on (IEEE 802.1Q-2018 table 8-1).
    assert zone.passing(*wire.FRAMES) == [name for name in wire.FRAMES if name != "lldp"]
    assert zone.deploy(state).exit_code == ExitCode.CHANGED
    assert zone.passing("web from outside", "other port from outside") == ["web from outside"]


def test_firewall_that_knows_no_connection_yet_takes_over_those_that_are(zone: Zone) -> None:
    """As after a failover, where the other zone switch has a firewall of its own."""
    zone.serve("customer", 80)
    with zone.stream("outside", CUSTOMER, 80) as longest_silence_ms:
        zone.host.on("conntrack --flush")
        time.sleep(1)  # a silence that goes on would be longer than the bound by then
        assert longest_silence_ms() < 1000


def test_change_that_cuts_the_controller_off_is_taken_back(zone: Zone) -> None:
    result = zone.deploy(states(controllers=["203.0.113.0/24"])[FIREWALL], rollback_after_s=20)
    (failure,) = result.failures
    assert "the firewall takes it back by itself" in failure.message
    assert eventually(zone.host.is_up, 30)
    assert zone.passing(*PASSING, "other port from outside") == PASSING


def test_cable_that_is_dead_outside_is_dead_inside_and_the_other_zone_switch_takes_over(zone: Zone) -> None:
    with zone.pings("customer", GATEWAY) as longest_silence_ms:
        zone.host.on("ip -n provider link set fw1 down")
        assert eventually(lambda: zone.has_shared_address("zsw2"), 15)
        assert "state LOWERLAYERDOWN" in zone.at("zsw1", "ip link show dev up")
        assert zone.passes("customer", f"ping -c 1 -W 2 {GATEWAY}")
        zone.host.on("ip -n provider link set fw1 up")
        assert eventually(lambda: zone.has_shared_address("zsw1"), 15)
        assert zone.passes("customer", f"ping -c 1 -W 2 {GATEWAY}")
        silence_ms = longest_silence_ms()
    sys.stderr.write(f"\ncable outside cut and mended: {silence_ms} ms without an answer, pinging every 50 ms\n")
    assert silence_ms < 5000


def test_restart_without_rules_lets_nothing_pass_and_one_with_them_all_that_may(
    zone: Zone, state: dict[str, Any]
) -> None:
    zone.host.on("cp /etc/podwright/zone-firewall.nft /root/kept; echo nonsense >>/etc/podwright/zone-firewall.nft")
    zone.host.reboot()
    zone.await_neighbours()
    assert "state LOWERLAYERDOWN" in zone.at("zsw1", "ip link show dev up")
    assert zone.has_shared_address("zsw2")
    zone.host.on("cp /root/kept /etc/podwright/zone-firewall.nft")
    zone.host.reboot()
    assert eventually(lambda: zone.has_shared_address("zsw1"), 30)
    assert zone.passing(*PASSING, "other port from outside") == PASSING
    assert zone.deploy(state).exit_code == ExitCode.IN_SYNC


def test_firewall_that_routes_instead_leaves_no_bridge_and_no_filter_of_it(zone: Zone) -> None:
    result = zone.deploy(routed_state())
    assert result.exit_code == ExitCode.CHANGED, result.failures
    there = zone.host.on(OURS)
    assert "transparent" not in there
    assert "table bridge" not in there
    assert "eth1.network.d" not in there
    assert "table inet podwright_firewall" in there
