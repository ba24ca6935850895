from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import plugs

RECORDED = Path(__file__).parents[2] / "cases/host_network/recorded/ovsdb-rows.json"


def rows() -> dict[str, list[dict[str, Any]]]:
    """Those of a hypervisor with two ports of machines in guest101."""
    recorded: dict[str, list[dict[str, Any]]] = json.loads(RECORDED.read_text())
    return recorded


def test_port_is_in_the_segment_with_its_tag() -> None:
    switched = plugs.switched_by(rows())
    assert {switched[port] for port in ("guest101", "pw-00000001", "pw-00000002", "vxlan5001")} == {"guest101"}
    assert (switched["guest102"], switched["vlan20"]) == ("guest102", "VLAN 20 of br0")


def test_port_that_a_segment_left_behind_on_another_bridge_is_not_in_it() -> None:
    """The uplinks to public switches are on a bridge of their own, and with them go segments, not machines' ports."""
    recorded = rows()
    (segment,) = [port["_uuid"] for port in recorded["Port"] if port["name"] == "guest101"]
    recorded["Bridge"][0]["ports"].remove(segment)
    recorded["Bridge"].append({"_uuid": "another", "name": "br1", "ports": segment})
    switched = plugs.switched_by(recorded)
    assert (switched["guest101"], switched["pw-00000001"]) == ("guest101", "VLAN 101 of br0")
