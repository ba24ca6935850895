from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from podwright.switches.access import Access
from podwright.switches.driver import open_driver
from podwright.switches.platforms.openvswitch import parse
from podwright.switches.state import Port, difference, from_data

CASES = Path(__file__).parents[2] / "cases"
NAMES = sorted(path.stem for path in (CASES / "switches").glob("*.yml"))
NOWHERE = Access("switch.example", 22, "nobody", Path("/nonexistent"), Path("/nonexistent"))


@pytest.mark.parametrize("name", NAMES)
def test_payload(name: str) -> None:
    case = yaml.safe_load((CASES / "switches" / f"{name}.yml").read_text())
    current = from_data(case["current"])
    change = difference(current, from_data(case["desired"]))
    expected = (CASES / "openvswitch" / f"{name}.json").read_text()
    assert open_driver("openvswitch", NOWHERE).render(change, current) == expected


EMPTY = ["set", []]


def port_of(**columns: Any) -> Port:
    row = {"name": "swp1", "vlan_mode": EMPTY, "tag": EMPTY, "trunks": EMPTY, "external_ids": ["map", []]}
    bridge = {"name": "br0", "external_ids": ["map", []], "other_config": ["map", []]}
    state = parse(json.dumps({"Bridge": [bridge], "Port": [row | {"other_config": ["map", []]} | columns]}))
    assert state.ports is not None
    return state.ports["swp1"]


@pytest.mark.parametrize(
    ("columns", "port"),
    [
        ({}, Port("trunk", frozenset(range(1, 4095)))),
        ({"tag": 10}, Port("access", untagged=10)),
        ({"trunks": ["set", [10, 20]]}, Port("trunk", frozenset({10, 20}))),
        ({"trunks": 10}, Port("trunk", frozenset({10}))),
        ({"tag": 10, "trunks": ["set", [20, 30]]}, Port("trunk", frozenset({10, 20, 30}))),
        ({"vlan_mode": "native-tagged", "tag": 10, "trunks": 20}, Port("trunk", frozenset({10, 20}))),
        ({"vlan_mode": "native-untagged", "tag": 10, "trunks": ["set", [10, 20]]}, Port("trunk", frozenset({20}), 10)),
        ({"vlan_mode": "native-untagged", "tag": 4095, "trunks": 4095}, Port("trunk")),
        ({"vlan_mode": "access", "tag": 4095}, Port("access")),
    ],
)
def test_port_that_someone_else_configured(columns: dict[str, Any], port: Port) -> None:
    assert port_of(**columns) == port
