"""Kernels and initial RAM file systems that machines boot, kept on their hypervisor by image."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

DIRECTORY = Path("/var/lib/podwright/boot")

Files = dict[str, dict[str, "str | None"]]
"""{image: {kernel: SHA-256, initrd: SHA-256 or None}}"""


def read(directory: Path = DIRECTORY) -> Files:
    """Read what is there."""
    images = sorted(path for path in directory.glob("*") if path.is_dir())
    return {image.name: {kind: _digest(image / kind) for kind in ("kernel", "initrd")} for image in images}


def plan(current: Files, wanted: Files) -> dict[str, Any]:
    """Compare: {image: {kind: digest or None to remove}}, or {image: None} for one that goes."""
    changes: dict[str, Any] = {image: None for image in current if image not in wanted}
    for image, files in wanted.items():
        there = current.get(image, {})
        differing = {kind: digest for kind, digest in files.items() if there.get(kind) != digest}
        if differing:
            changes[image] = differing
    return changes


def missing(changes: dict[str, Any]) -> list[str]:
    """Pick the digests of the files that have to come from the controller."""
    return sorted({digest for files in changes.values() if files for digest in files.values() if digest})


def apply(changes: dict[str, Any], staged_in: str | None, directory: Path = DIRECTORY) -> None:
    """Make the changes; new files lie in `staged_in`, each under its digest. Every file is replaced in one step."""
    for image, files in changes.items():
        if files is None:
            shutil.rmtree(directory / image)
            continue
        (directory / image).mkdir(parents=True, exist_ok=True)
        for kind, digest in files.items():
            _replace(directory / image / kind, Path(staged_in or "", digest) if digest else None)


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _replace(path: Path, source: Path | None) -> None:
    if source is None:
        path.unlink(missing_ok=True)
        return
    beside = path.with_name(f".{path.name}.new")
    shutil.copyfile(source, beside)  # one file may be the kernel of several images
    beside.chmod(0o644)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)
