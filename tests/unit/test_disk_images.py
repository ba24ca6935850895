from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from podwright.disk_images import DiskImage, inspect, pack
from podwright.errors import InvalidInput

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    source, cache = tmp_path / "tiny.raw", tmp_path / "cache" / "digests.json"
    source.touch()
    os.utime(source, ns=(1, 1))
    assert inspect(source, cache) == DiskImage(EMPTY, 0)

    cache.write_text(cache.read_text().replace(EMPTY, "remembered"))
    assert inspect(source, cache).digest == "remembered"

    os.utime(source, ns=(2, 2))
    assert inspect(source, cache).digest == EMPTY


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    source, cache = tmp_path / "tiny.raw", tmp_path / "digests.json"
    source.touch()
    cache.write_text('{"half')
    assert inspect(source, cache).digest == EMPTY


def test_a_missing_disk_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as error:
        inspect(tmp_path / "nosuch.raw", tmp_path / "digests.json")
    assert str(error.value) == (
        f"{tmp_path}/nosuch.raw: the disk of an image is missing; "
        "give the path of a raw disk that the controller can read (No such file or directory)"
    )


def test_an_archive_has_one_member_and_no_holes(tmp_path: Path) -> None:
    disk, source, archive = tmp_path / "disk", tmp_path / "-strange name.raw", tmp_path / "image.tar"
    disk.touch()
    os.truncate(disk, 2**30)
    source.symlink_to(disk)
    pack(source, archive)
    assert archive.stat().st_size < 2**20
    listed = subprocess.run(["tar", "--list", "-v", f"--file={archive}"], capture_output=True, text=True, check=True)
    _, _, size, _, _, name = listed.stdout.split()
    assert (int(size), name) == (2**30, "image")
