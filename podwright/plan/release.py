"""The release stage: give up what no device carries any more, once every device has been brought to the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from podwright import plan_files
from podwright.allocation import PlacementChange, Settled, settle
from podwright.model import load
from podwright.plan import names
from podwright.plan.stage import plan_cloud


def release_leases(
    cloud_file: Path,
    *,
    planned_at: int,
    left_behind: Mapping[str, Iterable[str]],
    lost_devices_confirmed: bool,
    preview: bool,
) -> Settled:
    """Settle what was given up until `planned_at` (Unix time, s), when the run's plan was made.

    `left_behind` says which files of volumes that nobody wants this run left on each storage server.
    Where machines moved the plan is made once more, which then no longer says so.

    Raises:
        InvalidInput: the declaration is wrong.
        AllocationError: the database cannot be used.
        PlanError: the declaration was changed during the run, so devices do not have what it says.
    """
    sources = plan_files.sources_digest(cloud_file)
    cloud = load(cloud_file)
    plan_files.check_sources(plan_files.current_directory(cloud.state_directory, check_mode=preview), sources)
    settled = settle(
        cloud,
        planned_at=planned_at,
        left_behind={server: set(map(names.domain_of_volume, files)) for server, files in left_behind.items()},
        lost_devices_confirmed=lost_devices_confirmed,
        preview=preview,
    )
    if not preview and any(isinstance(change, PlacementChange) for change in settled.changes):
        plan_cloud(cloud_file, preview=False)
    return settled
