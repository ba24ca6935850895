"""What the lab cloud's declaration makes of a lab."""

from __future__ import annotations

import copy
from ipaddress import IPv4Interface

import pytest

from podwright.errors import LabError
from podwright.lab.topology import Bridge, Host, Socket, Topology, derive, interface_name
from tests.unit.plan.clouds import (
    Declaration,
    cloud_of,
    lab_declaration,
    made_declaration,
    two_zones_declaration,
    with_transparent_firewalls,
)


def derived(declaration: Declaration) -> Topology:
    return derive(cloud_of(declaration))


@pytest.fixture
def declaration() -> Declaration:
    return copy.deepcopy(lab_declaration())


def test_every_device_is_a_host_on_its_management_network(declaration: Declaration) -> None:
    topology = derived(declaration)
    assert [(host.name, host.kind, str(host.address), host.bridge) for host in topology.hosts] == [
        ("east-p1-hv1", "hypervisor", "192.168.1.31/24", "mgmt-east-p1"),
        ("east-p1-hv2", "hypervisor", "192.168.1.32/24", "mgmt-east-p1"),
        ("east-p1-nfs1", "storage_server", "192.168.1.21/24", "mgmt-east-p1"),
        ("east-p1-sw1", "pod_switch", "192.168.1.11/24", "mgmt-east-p1"),
        ("east-p1-sw2", "pod_switch", "192.168.1.12/24", "mgmt-east-p1"),
        ("east-p2-hv1", "hypervisor", "192.168.2.31/24", "mgmt-east-p2"),
        ("east-p2-nfs1", "storage_server", "192.168.2.21/24", "mgmt-east-p2"),
        ("east-p2-sw1", "pod_switch", "192.168.2.11/24", "mgmt-east-p2"),
        ("east-p2-sw2", "pod_switch", "192.168.2.12/24", "mgmt-east-p2"),
        ("east-zsw1", "zone_switch", "192.168.0.11/24", "mgmt-east"),
        ("east-zsw2", "zone_switch", "192.168.0.12/24", "mgmt-east"),
    ]


def test_a_pod_switch_answers_ssh_and_its_management_protocol(declaration: Declaration) -> None:
    ports = {host.name: host.ssh_ports for host in derived(declaration).hosts}
    assert ports["east-p1-sw1"] == (22, 830)
    assert ports["east-p1-hv1"] == (22,)


def test_the_controller_stands_in_every_management_network_but_not_upstream(declaration: Declaration) -> None:
    assert derived(declaration).bridges == (
        Bridge("mgmt-east-p1", IPv4Interface("192.168.1.254/24")),
        Bridge("mgmt-east-p2", IPv4Interface("192.168.2.254/24")),
        Bridge("mgmt-east", IPv4Interface("192.168.0.254/24")),
        Bridge("upstream-east", None),
    )


def test_every_cable_ends_where_it_was_declared(declaration: Declaration) -> None:
    cables = derived(declaration).cables
    assert len(cables) == len(declaration["zones"]["east"]["cables"])
    assert (cables[0].a, cables[0].b) == (Socket("east-zsw1", "swp1"), Socket("east-p1-sw1", "swp1"))
    assert (cables[2].a, cables[2].b) == (Socket("east-zsw1", "swp3"), Socket("upstream-east", None))
    assert (cables[7].a, cables[7].b) == (Socket("east-p1-sw1", "swp4"), Socket("mgmt-east-p1", None))


def test_the_provider_routes_public_addresses_to_the_zone(declaration: Declaration) -> None:
    (provider,) = derived(declaration).providers
    assert (provider.bridge, str(provider.address)) == ("upstream-east", "198.51.100.254/24")
    assert [(str(network), str(gateway)) for network, gateway in provider.routes] == [
        ("203.0.113.0/25", "198.51.100.1"),
        ("203.0.113.128/25", "198.51.100.1"),
    ]


def test_a_name_that_is_too_long_for_an_interface_keeps_its_beginning_and_stays_unique() -> None:
    assert interface_name("mgmt-east-p1") == "mgmt-east-p1"
    long = [interface_name(f"mgmt-some-long-zone-pod{number}") for number in range(20)]
    assert len(set(long)) == 20
    assert all(len(name) == 15 and name.startswith("mgmt-some") for name in long)


def test_a_host_is_found_by_name(declaration: Declaration) -> None:
    host = derived(declaration).host("east-zsw1")
    assert host == Host("east-zsw1", "zone_switch", IPv4Interface("192.168.0.11/24"), "mgmt-east", (22,))


def test_overlapping_management_networks_are_refused(declaration: Declaration) -> None:
    west = copy.deepcopy(declaration["zones"]["east"])
    west["cables"] = []
    west["zone_switches"] = {"west-zsw1": {"management_address": "192.168.0.13"}}
    west["pods"] = {}
    declaration["zones"]["west"] = west
    with pytest.raises(LabError) as error:
        derived(declaration)
    assert str(error.value) == (
        "mgmt-east is 192.168.0.0/24 and mgmt-west is 192.168.0.0/24: the controller of a lab stands in all"
        " management networks at once; give each its own addresses"
    )


def test_a_host_at_the_controllers_address_is_refused(declaration: Declaration) -> None:
    declaration["zones"]["east"]["zone_switches"]["east-zsw2"]["management_address"] = "192.168.0.254"
    with pytest.raises(LabError) as error:
        derived(declaration)
    assert str(error.value) == "east-zsw2: 192.168.0.254 is the lab's controller; give the host another address"


@pytest.mark.parametrize("port", ["Ethernet1/1/1/1/1", "a b", "x;y", "Ethernet1/1"])
def test_a_port_that_cannot_be_an_interface_is_refused(declaration: Declaration, port: str) -> None:
    declaration["zones"]["east"]["cables"][0] = [f"east-zsw1:{port}", "east-p1-sw1:swp1"]
    with pytest.raises(LabError) as error:
        derived(declaration)
    assert str(error.value) == (
        f"east-zsw1:{port}: not the name of an interface; give 1 to 15 letters, digits, dots, dashes"
    )


def test_behind_firewalls_zones_may_have_the_same_management_network() -> None:
    topology = derived(two_zones_declaration())
    hosts = {host.name: (str(host.address), host.bridge, str(host.reached_at)) for host in topology.hosts}
    assert hosts["east-p1-nfs1"] == ("192.168.1.21/24", "mgmt-east-p1", "10.201.1.21")
    assert hosts["west-p1-nfs1"] == ("192.168.1.21/24", "mgmt-west-p1", "10.202.1.21")
    assert hosts["east-p2-nfs1"] == ("192.168.2.21/24", "mgmt-east-p2", "10.201.2.21")
    assert hosts["west-p2-nfs1"] == ("192.168.2.21/24", "mgmt-west-p2", "10.202.2.21")
    assert hosts["west-fw1"] == ("10.255.0.12/24", "ctl-aff0000", "10.255.0.12")
    assert {bridge.name: bridge.address for bridge in topology.bridges if bridge.address} == {
        "ctl-aff0000": IPv4Interface("10.255.0.254/24")
    }
    assert [(str(network), str(gateway)) for network, gateway in topology.routes] == [
        ("10.201.0.0/16", "10.255.0.1"),
        ("10.202.0.0/16", "10.255.0.2"),
    ]


def test_a_firewall_has_a_port_in_each_management_network() -> None:
    cables = {(cable.a.place, cable.a.port): cable.b for cable in derived(two_zones_declaration()).cables}
    assert cables["west-fw1", "eth3"] == Socket("mgmt-west", None)
    assert cables["west-fw1", "eth4"] == Socket("mgmt-west-p1", None)
    assert cables["west-fw1", "eth5"] == Socket("mgmt-west-p2", None)


def test_a_transparent_firewall_stands_in_the_cable_of_its_zone_switch() -> None:
    topology = derived(with_transparent_firewalls(made_declaration(1, 1, 1)))
    cables = {(cable.a.place, cable.a.port): cable.b for cable in topology.cables}
    for n in ("1", "2"):
        assert cables[f"z0-fw{n}", "eth1"] == Socket("upstream-z0", None)
        assert cables[f"z0-fw{n}", "eth2"] == Socket(f"z0-zsw{n}", "up")
    (provider,) = topology.providers
    assert {str(gateway) for _, gateway in provider.routes} == {"198.51.100.1"}
