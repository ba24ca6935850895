"""The command refuses a wrong declaration with exit code 4 and every mistake, before Ansible starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.model.test_source import write

MISTAKE = "cloud.yml:10: offerings.small.vcpu: vcpu is not a key of an offering; write vcpus, or remove it"


def podwright(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("podwright")
    return subprocess.run([command, *arguments], text=True, capture_output=True, check=False)


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    return write({"replace": [{"old": "vcpus: 1", "new": "vcpu: 1"}]}, tmp_path)


def test_people_get_a_line_for_each_mistake(wrong: Path) -> None:
    result = podwright("plan", "-i", wrong)
    assert (result.returncode, result.stdout, result.stderr) == (4, "", MISTAKE + "\n")


def test_machines_get_each_mistake_as_data(wrong: Path) -> None:
    result = podwright("plan", "--json", "-i", wrong)
    assert (result.returncode, result.stderr) == (4, "")
    assert json.loads(result.stdout) == {
        "exit_code": 4,
        "status": "invalid",
        "mistakes": [
            {
                "file": "cloud.yml",
                "line": 10,
                "path": "offerings.small.vcpu",
                "found": "vcpu",
                "expected": "a key of an offering",
                "remedy": "write vcpus, or remove it",
            }
        ],
    }


@pytest.mark.parametrize("arguments", [("deploy", "--bogus"), ("deploy", "-i", "/nonexistent"), ("deploi",)])
def test_wrong_call_is_not_taken_for_a_change(arguments: tuple[str, ...]) -> None:
    result = podwright(*arguments)
    assert result.returncode == 4
    assert result.stderr


def test_help_is_no_failure() -> None:
    assert podwright("--help").returncode == 0
