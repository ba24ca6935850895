from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.podwright.cloud.plugins.module_utils import machine_starter
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import State, compare
from ansible_collections.podwright.cloud.plugins.module_utils.machine_starter_unit import (
    PROGRAM_FILE,
    UNIT,
    UNIT_FILE,
    commands,
    desired,
)

NOTHING: State = {PROGRAM_FILE: None, UNIT_FILE: None, f"unit {UNIT}": None}


def test_a_hypervisor_with_machines_gets_it() -> None:
    differences = compare(desired(has_machines=True), NOTHING)
    assert set(differences) == set(NOTHING)
    assert commands(differences) == ["write files", "daemon-reload", f"enable --quiet {UNIT}"]


def test_there_it_stays_as_it_is() -> None:
    differences = compare(desired(has_machines=True), desired(has_machines=True))
    assert differences == {}
    assert commands(differences) == []


def test_a_hypervisor_without_machines_loses_it() -> None:
    differences = compare(desired(has_machines=False), desired(has_machines=True))
    assert {key: wanted for key, (_, wanted) in differences.items()} == NOTHING
    assert commands(differences) == [f"disable --now --quiet {UNIT}", "write files", "daemon-reload"]


def test_a_hypervisor_that_never_had_machines_stays_as_it_is() -> None:
    assert compare(desired(has_machines=False), NOTHING) == {}


def test_another_program_is_replaced() -> None:
    differences = compare(desired(has_machines=True), desired(has_machines=True) | {PROGRAM_FILE: "older"})
    assert list(differences) == [PROGRAM_FILE]
    assert commands(differences) == ["write files", "daemon-reload"]


def test_a_run_that_was_killed_after_the_files_is_finished() -> None:
    differences = compare(desired(has_machines=True), desired(has_machines=True) | {f"unit {UNIT}": "disabled"})
    assert commands(differences) == ["write files", "daemon-reload", f"enable --quiet {UNIT}"]


def test_the_program_is_this_very_file_and_needs_no_other() -> None:
    program = desired(has_machines=True)[PROGRAM_FILE]
    assert program == Path(machine_starter.__file__).read_text()
    assert "ansible" not in program.partition('"""\n\n')[2]


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = desired(has_machines=True)[UNIT_FILE]
    assert text is not None
    unit = tmp_path / UNIT
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert UNIT not in done.stderr, done.stderr
