"""The change of a target as one transaction: marked while it is under way, and armed to take itself back.

Files are written first, each in one step; then the programs that read them are told, step by step. A run that is
killed leaves the mark, and what could have cut the controller off is put back unless the controller confirms it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from ansible_collections.podwright.cloud.plugins.module_utils import change_marker, managed_files, rollback
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, file_texts


class WayBack(NamedTuple):
    """How a change takes itself back: what brings the old files in force, shell commands, and when it does."""

    in_force: tuple[str, ...]
    after_s: int


def carry_out(
    part: str,
    differences: Differences,
    steps: Iterable[str],
    take: Callable[[str], None],
    way_back: WayBack | None = None,
    written_by_steps: Collection[str] = (),
) -> bool:
    """Make the changes; run again after a crash, it does what the crash left out.

    Args:
        part: What of the target is changed, the name of the mark.
        differences: What differs.
        steps: What that takes once the files are written, in this order.
        take: Takes a step.
        way_back: For a change that could cut the controller off.
        written_by_steps: Files that are left to the steps.

    Returns:
        Whether a change waits for `rollback.CONFIRM`.

    Raises:
        RuntimeError: A program failed.
    """
    with change_marker.under_way(part):
        if way_back is not None:
            rollback.arm(differences, written_by_steps, *way_back)
        files = file_texts(differences)
        managed_files.write({path: text for path, text in files.items() if path not in written_by_steps})
        for step in steps:
            take(step)
    return rollback.is_armed()
