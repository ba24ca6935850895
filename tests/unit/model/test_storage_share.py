from __future__ import annotations

from typing import Any

import pytest

from podwright.model.storage_share import StorageShare, storage_share
from tests.unit.plan.clouds import cloud_of, made_declaration


def share_of(pod: dict[str, Any], server: dict[str, Any] | None = None, storage: dict[str, Any] | None = None) -> Any:
    declaration = made_declaration(zones=1, pods=1, hypervisors=1)
    declared = declaration["zones"]["z0"]["pods"]["p0"]
    declared |= pod
    declared["networks"]["storage"] |= storage or {}
    for each in declared["storage_servers"].values():
        each |= server or {}
    vlan = declared["networks"]["storage"]["vlan"]
    share = storage_share(cloud_of(declaration).zones["z0"].pods["p0"])
    assert share is None or share == StorageShare(vlan, share.guaranteed_mbit_s, pod["link_mbit_s"])
    return share and share.guaranteed_mbit_s


def test_without_a_known_link_nothing_is_guaranteed() -> None:
    assert share_of({}, {"storage_iops": 1000}) is None


# 1000 operations of 16 KiB a second are 131.072 Mbit/s.
@pytest.mark.parametrize(
    ("limits", "server", "link_mbit_s", "expected"),
    [
        ({}, {}, 10_000, 5000),
        ({"storage_iops": 1000}, {}, 10_000, 132),
        ({}, {"storage_iops": 2000}, 10_000, 263),
        ({"storage_iops": 1000}, {"storage_iops": 2000}, 10_000, 132),
        ({"storage_iops": 1_000_000}, {}, 10_000, 5000),
        ({}, {}, 2, 1),
    ],
)
def test_share_follows_from_the_least_that_limits_storage(
    limits: dict[str, int], server: dict[str, int], link_mbit_s: int, expected: int
) -> None:
    assert share_of({"limits": limits, "link_mbit_s": link_mbit_s}, server) == expected


def test_declared_share_is_as_declared() -> None:
    assert share_of({"link_mbit_s": 10_000, "limits": {"storage_iops": 1}}, {}, {"guaranteed_mbit_s": 9000}) == 9000
