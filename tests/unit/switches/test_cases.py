from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from podwright.switches.access import Access
from podwright.switches.driver import open_driver
from podwright.switches.state import Change, SwitchState, applied, as_data, difference, from_data

CASES = sorted((Path(__file__).parents[2] / "cases" / "switches").glob("*.yml"))
NOWHERE = Access("switch.example", 830, "nobody", Path("/nonexistent"), Path("/nonexistent"))


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(request.param.read_text())
    return loaded


def test_there_are_cases() -> None:
    assert len(CASES) >= 12


def test_only_what_differs_changes(case: dict[str, Any]) -> None:
    change = difference(from_data(case["current"]), from_data(case["desired"]))
    assert change_as_data(change) == case["change"]


def test_payload(case: dict[str, Any]) -> None:
    current = from_data(case["current"])
    change = difference(current, from_data(case["desired"]))
    for platform, payload in case["payload"].items():
        assert open_driver(platform, NOWHERE).render(change, current) == payload


def test_change_leads_to_the_desired_state(case: dict[str, Any]) -> None:
    current, desired = from_data(case["current"]), from_data(case["desired"])
    after = applied(difference(current, desired), current)
    assert not difference(after, desired)


def change_as_data(change: Change) -> dict[str, Any]:
    present = {name: port for name, port in change.ports.items() if port is not None}
    ports = {**change.ports, **as_data(SwitchState(ports=present))["ports"]}
    return {"vlans": dict(change.vlans), "ports": ports, "priority": change.priority}
