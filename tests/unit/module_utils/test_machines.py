from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.podwright.cloud.plugins.module_utils import libvirt_domain, machines

CASES = Path(__file__).parents[2] / "cases" / "domains"
MACHINES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((CASES / "machines").glob("*.yml"))}
BOOT_FILES = {
    case["machine"]["boot"]["image"]: case["boot_files"]
    for case in MACHINES.values()
    if case["machine"]["boot"]["image"]
}


@pytest.mark.parametrize("file", sorted((CASES / "changes").glob("*.yml")), ids=lambda file: file.stem)
def test_changes(file: Path) -> None:
    case = yaml.safe_load(file.read_text())
    survey = surveyed(case)
    wanted = machines.wanted(specified(case), BOOT_FILES)
    changes = machines.plan(survey.state, wanted)
    for name, change in changes.items():
        if change and "definition" in change:
            assert change["definition"] == wanted[name]["definition"] != survey.state[name]["definition"]
            change["definition"] = "anew"
    assert changes == case["changes"]
    assert machines.restart_needed(survey, wanted) == case.get("restart_needed", [])
    if "rewirable" in case:
        assert sorted(machines.rewirable(survey, specified(case), BOOT_FILES)) == case["rewirable"]


def test_a_new_machine_is_all_change() -> None:
    wanted = machines.wanted(specified({"wanted": ["machine"]}), BOOT_FILES)
    assert machines.plan({}, wanted) == wanted
    assert wanted["machine"] | MACHINES["machine"]["machine"] == wanted["machine"]
    assert wanted["machine"]["running"]
    assert wanted["machine"]["autostart"]


def test_a_nic_that_a_machine_did_not_let_go_counts_no_more_than_that_it_has_to_be_restarted() -> None:
    case = MACHINES["machine"]
    kept = {**case["machine"]["nics"][0], "name": "eth1", "device": "pw-77000007", "mac": "02:70:77:00:00:07"}
    before = {**case["machine"], "nics": [*case["machine"]["nics"], kept]}
    defined, live = (
        libvirt_domain.domain_xml("machine", machine, case["boot_files"]) for machine in (case["machine"], before)
    )
    started_from = libvirt_domain.digest("machine", before, case["boot_files"])
    state = {"machine": machines.describe(defined, live, autostart=True)}
    survey = machines.Survey(state, {"machine": started_from}, frozenset())
    wanted = machines.wanted(specified({"wanted": ["machine"]}), BOOT_FILES)
    assert machines.plan(survey.state, wanted) == {}
    assert machines.restart_needed(survey, wanted) == ["machine"]


def test_only_machines_of_the_role() -> None:
    everything = specified({"wanted": list(MACHINES)})
    assert set(machines.of_role(everything, "routing_appliance")) == {"routing-appliance"}
    assert machines.of_role(everything, None) == everything


def test_a_foreign_domain_of_the_same_name() -> None:
    survey = machines.Survey({}, {}, frozenset({"machine", "mail"}))
    with pytest.raises(RuntimeError) as error:
        machines.check(specified({"wanted": ["machine"]}), survey, BOOT_FILES)
    assert str(error.value) == (
        "machines.machine: a domain of that name is not podwright's; rename or undefine it (virsh undefine machine)"
    )


def test_an_image_without_boot_files() -> None:
    with pytest.raises(RuntimeError) as error:
        machines.check(specified({"wanted": ["machine"]}), machines.Survey({}, {}, frozenset()), {"other": {}})
    assert str(error.value) == "machines.machine.boot.image: tiny is not among the boot files ['other']"


def surveyed(case: dict[str, Any]) -> machines.Survey:
    """The host of a case: each domain runs as it is defined, but for the drift."""
    state, started_from = {}, {}
    for name in case["had"]:
        xml = libvirt_domain.domain_xml(name, MACHINES[name]["machine"], MACHINES[name]["boot_files"])
        state[name] = machines.describe(xml, xml, autostart=True) | case.get("drift", {}).get(name, {})
        if state[name]["running"]:
            mark = libvirt_domain.mark(xml)
            assert mark is not None
            started_from[name] = case.get("started_from", {}).get(name, mark["digest"])
    return machines.Survey(state, started_from, frozenset())


def specified(case: dict[str, Any]) -> dict[str, Any]:
    return {name: MACHINES[name]["machine"] | case.get("wanted_with", {}).get(name, {}) for name in case["wanted"]}
