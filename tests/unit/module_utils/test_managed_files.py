from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import managed_files


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    managed_files.write({str(path): "old\n"})
    managed_files.write({str(path): "new\n"}, mode=0o600)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new\n", 0o600)
    assert list(path.parent.iterdir()) == [path]


def test_none_removes_and_what_is_not_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    managed_files.write({str(path): None, str(tmp_path / "never"): None})
    assert managed_files.read([str(path)]) == {str(path): None}


def test_a_file_that_cannot_be_replaced_leaves_no_neighbour(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        managed_files.write({str(tmp_path / "taken"): "x"})
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
