"""The marker of a change that is under way on a target: what was killed in the middle of it is seen by the next run.

A file that is as wanted says nothing of the program that reads it: a run may have ended after it wrote the file and
before it told the program. The marker stands from before the first write until the last program was told; a run that
finds one takes nothing to be in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.podwright.cloud.plugins.module_utils import managed_files

DIRECTORY = "/var/lib/podwright"
INTERRUPTED = "interrupted change"
"""The key of what `read` gives, in a flat state."""


def read(part: str) -> dict[str, str | None]:
    """Say, as a part of a flat state, whether a change of `part` was interrupted; nobody wants one."""
    return told(_path(part).exists())


def told(is_there: bool) -> dict[str, str | None]:
    """Say the same where it is known already whether the file at `path` is there."""
    return {INTERRUPTED: "started" if is_there else None}


def path(part: str) -> str:
    """Where the marker of `part` stands while it does."""
    return str(_path(part))


@contextmanager
def under_way(part: str) -> Iterator[None]:
    """Mark `part` of this target while it is changed; a change that fails or is killed leaves the marker."""
    managed_files.write({str(_path(part)): ""})
    yield
    _path(part).unlink()


def _path(part: str) -> Path:
    return Path(DIRECTORY) / f"changing-{part}"
