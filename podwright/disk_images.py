"""Disk images on the controller: what they contain, and how they travel with their holes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from podwright.errors import InvalidInput, Mistake


class DiskImage(NamedTuple):
    """The content of an image: SHA-256 in hex, and its size with holes counted."""

    digest: str
    size_bytes: int


def inspect(source: Path, cache: Path) -> DiskImage:
    """Read an image, once: until its size or mtime changes, its digest comes from the file `cache`.

    Raises:
        InvalidInput: There is no such file.
    """
    try:
        status = source.stat()
    except OSError as error:
        remedy = f"give the path of a raw disk that the controller can read ({error.strerror})"
        raise InvalidInput([Mistake(str(source), None, "", None, "the disk of an image", remedy)]) from error
    stamp = f"{status.st_size} {status.st_mtime_ns}"
    known = _known(cache)
    if known.get(str(source), {}).get("stamp") != stamp:
        with source.open("rb") as file:
            known[str(source)] = {"stamp": stamp, "digest": hashlib.file_digest(file, "sha256").hexdigest()}
        _remember(cache, known)
    return DiskImage(known[str(source)]["digest"], status.st_size)


def pack(source: Path, archive: Path) -> None:
    """Write a tar archive with one member, `image`, that leaves out the holes of a file."""
    name = [f"--directory={source.parent}", "--transform=s,.*,image,", "--", source.name]
    subprocess.run(["tar", "--create", "--sparse", "--dereference", f"--file={archive}", *name], check=True)


def _known(cache: Path) -> dict[str, dict[str, str]]:
    with suppress(FileNotFoundError, json.JSONDecodeError):
        known: dict[str, dict[str, str]] = json.loads(cache.read_text())
        return known
    return {}


def _remember(cache: Path, known: dict[str, dict[str, str]]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    descriptor, neighbour = tempfile.mkstemp(dir=cache.parent)
    with os.fdopen(descriptor, "w") as file:
        json.dump(known, file, indent=1, sort_keys=True)
    Path(neighbour).replace(cache)
