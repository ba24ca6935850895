"""Which ports of pod switches keep storage's share: those where storage is with others, if switches are to keep it."""

from __future__ import annotations

import pytest

from podwright.plan.planner import plan
from tests.unit.plan.clouds import account, cloud_of, leases_for, made_declaration


@pytest.mark.parametrize("by", ["hypervisors", "hypervisors_and_pod_switches"])
def test_ports_to_hypervisors_and_to_the_peer_keep_storages_share(by: str) -> None:
    declaration = made_declaration(1, 1, 2)
    pod = declaration["zones"]["z0"]["pods"]["p0"]
    pod["link_mbit_s"] = 10_000
    pod["networks"]["storage"] |= {"guaranteed_mbit_s": 4000, "guaranteed_by": by}
    for switch in pod["pod_switches"].values():
        switch["platform"] = "linux"
    declaration["accounts"] = {"a0": account("z0", "p0", 2)}
    cloud = cloud_of(declaration)
    ports = plan(cloud, leases_for(cloud))["z0-p0-sw1"]["switch"]["ports"].values()
    share = {"vlan": 11, "guaranteed_mbit_s": 4000, "link_mbit_s": 10_000}
    told = {port["description"].split()[0]: port["share"] for port in ports if "share" in port}
    far = ("z0-p0-sw2", "z0-p0-hv0", "z0-p0-hv1") if by == "hypervisors_and_pod_switches" else ()
    assert told == dict.fromkeys(far, share)
