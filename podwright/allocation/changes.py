"""Leases, placements and volumes, and changes of them, as people read them."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.allocation.grant import Lease, LeaseChange
from podwright.allocation.placement import Placement, PlacementChange
from podwright.allocation.volumes import Volume, VolumeChange

Record = Lease | Placement | Volume
Change = LeaseChange | PlacementChange | VolumeChange


def diff(changes: Iterable[Change]) -> dict[str, str]:
    """The changes as Ansible shows them: {before, after}, a sorted line for each lease."""
    before, after = [], []
    for change in changes:
        before += [str(change.before)] if change.before else []
        after += [str(change.after)] if change.after else []
    return {
        "before": "".join(f"{line}\n" for line in sorted(before)),
        "after": "".join(f"{line}\n" for line in sorted(after)),
    }
