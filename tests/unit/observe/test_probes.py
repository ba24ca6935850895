"""What machines ask, as ping(8) understands it."""

from __future__ import annotations

import pytest

from podwright.observe.probes import Probe, probes, watches
from podwright.observe.views import edges
from podwright.plan.planner import plan
from tests.unit.plan.clouds import (
    account,
    cloud_of,
    leases_for,
    made_declaration,
    two_zones_declaration,
    with_transparent_firewalls,
)


@pytest.mark.parametrize("answered", [True, False])
def test_waiting_for_the_last_answer_ends_with_the_deadline(answered: bool):
    """A BusyBox that is told no -W waits 10 s for each address that must be silent, whatever -w says."""
    argv = Probe("reaches somebody", "192.0.2.1", answered).argv
    options = dict(zip(argv[1:-1:2], map(int, argv[2:-1:2]), strict=True))
    sending_s = options["-c"] - 1
    assert sending_s + options["-W"] == options["-w"]
    assert (argv[0], argv[-1]) == ("ping", "192.0.2.1")


def test_machines_ask_for_devices_of_all_zones_as_controllers_know_them():
    """By a VPN of both customers and controllers, whoever may talk to one network could talk to all."""
    cloud = cloud_of(two_zones_declaration())
    asked = {
        domain: {probe.address: probe.answered for probe in asks}
        for of_host in probes(plan(cloud, leases_for(cloud))).values()
        for domain, asks in of_host.items()
    }
    # A zone switch, and a device of each pod, by what stands for their management networks.
    translated = ("10.201.0.11", "10.201.1.31", "10.201.2.31", "10.202.0.11", "10.202.1.31", "10.202.2.31")
    assert {domain: [asks.get(address) for address in translated] for domain, asks in asked.items()} == {
        domain: [False] * len(translated) for domain in asked
    }
    assert {"acme-web-east", "acme-db-west", "globex-web-east"} <= asked.keys()


def test_zone_switches_are_the_edge_behind_transparent_firewalls_and_frames_are_counted_on_both():
    declaration = with_transparent_firewalls(made_declaration(1, 1, 1))
    declaration["accounts"] = {"acme": account("z0", "p0", 1)}
    cloud = cloud_of(declaration)
    states = plan(cloud, leases_for(cloud))
    assert sorted(edges(states)) == ["z0-zsw1", "z0-zsw2"]
    assert watches(states)["z0-fw1"] == ["eth0", "eth1", "eth2", "eth3", "mgmt-p0"]
    (asked,) = (asked for machines in probes(states).values() for asked in machines.values())
    assert "reaches the outside (198.51.100.254)" in {probe.statement for probe in asked}
    assert "does not reach z0-fw1 (management) (172.16.1.31)" in {probe.statement for probe in asked}
