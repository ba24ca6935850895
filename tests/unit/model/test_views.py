"""What follows from the base declaration of tests/cases/inventories."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.model import Cloud, load, views
from tests.unit.model.test_source import write


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return load(write({}, tmp_path))


def test_guest_networks_know_their_pod_also_where_it_is_left_out(cloud: Cloud) -> None:
    assert [(placed.account, placed.name, placed.zone, placed.pod) for placed in views.guest_networks(cloud)] == [
        ("acme", "default", "east", "p1"),
        ("acme", "far", "west", "p1"),
        ("globex", "default", "east", "p2"),
    ]


def test_an_account_has_an_appliance_in_each_zone_of_its_networks(cloud: Cloud) -> None:
    assert [tuple(appliance) for appliance in views.appliances(cloud)] == [
        ("acme-east-router", "acme", "east", "p1", ("default",), "router", "small"),
        ("acme-west-router", "acme", "west", "p1", ("far",), "router", "small"),
        ("globex-east-router", "globex", "east", "p2", ("default",), "router", "small"),
    ]


def test_nics_are_in_networks_in_order(cloud: Cloud) -> None:
    appliance = next(domain for domain in views.domains(cloud) if domain.role == "routing_appliance")
    serving = appliance._replace(guest_networks=("front", "back", "side"))
    assert views.guest_nics(serving) == {"eth0": "front", "eth3": "back", "eth4": "side"}
    assert views.nics(serving) == ["eth0", "eth1", "eth2", "eth3", "eth4"]
    machine = appliance._replace(role="machine", guest_networks=("front", "back"))
    assert views.guest_nics(machine) == {"eth0": "front", "eth1": "back"}
    assert views.nics(machine) == ["eth0", "eth1"]


def test_the_default_network_comes_first_whatever_it_is_called(cloud: Cloud) -> None:
    acme = cloud.accounts["acme"]
    network = acme.guest_networks["default"]
    networks = {"a": network, "b": network.model_copy(update={"default": True}), "c": network}
    accounts = {"acme": acme.model_copy(update={"guest_networks": networks, "machines": {}})}
    (appliance,) = views.appliances(cloud.model_copy(update={"accounts": accounts}))
    assert appliance.guest_networks == ("b", "a", "c")


def test_domains_are_machines_and_appliances_by_name(cloud: Cloud) -> None:
    assert [(domain.name, domain.role, domain.zone, domain.hypervisor) for domain in views.domains(cloud)] == [
        ("acme-db1", "machine", "west", None),
        ("acme-east-router", "routing_appliance", "east", None),
        ("acme-web1", "machine", "east", None),
        ("acme-web2", "machine", "east", "east-p1-h2"),
        ("acme-west-router", "routing_appliance", "west", None),
        ("globex-east-router", "routing_appliance", "east", None),
        ("globex-web1", "machine", "east", None),
    ]


def test_devices_are_sorted_and_zone_switches_are_in_no_pod(cloud: Cloud) -> None:
    devices = views.devices(cloud)
    assert [device.name for device in devices] == sorted(device.name for device in devices)
    assert {device.name: device.pod for device in devices if device.kind == "zone_switch"} == {
        "east-z1": None,
        "east-z2": None,
        "west-z1": None,
    }


def test_group_names_have_no_hyphens() -> None:
    assert views.zone_group("east-1") == "zone_east_1"
    assert views.pod_group("east-1", "p-1") == "pod_east_1_p_1"
    assert views.account_group("a-b") == "account_a_b"
