from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import change_marker
from ansible_collections.podwright.cloud.plugins.module_utils.change_marker import INTERRUPTED

COLLECTIONS = Path(__file__).parents[3] / "collections"


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_marker, "DIRECTORY", str(tmp_path / "not" / "yet"))


def test_a_change_that_ends_leaves_no_marker() -> None:
    assert change_marker.read("part") == {INTERRUPTED: None}
    with change_marker.under_way("part"):
        assert change_marker.read("part") == {INTERRUPTED: "started"}
        assert change_marker.read("other part") == {INTERRUPTED: None}
    assert change_marker.read("part") == {INTERRUPTED: None}


def test_a_change_that_fails_leaves_one_until_a_later_one_ends() -> None:
    with pytest.raises(RuntimeError, match="refused"), change_marker.under_way("part"):
        raise RuntimeError("refused")
    assert change_marker.read("part") == {INTERRUPTED: "started"}
    with change_marker.under_way("part"):
        pass
    assert change_marker.read("part") == {INTERRUPTED: None}


def test_a_change_that_is_killed_leaves_one() -> None:
    program = f"""
import os, signal
from ansible_collections.podwright.cloud.plugins.module_utils import change_marker
change_marker.DIRECTORY = {change_marker.DIRECTORY!r}
with change_marker.under_way("part"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    path = os.pathsep.join([str(COLLECTIONS), *sys.path])
    ended = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert change_marker.read("part") == {INTERRUPTED: "started"}
