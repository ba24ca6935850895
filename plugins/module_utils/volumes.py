"""Images and volumes: raw sparse files below an export, each marked as podwright's by an attribute of the file.

A file appears under its name complete and marked or not at all; until then its name starts with `.podwright-`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from ansible_collections.podwright.cloud.plugins.module_utils.services import run

GIB = 2**30

_IMAGES = ".images"
_UNFINISHED = ".podwright-"

# Trusted attributes (xattr(7)) are root's, and unlike user attributes every Linux file system has them, also old tmpfs.
_IMAGE_MARK = "trusted.podwright.image"
"""Marks an image: its SHA-256, and the size and mtime for which that holds."""
_VOLUME_MARK = "trusted.podwright.volume"
"""Marks a volume: the image that it started as."""


class Found(NamedTuple):
    """What lies below an export."""

    images: dict[str, str]
    """{image: SHA-256}, of images that nobody wrote to since"""
    volumes: dict[str, int]
    """{volume: bytes}"""
    foreign: set[str]
    """Names of all else in the export, which is never touched."""
    unfinished: list[str]
    """Paths of what a run that was killed left."""


def read(export: str, arrived: Container[str] = ()) -> Found:
    """Look at an export; one that does not exist holds nothing.

    Args:
        export: Its directory.
        arrived: Paths of archives that this run has sent, unfinished but not left behind.
    """
    found = Found({}, {}, set(), [])
    for path in _listed(export):
        if _is_unfinished(path):
            found.unfinished.append(str(path))
        elif path.is_file() and _mark(path, _VOLUME_MARK):
            found.volumes[path.name] = path.stat().st_size
        elif path.name != _IMAGES:
            found.foreign.add(path.name)
    for path in _listed(image_directory(export)):
        if _is_unfinished(path):
            found.unfinished.extend([str(path)] if str(path) not in arrived else [])
        elif mark := _mark(path, _IMAGE_MARK):
            digest, _, stamp = mark.partition(" ")
            found.images[path.name] = digest if stamp == _stamp(path) else "altered"
    return found


def image_directory(export: str) -> str:
    """Where images lie, and where those that are sent are put down."""
    return f"{export}/{_IMAGES}"


def make_directories(export: str) -> None:
    """Make the export and its place for images."""
    Path(image_directory(export)).mkdir(mode=0o700, parents=True, exist_ok=True)


def put_image(export: str, name: str, archive: str, digest: str) -> None:
    """Make an image of the file `image` in a tar archive, which keeps holes; the archive goes.

    Raises:
        RuntimeError: The archive cannot be unpacked, or its content has another digest.
    """
    directory = image_directory(export)
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=directory) as scratch:
        run("tar", "--extract", f"--file={archive}", f"--directory={scratch}")
        image = Path(scratch, "image")
        found = _digest(image)
        if found != digest:
            raise RuntimeError(f"image {name}: found SHA-256 {found} after the transfer, expected {digest}; run again")
        os.setxattr(image, _IMAGE_MARK, f"{digest} {_stamp(image)}".encode())
        _appear(image, Path(directory, name))
    Path(archive).unlink()


def create_volume(export: str, name: str, image: str, size_gib: int) -> None:
    """Make a volume of `size_gib` that starts as a copy of an image, sharing its blocks where the file system can.

    Raises:
        RuntimeError: The copy failed.
    """
    with tempfile.NamedTemporaryFile(prefix=_UNFINISHED, dir=export, delete=False) as unnamed:
        volume = Path(unnamed.name)
    with _removed_on_failure(volume):
        run("cp", "--reflink=auto", "--sparse=always", f"{image_directory(export)}/{image}", str(volume))
        os.truncate(volume, size_gib * GIB)
        os.setxattr(volume, _VOLUME_MARK, image.encode())
        _appear(volume, Path(export, name))


def grow_volume(export: str, name: str, size_gib: int) -> None:
    """Make a volume larger; a machine that uses it sees that when its hypervisor does."""
    os.truncate(Path(export, name), size_gib * GIB)


def remove(path: str) -> None:
    """Remove an image, a volume or something unfinished."""
    if Path(path).is_dir():
        shutil.rmtree(path)
    else:
        Path(path).unlink()


def _listed(directory: str) -> list[Path]:
    try:
        return sorted(Path(directory).iterdir())
    except FileNotFoundError:
        return []


def _is_unfinished(path: Path) -> bool:
    return path.name.startswith(_UNFINISHED)


def _mark(path: Path, name: str) -> str | None:
    try:
        return os.getxattr(path, name).decode()
    except OSError:  # there is no such attribute, or the file system has none at all
        return None


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _appear(unnamed: Path, name: Path) -> None:
    """Give a file its name once its content is on the disk."""
    unnamed.chmod(0o600)
    with unnamed.open("rb") as file:
        os.fsync(file.fileno())
    unnamed.replace(name)


@contextlib.contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink()
        raise
