from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import zone_gateway

CASES = Path(__file__).parents[2] / "cases" / "zone_gateway"
GOLDEN = CASES / "golden"
GATEWAY = yaml.safe_load((CASES / "gateway.yml").read_text())


def test_what_is_written() -> None:
    wanted = zone_gateway.wanted(GATEWAY)
    texts = {Path(path).name: text for path, text in wanted["files"].items()}
    assert texts == {path.name: path.read_text() for path in sorted(GOLDEN.iterdir())}
    assert texts["zone-gateway.nft"].endswith(f"delete table inet podwright_zone\n{wanted['rules']}")


def test_a_gateway_without_addresses_announces_and_forwards_nothing() -> None:
    wanted = zone_gateway.wanted({"virtual_addresses": [], "forwarding": [], "tracked_ports": ["swp1"]})
    assert "vrrp_instance" not in wanted["files"][zone_gateway.KEEPALIVED_FILE]
    assert wanted["rules"].count("accept") == 2  # the policy for the switch itself, and replies


@pytest.mark.parametrize("file", sorted(set(CASES.glob("*.yml")) - {CASES / "gateway.yml"}), ids=lambda file: file.stem)
def test_changes(file: Path) -> None:
    case = yaml.safe_load(file.read_text())
    current = drifted(zone_gateway.wanted(GATEWAY), case.get("drift", {}))
    changes = zone_gateway.plan(current, zone_gateway.wanted(GATEWAY | case.get("with", {})))
    shown: dict[str, Any] = dict(changes)
    if "files" in changes:
        shown["files"] = {path: lines(current["files"].get(path), text) for path, text in changes["files"].items()}
    if "rules" in changes:
        shown["rules"] = lines(current["rules"], changes["rules"])
    assert shown == case["changes"]


def drifted(state: dict[str, Any], drift: dict[str, Any]) -> dict[str, Any]:
    extra = drift.get("extra_rule")
    if extra:
        return state | {"rules": state["rules"].replace("policy drop;\n", f"policy drop;\n{extra}\n")}
    result = state | {key: value for key, value in drift.items() if key not in ("files", "units")}
    files = {path: text for path, text in state["files"].items() if path not in drift.get("files", {})}
    return result | {"files": files, "units": state["units"] | drift.get("units", {})}


def lines(before: str | None, after: str) -> list[str] | str:
    """Give the lines that go and come, sorted; `all` when nothing was there."""
    if before is None:
        return "all"
    compared = difflib.ndiff(
        [line.strip() for line in before.splitlines()], [line.strip() for line in after.splitlines()]
    )
    return sorted(
        (line[0] + line[2:] for line in compared if line[0] in "+-"), key=lambda line: ("-+".index(line[0]), line)
    )
