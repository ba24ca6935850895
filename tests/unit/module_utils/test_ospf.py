"""Routing as FRR is told it.

`PYTHONPATH=collections python -m tests.unit.module_utils.test_ospf` writes the golden files anew.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import firewall_rules, flat_state, ospf, zone_gateway

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests/cases/ospf"
GOLDEN = CASES / "golden"
PLANNED = ROOT / "tests/cases/plan/firewall-pair"
ZONE_SWITCH = yaml.safe_load((PLANNED / "z0-zsw1.yml").read_text())["gateway"] | {"tracked_ports": []}
FIREWALL = yaml.safe_load((PLANNED / "z0-fw1.yml").read_text())["firewall"] | {"tracked_ports": []}
DEVICES: dict[str, Any] = {"zone-switch": ZONE_SWITCH["routing"], "firewall": FIREWALL["routing"]}
KEY = "0123456789abcdef"


def written(device: str) -> dict[str, str | None]:
    return {Path(path).name: text for path, text in ospf.desired(DEVICES[device]).items() if path[0] == "/"}


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_written(device: str) -> None:
    assert written(device) == {path.name: path.read_text() for path in sorted((GOLDEN / device).iterdir())}


@pytest.mark.parametrize("file", sorted(CASES.glob("*.yml")), ids=lambda file: file.stem)
def test_differences_and_what_they_take(file: Path) -> None:
    case = yaml.safe_load(file.read_text())
    routing = DEVICES["zone-switch"]
    as_it_was = ospf.desired(routing)
    seen = {} if "seen" in case and case["seen"] is None else as_it_was | case.get("seen", {})
    wanted = routing if "with" not in case else case["with"] and routing | case["with"]
    differences = flat_state.compare(ospf.desired(wanted), seen)
    assert sorted(differences) == case["changed"]
    assert ospf.actions(set(differences)) == case["actions"]


def test_neighbours_are_let_in_from_their_own_network_and_the_link_alone() -> None:
    from_link = [
        "ip saddr 172.31.0.0/28 meta l4proto 89 accept",
        "ip saddr 172.31.0.0/28 ip ttl 255 udp dport 3784 accept",
    ]
    for rules in (zone_gateway.rules(ZONE_SWITCH), firewall_rules.table(FIREWALL, "kernel")):
        lines = [line.strip() for line in rules.splitlines() if "l4proto 89" in line or "dport 3784" in line]
        assert lines == [f'iifname {{ "vlan4000", "vrrp-vlan4000" }} {match}' for match in from_link]


def test_key_is_told_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    routing = DEVICES["firewall"]
    monkeypatch.setattr(ospf, "FILE", str(tmp_path / "frr.conf"))
    ospf.take("write routing", routing, KEY)
    file = tmp_path / "frr.conf"
    assert f"md5 {KEY}\n" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(KEY in (text or "") for text in ospf.desired(routing).values())
    monkeypatch.setattr(ospf, "_FILES", (str(file),))
    monkeypatch.setenv("PATH", str(programs(tmp_path)))
    seen = ospf.read(routing, KEY, was_told=True)
    assert (seen[str(file)], seen[ospf.KEY]) == (ospf.desired(routing)[str(file)], "as on the controller: z0")
    assert ospf.read(routing, "another key", was_told=True)[ospf.KEY] == "another"
    assert not any(KEY in (text or "") for text in seen.values())
    file.chmod(0o644)
    assert ospf.read(routing, KEY, was_told=True)[ospf.KEY] == "another"


def test_frr_of_somebody_else_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "frr.conf").write_text("router bgp 65000\n")
    monkeypatch.setattr(ospf, "_FILES", (str(tmp_path / "frr.conf"),))
    assert ospf.read(None, None, was_told=True) == {}


def test_preference_follows_the_shared_address(tmp_path: Path) -> None:
    script = tmp_path / "ospf-preference"
    text = ospf.desired(DEVICES["zone-switch"])[ospf.PREFERENCE_FILE] or ""
    script.write_text(text.replace("/run/", f"{tmp_path}/"))
    environment = {"PATH": f"{programs(tmp_path)}:/usr/bin:/bin"}
    told = {}
    for address in ("172.31.0.5/32", "172.31.0.50/32"):
        (tmp_path / "addresses").write_text(f"7: vrrp-vlan4000    inet {address} scope global vrrp-vlan4000\n")
        done = subprocess.run(["sh", script], env=environment, check=True, capture_output=True, text=True)
        told[address] = done.stdout.split()[-1]
    assert told == {"172.31.0.5/32": "10", "172.31.0.50/32": "100"}


def test_only_those_in_full_exchange_are_neighbours() -> None:
    shown = {"10.200.0.2": [{"nbrState": "Full/DROther"}], "10.200.0.3": [{"nbrState": "Init/DROther"}]}
    assert ospf.full_neighbours(json.dumps({"neighbors": shown})) == {"10.200.0.2"}


def programs(directory: Path) -> Path:
    """Stand-ins that print: ip what the file `addresses` has, vtysh what it is told, systemctl of an active unit."""
    there = directory / "bin"
    there.mkdir()
    unit = "Id=frr.service\\nUnitFileState=enabled\\nActiveState=active\\n"
    bodies = {
        "ip": f'while read -r line; do echo "$line"; done <{directory}/addresses',
        "vtysh": 'echo "$@"',
        "systemctl": f"printf '{unit}'",
    }
    for name, body in bodies.items():
        (there / name).write_text(f"#!/bin/sh\n{body}\n")
        (there / name).chmod(0o755)
    return there


def write_golden() -> None:
    for device in DEVICES:
        (GOLDEN / device).mkdir(parents=True, exist_ok=True)
        for name, text in written(device).items():
            (GOLDEN / device / name).write_text(text or "")


if __name__ == "__main__":
    write_golden()
