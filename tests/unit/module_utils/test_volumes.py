"""Images and volumes as real files; needs root, as their marks are root's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import volumes
from ansible_collections.podwright.cloud.plugins.module_utils.volumes import GIB

from podwright.disk_images import inspect, pack


@pytest.fixture
def export(tmp_path: Path) -> str:
    directory = tmp_path / "export"
    volumes.make_directories(str(directory))
    return str(directory)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A disk of 64 MiB with 4 KiB of data at its begin and its middle."""
    path = tmp_path / "tiny.raw"
    with path.open("wb") as file:
        file.write(b"a" * 4096)
        file.seek(32 * 2**20)
        file.write(b"b" * 4096)
        file.truncate(64 * 2**20)
    return path


def put(export: str, source: Path, digest: str | None = None) -> str:
    archive = Path(volumes.image_directory(export), ".podwright-tiny.tar")
    pack(source, archive)
    digest = digest or inspect(source, source.with_suffix(".json")).digest
    volumes.put_image(export, "tiny", str(archive), digest)
    return digest


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert volumes.read(str(tmp_path / "nowhere")) == volumes.Found({}, {}, set(), [])


def test_an_image_arrives_with_its_holes(export: str, source: Path) -> None:
    digest = put(export, source)

    image = Path(volumes.image_directory(export), "tiny")
    assert volumes.read(export) == volumes.Found({"tiny": digest}, {}, set(), [])
    assert image.read_bytes() == source.read_bytes()
    assert allocated(image) < 2**20
    assert image.stat().st_mode & 0o777 == 0o600


def test_an_image_that_arrived_damaged_is_refused_and_leaves_only_its_archive(export: str, source: Path) -> None:
    with pytest.raises(RuntimeError, match=r"image tiny: found SHA-256 .* after the transfer, expected 00; run again"):
        put(export, source, digest="00")
    assert volumes.read(export).images == {}
    assert [Path(path).name for path in volumes.read(export).unfinished] == [".podwright-tiny.tar"]


def test_an_archive_of_this_run_is_not_left_behind(export: str) -> None:
    archive = Path(volumes.image_directory(export), ".podwright-tiny.tar")
    archive.touch()
    assert volumes.read(export, {str(archive)}).unfinished == []


def test_an_image_that_was_written_to_is_altered(export: str, source: Path) -> None:
    put(export, source)
    with Path(volumes.image_directory(export), "tiny").open("r+b") as image:
        image.write(b"c")
    assert volumes.read(export).images == {"tiny": "altered"}


def test_a_volume_starts_as_its_image_and_grows(export: str, source: Path) -> None:
    put(export, source)
    volumes.create_volume(export, "acme-web1.raw", "tiny", 1)

    volume = Path(export, "acme-web1.raw")
    assert volumes.read(export).volumes == {"acme-web1.raw": GIB}
    assert allocated(volume) < 2**20
    with volume.open("r+b") as file:
        assert file.read(4096) == b"a" * 4096
        file.seek(48 * 2**20)
        file.write(b"customer")

    volumes.grow_volume(export, "acme-web1.raw", 2)

    assert volumes.read(export).volumes == {"acme-web1.raw": 2 * GIB}
    with volume.open("rb") as file:
        file.seek(48 * 2**20)
        assert file.read(8) == b"customer"


def test_a_volume_that_cannot_be_made_leaves_nothing(export: str) -> None:
    with pytest.raises(RuntimeError, match="cp: cannot stat"):
        volumes.create_volume(export, "acme-web1.raw", "nosuch", 1)
    assert os.listdir(export) == [".images"]  # noqa: PTH208


def test_files_of_others_are_foreign(export: str) -> None:
    Path(export, "backup.raw").write_bytes(b"x")
    Path(export, "lost+found").mkdir()
    Path(volumes.image_directory(export), "notes").write_text("x")
    assert volumes.read(export) == volumes.Found({}, {}, {"backup.raw", "lost+found"}, [])


def test_what_a_killed_run_leaves_is_found_and_removed(export: str) -> None:
    # The kernel kills the copy in the middle, as kill -9 of the module would.
    script = "from ansible_collections.podwright.cloud.plugins.module_utils import volumes as v; import os, sys\n"
    script += "v.run = lambda *command: os.kill(os.getpid(), 9)\n"
    script += "v.create_volume(sys.argv[1], 'acme-web1.raw', 'tiny', 1)\n"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script, export], env=os.environ | {"PYTHONPATH": f"{root}/collections"}
    )
    assert done.returncode == -9

    found = volumes.read(export)
    assert found.volumes == {}
    assert len(found.unfinished) == 1
    volumes.remove(found.unfinished[0])
    assert volumes.read(export) == volumes.Found({}, {}, set(), [])


def test_unfinished_directories_go_whole(export: str) -> None:
    scratch = Path(volumes.image_directory(export), ".podwright-dir")
    scratch.mkdir()
    (scratch / "image").touch()
    volumes.remove(str(scratch))
    assert not scratch.exists()
