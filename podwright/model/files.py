"""Where the files of a declaration are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """A source of files."""

    def read_text(self, file: Path) -> str:
        """The text of a file.

        Raises:
            OSError: there is no such file, or it cannot be read.
            UnicodeDecodeError: it is not UTF-8.
        """

    def matching(self, directory: Path, pattern: str) -> list[Path]:
        """The files of a directory whose names match a pattern such as `*.yml`, by name; none where it is not there."""


class WorkingTree:
    """The files that are there now."""

    def read_text(self, file: Path) -> str:
        """The text of a file."""
        return file.read_text(encoding="utf-8")

    def matching(self, directory: Path, pattern: str) -> list[Path]:
        """The files of a directory whose names match a pattern."""
        return sorted(directory.glob(pattern))


WORKING_TREE: Files = WorkingTree()
