"""Whole plans, compared with those in tests/cases/plan, device by device.

`python -m tests.unit.plan.test_cases` writes the cases anew; read their diff before you commit it.
"""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
import yaml

from podwright.plan import canonical, plan
from tests.unit.plan.clouds import (
    ROOT,
    cloud_of,
    lab_declaration,
    leases_for,
    made_declaration,
    two_zones_declaration,
    with_firewall_pairs,
    with_public_switches,
    with_racks,
    with_transparent_firewalls,
)
from tests.unit.plan.clouds import account as made_account

CASES = ROOT / "tests/cases/plan"
CHANGES = sorted(file.stem for file in (CASES / "changes").glob("*.yml"))


def two_pods() -> dict[str, Any]:
    """A zone with two pods of one hypervisor each and three accounts with the same subnet, one of them in both."""
    declaration = made_declaration(zones=1, pods=2, hypervisors=1)
    declaration["accounts"] = {
        "acme": made_account("z0", "p0", 1),
        "globex": made_account("z0", "p1", 1),
        "initech": made_account("z0", "p0", 2, {1: "p1"}),
    }
    return declaration


def firewall_pair() -> dict[str, Any]:
    """The same, behind two firewalls that are bonded to both zone switches and find them by OSPF."""
    declaration = with_firewall_pairs(two_pods())
    declaration["zones"]["z0"]["routing"] = "ospf"
    return declaration


def transparent_firewalls() -> dict[str, Any]:
    """A small zone with a transparent firewall before each zone switch, and rules for who may connect."""
    declaration = with_transparent_firewalls(made_declaration(zones=1, pods=1, hypervisors=1))
    declaration["accounts"] = {"acme": made_account("z0", "p0", 1)}
    declaration["zones"]["z0"]["firewall_rules"] = {
        "web": {"direction": "in", "account": "acme", "protocol": "tcp", "ports": [80, "8000-8099"]},
        "no-mail": {"direction": "out", "action": "deny", "protocol": "tcp", "ports": [25]},
    }
    return declaration


def racks() -> dict[str, Any]:
    """A pod of two racks with two hypervisors each; acme is in both of them, globex in the second alone."""
    declaration = with_racks(made_declaration(zones=1, pods=1, hypervisors=4))
    declaration["accounts"] = {"acme": made_account("z0", "p0", 2), "globex": made_account("z0", "p0", 1)}
    pins = {"acme": ("z0-p0-hv0", "z0-p0-hv1"), "globex": ("z0-p0-hv2",)}
    for name, hypervisors in pins.items():
        for machine, hypervisor in zip(declaration["accounts"][name]["machines"].values(), hypervisors, strict=True):
            machine["hypervisor"] = hypervisor
    return declaration


def public_switches() -> dict[str, Any]:
    """The two pods, each with a pair of private switches and a pair of public ones."""
    return with_public_switches(two_pods())


CLOUDS = {
    "lab": lab_declaration,
    "two-pods": two_pods,
    "firewall-pair": firewall_pair,
    "transparent-firewalls": transparent_firewalls,
    "two-zones": two_zones_declaration,
    "racks": racks,
    "public-switches": public_switches,
}


@pytest.mark.parametrize("case", CLOUDS)
def test_cloud_is_planned_as_in_its_case(case: str) -> None:
    assert planned(case) == {file.stem: file.read_text() for file in sorted((CASES / case).glob("*.yml"))}


@pytest.mark.parametrize("case", CHANGES)
def test_change_of_the_lab_changes_these_states_only(case: str) -> None:
    assert changed(case) == (CASES / "changes" / f"{case}.diff").read_text()


def planned(case: str) -> dict[str, str]:
    cloud = cloud_of(CLOUDS[case]())
    return {device: canonical(state) for device, state in plan(cloud, leases_for(cloud)).items()}


def changed(case: str) -> str:
    """What a change of the lab's declaration does to its plan when everyone keeps their leases."""
    before = cloud_of(lab_declaration())
    leases = leases_for(before)
    after = cloud_of(merged(lab_declaration(), yaml.safe_load((CASES / "changes" / f"{case}.yml").read_text())))
    old, new = plan(before, leases), plan(after, leases_for(after, before=leases))
    return "".join(
        "".join(
            unified_diff(
                canonical(old[device]).splitlines(keepends=True) if device in old else [],
                canonical(new[device]).splitlines(keepends=True) if device in new else [],
                f"{device} (before)",
                f"{device} (after)",
            )
        )
        for device in sorted(old.keys() | new.keys())
    )


def merged(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396 section 2): null takes a key away."""
    if not isinstance(patch, dict):
        return patch
    target = target if isinstance(target, dict) else {}
    result = {key: value for key, value in target.items() if key not in patch}
    return result | {key: merged(target.get(key), value) for key, value in patch.items() if value is not None}


def write_cases() -> None:
    for case in CLOUDS:
        directory = CASES / case
        directory.mkdir(exist_ok=True)
        for file in directory.glob("*.yml"):
            file.unlink()
        for device, text in planned(case).items():
            Path(directory / f"{device}.yml").write_text(text)
    for case in CHANGES:
        (CASES / "changes" / f"{case}.diff").write_text(changed(case))


if __name__ == "__main__":
    write_cases()
