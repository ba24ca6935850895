from __future__ import annotations

from pathlib import Path

from podwright.allocation.demand import pod_demands
from podwright.allocation.placement import Capacity, Host, Limits, Needs
from tests.unit.allocation.declaration import account, cloud

HYPERVISOR = {"management_address": "192.168.1.31", "storage_address": "192.168.101.31", "vcpus": 8, "memory_mib": 4096}


def test_a_machine_has_the_network_of_one_nic_and_a_routing_appliance_of_three(tmp_path: Path) -> None:
    [demand, _] = pod_demands(cloud(tmp_path, {"acme": account("web1", anti_affinity="web")}))
    assert [(request.domain, request.account, request.needs, request.group) for request in demand.requests] == [
        ("acme-east-router", "acme", Needs(1, 128, 300, 500), None),
        ("acme-web1", "acme", Needs(1, 128, 100, 500), ("acme", "web")),
    ]


def test_what_a_pod_has_is_what_it_declares(tmp_path: Path) -> None:
    hypervisors = {
        "hv1": HYPERVISOR,
        "hv2": HYPERVISOR | {"network_mbit_s": 1000, "storage_iops": 9000, "dedicated_to": "acme"},
    }
    limits = {"machines": 5, "vcpus": 6, "memory_mib": 700, "network_mbit_s": 800, "storage_iops": 900}
    [demand, _] = pod_demands(cloud(tmp_path, {}, hypervisors=hypervisors, limits=limits))
    assert demand.hypervisors == {
        "hv1": Host(Capacity(8, 4096)),
        "hv2": Host(Capacity(8, 4096, 1000, 9000), "acme"),
    }
    assert demand.limits == Limits(5, 6, 700, 800, 900)
    [demand, _] = pod_demands(cloud(tmp_path, {}))
    assert demand.limits == Limits()
