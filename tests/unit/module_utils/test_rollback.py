from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import rollback


def test_files_are_put_back_new_ones_go_and_then_they_come_into_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback, "_SCRIPT", tmp_path / "rollback.sh")
    old, new = tmp_path / "old", tmp_path / "new"
    text = rollback.script({str(old): "it's\n", str(new): None}, [f"cat {old} >{tmp_path}/read"])
    old.write_text("changed")
    new.write_text("changed")
    (tmp_path / "rollback.sh").write_text(text)
    subprocess.run(["sh", tmp_path / "rollback.sh"], check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old": "it's\n", "read": "it's\n"}
