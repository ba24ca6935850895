"""What a firewall is told, as files.

`PYTHONPATH=collections python -m tests.unit.module_utils.test_zone_firewall` writes the golden ones anew.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import (
    change_marker,
    firewall_rules,
    flat_state,
    ipsec,
    rollback,
    transparent_firewall,
    virtual_routers,
    zone_firewall,
)

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests/cases/zone_firewall"
GOLDEN = CASES / "golden"
STATE = yaml.safe_load((ROOT / "tests/cases/plan/two-zones/east-fw1.yml").read_text())
FIREWALL: dict[str, Any] = STATE["firewall"] | {"tracked_ports": STATE["network"]["uplinks"]["members"]}
TRANSPARENT: dict[str, Any] = yaml.safe_load((ROOT / "tests/cases/plan/transparent-firewalls/z0-fw1.yml").read_text())[
    "firewall"
] | {"tracked_ports": []}
KEYS = {"east-west": "a key that nobody has"}
ESP: tuple[firewall_rules.Esp, ...] = ("kernel", "process")


def written(esp: firewall_rules.Esp) -> dict[str, str | None]:
    files = {Path(path).name: text for path, text in zone_firewall.desired(FIREWALL, esp).items() if path[0] == "/"}
    files["swanctl.conf"] = zone_firewall.desired(FIREWALL, esp)[ipsec.CONNECTIONS_FILE]
    files["strongswan.conf"] = zone_firewall.desired(FIREWALL, esp)[ipsec.DAEMON_FILE]
    files["strongswan.service.conf"] = zone_firewall.desired(FIREWALL, esp)[ipsec.UNIT_FILE]
    del files["podwright.conf"]  # three have this name
    return files


def written_for_a_bridge() -> dict[str, str]:
    desired = zone_firewall.desired(TRANSPARENT, "kernel")
    return {Path(path).name: desired[path] or "" for path in (zone_firewall.RULES_FILE, zone_firewall.UNIT_FILE)}


def test_what_is_written_for_a_transparent_firewall() -> None:
    assert written_for_a_bridge() == {
        path.name: path.read_text() for path in sorted((GOLDEN / "transparent").iterdir())
    }


def test_rules_for_who_may_connect_are_the_same_text_in_both_modes() -> None:
    rules = [line for line in written_for_a_bridge()["zone-firewall.nft"].splitlines() if "comment" in line]
    routed = firewall_rules.table({**TRANSPARENT, "transparent": None}, "kernel")
    assert len(rules) == 2
    assert [line for line in routed.splitlines() if "comment" in line] == rules


def test_gate_that_the_unit_opens_at_boot_is_the_one_that_is_wanted(tmp_path: Path) -> None:
    ((path, text),) = [item for item in transparent_firewall.desired(TRANSPARENT).items() if item[0][0] == "/"]
    (line,) = transparent_firewall.opening(TRANSPARENT)
    command = line.removeprefix("ExecStart=/bin/sh -c '").removesuffix("'")
    subprocess.run(["sh", "-euc", command.replace("/run/", f"{tmp_path}/")], check=True)
    assert (tmp_path / path.removeprefix("/run/")).read_text() == text
    assert "%" not in line  # a specifier of systemd.unit(5)


def test_transparent_firewall_without_shared_addresses_has_no_keepalived() -> None:
    desired = zone_firewall.desired({**TRANSPARENT, "virtual_addresses": []}, "kernel")
    keys = (virtual_routers.FILE, virtual_routers.UNIT_FILE, f"unit {virtual_routers.UNIT}")
    assert [desired[key] for key in keys] == [None, None, None]


def test_closing_the_gate_is_a_step_after_the_rules_are_loaded() -> None:
    seen = zone_firewall.desired(TRANSPARENT, "kernel")
    routed = zone_firewall.desired({**TRANSPARENT, "transparent": None}, "kernel")
    steps = zone_firewall.actions(flat_state.compare(routed, seen))
    assert steps == ["reload units", "load rules", "open or close the bridge"]


@pytest.mark.parametrize("esp", ESP)
def test_what_is_written(esp: firewall_rules.Esp) -> None:
    assert written(esp) == {path.name: path.read_text() for path in sorted((GOLDEN / esp).iterdir())}


def test_without_rules_nobody_is_let_in() -> None:
    rules = firewall_rules.table({**FIREWALL, "rules": [], "vpns": {}}, "kernel")
    forward = rules.partition("chain forward")[2].partition("chain sources")[0]
    from_controllers = 'iifname { "eth0", "vrrp-eth0" } ip saddr 10.255.0.0/24 oifname { "eth3", "eth4", "eth5" }'
    assert [line.strip() for line in forward.splitlines() if "accept" in line] == [
        "ct state established,related accept",
        f"{from_controllers} ct original ip daddr 10.201.0.0/16 accept",
        'iifname { "vlan40", "vrrp-vlan40" } oifname "eth1" accept',
    ]


def test_what_is_denied_comes_before_what_is_allowed() -> None:
    anybody = {"direction": "in", "sources": None, "destinations": None, "protocol": None, "ports": []}
    rules = [anybody | {"name": "a", "action": "allow"}, anybody | {"name": "b", "action": "deny"}]
    text = firewall_rules.table({**FIREWALL, "rules": rules}, "kernel")
    assert text.index('drop comment "b"') < text.index('accept comment "a"')


def test_the_firewall_of_a_zone_without_translation_translates_nothing() -> None:
    management = {"interface": "eth0", "controllers": None, "translation": None, "ports": {}}
    text = firewall_rules.table({**FIREWALL, "management": management, "vpns": {}}, "kernel")
    assert "nat ip" not in text
    assert 'iifname { "eth0", "vrrp-eth0" } accept' in text


def test_of_both_ends_of_a_vpn_one_calls() -> None:
    here = FIREWALL["vpns"]["east-west"]
    there = here | {"local_id": here["remote_id"], "remote_id": here["local_id"]}
    called = [ipsec.files({"east-west": vpn}, "kernel")[ipsec.CALLER_FILE] or "" for vpn in (here, there)]
    assert ["swanctl --initiate --child" in text for text in called] == [True, False]


def test_keys_are_in_their_own_file_alone() -> None:
    text = ipsec.keys_text(FIREWALL["vpns"], KEYS)
    assert text is not None
    assert 'secret = "a key that nobody has"' in text
    assert not any("a key that nobody has" in (shown or "") for esp in ESP for shown in written(esp).values())


def test_keys_that_others_may_read_count_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipsec, "KEYS_FILE", str(tmp_path / "keys"))
    ipsec.write_keys(ipsec.keys_text(FIREWALL["vpns"], KEYS))
    assert ipsec.read_keys() == ipsec.keys_text(FIREWALL["vpns"], KEYS)
    (tmp_path / "keys").chmod(0o640)
    assert ipsec.read_keys() is None


@pytest.mark.parametrize("file", sorted(CASES.glob("*.yml")), ids=lambda file: file.stem)
def test_differences_and_what_they_take(file: Path) -> None:
    case = yaml.safe_load(file.read_text())
    seen = zone_firewall.desired(FIREWALL, "process") | case.get("seen", {})
    differences = flat_state.compare(zone_firewall.desired(FIREWALL | case.get("with", {}), "process"), seen)
    assert sorted(differences) == case["changed"]
    steps = zone_firewall.actions(differences)
    assert (steps, zone_firewall.may_cut_off(steps)) == (case["actions"], case["may_cut_off"])


def test_a_run_that_ends_in_the_middle_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_marker, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(rollback, "_SCRIPT", tmp_path / "rollback.sh")
    monkeypatch.setattr(rollback, "_BOOT_UNIT_FILE", tmp_path / "at-boot.service")
    monkeypatch.setenv("PATH", str(tmp_path))  # where no program is, so that the run ends at the first one
    desired = zone_firewall.desired(FIREWALL, "process")

    with pytest.raises(FileNotFoundError):
        zone_firewall.apply(FIREWALL, KEYS, None, {"packet filter": (None, "as loaded")}, 60)

    differences = flat_state.compare(desired, desired | change_marker.read("zone-firewall"))
    steps = zone_firewall.actions(differences)
    assert {"load rules", "reload keepalived", "restart VPNs"} <= set(steps)


def write_golden() -> None:
    for esp in ESP:
        (GOLDEN / esp).mkdir(parents=True, exist_ok=True)
        for name, text in written(esp).items():
            (GOLDEN / esp / name).write_text(text or "")
    for name, text in written_for_a_bridge().items():
        (GOLDEN / "transparent" / name).write_text(text)


if __name__ == "__main__":
    write_golden()
