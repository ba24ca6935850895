from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import change_marker, flat_state, zone_gateway

CASES = Path(__file__).parents[2] / "cases" / "zone_gateway"
GOLDEN = CASES / "golden"
GATEWAY = yaml.safe_load((CASES / "gateway.yml").read_text())


def test_what_is_written() -> None:
    desired = zone_gateway.desired(GATEWAY)
    texts = {Path(path).name: text for path, text in desired.items() if path.startswith("/")}
    assert texts == {path.name: path.read_text() for path in sorted(GOLDEN.iterdir())}
    assert (
        (GOLDEN / "zone-gateway.nft")
        .read_text()
        .endswith(f"delete table inet podwright_zone\n{desired['loaded rules']}")
    )


def test_a_gateway_without_addresses_announces_and_forwards_nothing() -> None:
    gateway = {"virtual_addresses": [], "forwarding": [], "tracked_ports": ["swp1"]}
    assert "vrrp_instance" not in zone_gateway.keepalived(gateway)
    assert zone_gateway.rules(gateway).count("accept") == 2  # the policy for the switch itself, and replies


@pytest.mark.parametrize("file", sorted(set(CASES.glob("*.yml")) - {CASES / "gateway.yml"}), ids=lambda file: file.stem)
def test_differences_and_what_they_take(file: Path) -> None:
    case = yaml.safe_load(file.read_text())
    seen = zone_gateway.desired(GATEWAY) | case.get("seen", {})
    if "extra_rule" in case:
        rules = seen["loaded rules"] or ""
        seen["loaded rules"] = rules.replace("policy drop;\n", f"policy drop;\n{case['extra_rule']}\n")

    differences = flat_state.compare(zone_gateway.desired(GATEWAY | case.get("with", {})), seen)

    assert {key: lines(*sides) for key, sides in differences.items()} == case["changed"]
    assert zone_gateway.actions(differences) == case["actions"]


def test_a_run_that_ends_before_keepalived_is_told_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_marker, "DIRECTORY", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # where no program is, so that the run ends at the first one
    desired = zone_gateway.desired(GATEWAY)
    written = tmp_path / "50-any.conf"

    with pytest.raises(FileNotFoundError):
        zone_gateway.apply({str(written): (None, "new"), "loaded rules": (None, desired["loaded rules"])})

    assert written.read_text() == "new"
    differences = flat_state.compare(desired, desired | change_marker.read("zone-gateway"))
    assert "reload keepalived" in zone_gateway.actions(differences)


def lines(before: str | None, after: str | None) -> list[str] | str:
    """Give the lines that go and come, sorted; `all` when nothing was there."""
    if before is None:
        return "all"
    compared = difflib.ndiff(
        [line.strip() for line in before.splitlines()], [line.strip() for line in (after or "").splitlines()]
    )
    return sorted(
        (line[0] + line[2:] for line in compared if line[0] in "+-"), key=lambda line: ("-+".index(line[0]), line)
    )
