"""What machines ask, as ping(8) understands it."""

from __future__ import annotations

import pytest

from podwright.observe.probes import Probe, probes
from podwright.plan.planner import plan
from tests.unit.plan.clouds import cloud_of, leases_for, two_zones_declaration


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
