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
    gateway = {"virtual_addresses": [], "forwarding": [], "tracked_ports": ["swp1"], "routing": None}
    assert "vrrp_instance" not in zone_gateway.keepalived(gateway)
    assert zone_gateway.rules(gateway).count("accept") == 2  # the policy for the switch itself, and replies


def test_rules_name_adjoining_networks_as_nft_prints_them_and_only_those_that_may_be_reached() -> None:
    """nft(8) prints a set of intervals merged: as a prefix where one fits, else as a range."""
    networks = {"vlan30": "203.0.113.1/25", "vlan31": "203.0.113.129/25", "vlan40": "192.168.111.1/24"}
    networks |= {"vlan41": "192.168.112.1/24", "vlan10": "192.0.2.1/24"}
    gateway = {
        "virtual_addresses": [{"interface": name, "address": address} for name, address in networks.items()],
        "forwarding": [{"from": a, "to": b} for pair in ("30 31", "40 41") for a, b in _both_ways(pair)],
        "routing": None,
    }
    rules = [line.split(" ip daddr ") for line in zone_gateway.rules(gateway).splitlines() if " ip daddr " in line]
    assert {before.split('"')[1]: after.split(" meta")[0] for before, after in rules} == {
        "vlan30": "203.0.113.0/24",
        "vlan31": "203.0.113.0/24",
        "vlan40": "192.168.111.0-192.168.112.255",
        "vlan41": "192.168.111.0-192.168.112.255",
    }


def _both_ways(pair: str) -> list[tuple[str, str]]:
    one, other = (f"vlan{number}" for number in pair.split())
    return [(one, other), (other, one)]


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

    differences = {str(written): (None, "new"), "loaded rules": (None, desired["loaded rules"])}
    with pytest.raises(FileNotFoundError):
        zone_gateway.apply(GATEWAY, None, differences, 60)

    assert written.read_text() == "new"
    left = flat_state.compare(desired, desired | change_marker.read("zone-gateway"))
    assert "reload keepalived" in zone_gateway.actions(left)


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
