"""Text files that podwright owns whole on a target: read, compared and replaced, each in one step."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def read(paths: Iterable[str]) -> dict[str, str | None]:
    """Read files; one that is not there is `None`.

    Returns:
        {path: text}, in the order given.
    """
    return {path: _read(Path(path)) for path in paths}


def write(files: Mapping[str, str | None], mode: int = 0o644) -> None:
    """Make each file exist with its text, or not exist; after a crash each has its old or its new text."""
    for path, text in files.items():
        if text is None:
            Path(path).unlink(missing_ok=True)
        else:
            _replace(Path(path), text, mode)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, neighbour = tempfile.mkstemp(prefix=".podwright-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(neighbour).replace(path)  # rename(2) is atomic
    except BaseException:
        Path(neighbour).unlink()
        raise
