"""Collecting as operators begin it: what is refused is refused once, and before anything is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.collection import keep, make_room
from podwright.plan.stage import plan_cloud
from podwright.runner import ExitCode, Order, Run, run
from tests.unit.plan.clouds import declare, declare_lab, declared


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    return declare_lab(tmp_path)


def collect(cloud_file: Path, directory: Path) -> Run:
    variables = {"podwright_collect_to": str(directory)}
    return run(Order("podwright.cloud.collect", cloud_file, limit="east-p1-sw1", variables=variables))


def test_nothing_is_taken_away_without_a_plan_of_this_inventory(cloud_file: Path, tmp_path: Path) -> None:
    collected = tmp_path / "collected"
    make_room(collected, ["east-p1-sw1"])
    keep(collected, "east-p1-sw1", {"running-config": "as it was"})
    assert told(collect(cloud_file, collected)) == f"{tmp_path}/state/plan: there is no plan; run playbooks/plan.yml"
    plan_cloud(cloud_file, preview=False)
    declaration = declared(cloud_file)
    declaration["accounts"].pop("globex")
    declare(cloud_file, declaration)
    assert told(collect(cloud_file, collected)) == (
        f"{tmp_path}/state/plan: the plan was made before the inventory changed; run playbooks/plan.yml"
    )
    assert (collected / "east-p1-sw1/running-config").read_text() == "as it was"


def told(result: Run) -> str:
    """The one message of a run that failed."""
    assert result.exit_code == ExitCode.FAILED
    (failure,) = result.failures
    return failure.message
