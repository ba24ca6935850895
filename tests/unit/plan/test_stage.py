from __future__ import annotations

from pathlib import Path

import pytest

from podwright import plan_files
from podwright.errors import AllocationError, InvalidInput
from podwright.plan.stage import plan_cloud
from tests.unit.plan.clouds import declare, declare_lab, declared


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    return declare_lab(tmp_path)


def test_preview_is_what_the_run_then_does(cloud_file: Path, tmp_path: Path) -> None:
    preview = plan_cloud(cloud_file, preview=True)
    previewed = plan_files.read_texts(tmp_path / "state/preview")
    assert not (tmp_path / "state/plan").exists()
    run = plan_cloud(cloud_file, preview=False)
    assert plan_files.read_texts(tmp_path / "state/plan") == previewed
    assert (preview.diff, preview.summary) == (run.diff, run.summary)
    assert preview.changed
    assert not (tmp_path / "state/preview").exists()


def test_second_run_changes_nothing(cloud_file: Path) -> None:
    plan_cloud(cloud_file, preview=False)
    again = plan_cloud(cloud_file, preview=False)
    assert not again.changed
    assert again.diff == []
    assert again.summary == {"devices": 13, "changed": [], "new_leases": [], "releasing": []}


def test_what_changed_is_told(cloud_file: Path) -> None:
    plan_cloud(cloud_file, preview=False)
    declaration = declared(cloud_file)
    del declaration["accounts"]["globex"]
    outcome = plan_cloud(declare(cloud_file, declaration), preview=False)
    assert "globex-east-router" in outcome.summary["changed"]
    assert outcome.changes["globex-east-router"][1] == ""
    assert outcome.summary["new_leases"] == []
    assert any("globex/default" in lease for lease in outcome.summary["releasing"])
    assert {"leases", *outcome.changes} == {part["before_header"] for part in outcome.diff}


def test_machine_that_moved_says_where_it_was(cloud_file: Path, tmp_path: Path) -> None:
    declaration = declared(cloud_file)
    for hypervisor in ("east-p1-hv1", "east-p1-hv2"):
        declaration["accounts"] = {"acme": declaration["accounts"]["acme"]}
        declaration["accounts"]["acme"]["machines"] = {
            "web1": declaration["accounts"]["acme"]["machines"]["web1"] | {"hypervisor": hypervisor}
        }
        plan_cloud(declare(cloud_file, declaration), preview=False)
    states = plan_files.read_states(tmp_path / "state/plan", plan_files.sources_digest(cloud_file))
    assert states["east-p1-hv2"]["moved_from"] == {"acme-web1": ["east-p1-hv1"]}
    assert "moved_from" not in states["east-p1-hv1"]


def test_preview_of_a_change_leaves_the_plan_alone(cloud_file: Path, tmp_path: Path) -> None:
    plan_cloud(cloud_file, preview=False)
    before = plan_files.read_texts(tmp_path / "state/plan")
    declaration = declared(cloud_file)
    del declaration["accounts"]["globex"]
    assert plan_cloud(declare(cloud_file, declaration), preview=True).changed
    assert plan_files.read_texts(tmp_path / "state/plan") == before
    assert "globex-east-router" not in plan_files.read_texts(tmp_path / "state/preview")


def test_wrong_declaration_touches_nothing(cloud_file: Path, tmp_path: Path) -> None:
    declaration = declared(cloud_file)
    declaration["accounts"]["acme"]["machines"]["web1"]["offering"] = "huge"
    with pytest.raises(InvalidInput):
        plan_cloud(declare(cloud_file, declaration), preview=False)
    assert not (tmp_path / "state").exists()


def test_empty_pool_touches_no_plan(cloud_file: Path, tmp_path: Path) -> None:
    plan_cloud(cloud_file, preview=False)
    before = plan_files.read_texts(tmp_path / "state/plan")
    declaration = declared(cloud_file)
    declaration["zones"]["east"]["pods"]["p1"]["guest_vlans"] = ["101-102"]
    declaration["accounts"]["initech"] = {"guest_networks": {"default": {"zone": "east", "pod": "p1"}}}
    with pytest.raises(AllocationError, match="initech"):
        plan_cloud(declare(cloud_file, declaration), preview=False)
    assert plan_files.read_texts(tmp_path / "state/plan") == before
