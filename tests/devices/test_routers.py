"""Pairs of firewalls and zone switches with OSPF: what is planned carries packets, also past one that dies."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import yaml

from tests.devices.routers import Routers, await_shown, longest_silence_ms, routers
from tests.unit.plan.test_cases import CASES

NAMES = ("z0-fw1", "z0-fw2", "z0-zsw1", "z0-zsw2")
PROVIDER = "198.51.100.254"
HOSTS = {
    "customer": ("vlan12", "10.128.192.77/18", "default via 10.128.192.1"),
    "provider": ("eth1", f"{PROVIDER}/24", "10.128.192.0/18 via 198.51.100.1"),
}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routers]:
    states = {name: yaml.safe_load((CASES / "firewall-pair" / f"{name}.yml").read_text()) for name in NAMES}
    with routers(tmp_path_factory.mktemp("routers"), states, HOSTS) as there:
        for name in NAMES[:2]:
            await_shown(there, name, "ip route show 10.128.192.0/18 proto ospf", "via 172.31.0.6 ")
        for name in NAMES[2:]:
            await_shown(there, name, "ip route show default proto ospf", "via 172.31.0.2 ")
        yield there


def test_each_is_in_full_exchange_with_the_other_three_and_announces_only_what_it_shall(zone: Routers) -> None:
    for name in NAMES:
        assert zone.at(name, "vtysh", "-c", "show ip ospf neighbor").count(" Full/") == 3
    assert zone.at("z0-fw1", "ip", "route", "show", "proto", "ospf").count("/") == 2
    assert "10.128.0.0" not in zone.at("z0-fw1", "vtysh", "-c", "show ip ospf database external")


@pytest.mark.parametrize("victim", ["z0-zsw1", "z0-fw1"])
def test_death_of_the_first_of_a_pair_costs_less_than_a_second(zone: Routers, victim: str) -> None:
    silence_ms = longest_silence_ms(zone, "customer", PROVIDER, victim)
    sys.stderr.write(f"\n{victim} killed: {silence_ms} ms without an answer, pinging every 10 ms\n")
    assert 50 < silence_ms < 1000
