"""The plan stage: read the declaration, allocate, plan, and keep what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podwright import plan_files
from podwright.allocation import Allocated, allocate
from podwright.model import load
from podwright.plan.planner import plan
from podwright.plan.state import canonical


@dataclass(frozen=True)
class Outcome:
    """What a run of the stage came to."""

    devices: int
    changes: Mapping[str, tuple[str, str]]
    """{device: (YAML before, YAML after)}, of those whose state changed; "" is no state"""
    allocated: Allocated

    @property
    def changed(self) -> bool:
        """Whether a lease or a state is different from before."""
        return bool(self.changes) or self.allocated.changed

    @property
    def summary(self) -> dict[str, Any]:
        """What a report shows, as plain data."""
        return {
            "devices": self.devices,
            "changed": list(self.changes),
            "new_leases": sorted(map(str, self.allocated.new)),
            "releasing": sorted(map(str, self.allocated.releasing)),
        }

    @property
    def diff(self) -> list[dict[str, str]]:
        """The leases and states that changed, as Ansible shows them."""
        leases = self.allocated.diff
        texts = {"leases": (leases["before"], leases["after"]), **self.changes}
        return [
            {"before": before, "after": after, "before_header": name, "after_header": name}
            for name, (before, after) in texts.items()
            if before != after
        ]


def plan_cloud(
    cloud_file: Path,
    *,
    preview: bool,
    lost_hypervisors_confirmed: bool = False,
    lost_storage_servers_confirmed: bool = False,
) -> Outcome:
    """Plan the cloud that a file declares, in a preview beside the plan or for good.

    Hypervisors that left the declaration before their machines left them are refused unless they are confirmed
    to be dead for good; so are storage servers that disks are on.

    Raises:
        InvalidInput: the declaration is wrong.
        AllocationError: a lease cannot be had. Neither leases nor states were touched.
    """
    sources = plan_files.sources_digest(cloud_file)  # before reading: a later change makes the plan a stale one
    cloud = load(cloud_file)
    with plan_files.exclusive(cloud.state_directory):
        planned = plan_files.plan_directory(cloud.state_directory)
        previewed = plan_files.preview_directory(cloud.state_directory)
        allocated = allocate(
            cloud,
            preview=preview,
            lost_hypervisors_confirmed=lost_hypervisors_confirmed,
            lost_storage_servers_confirmed=lost_storage_servers_confirmed,
        )
        texts = {name: canonical(state) for name, state in plan(cloud, allocated.leases).items()}
        before = plan_files.read_texts(planned)
        plan_files.write(previewed if preview else planned, texts, sources)
        if not preview:
            plan_files.discard(previewed)
    return Outcome(len(texts), _changes(before, texts), allocated)


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = sorted(before.keys() | after.keys())
    texts = {name: (before.get(name, ""), after.get(name, "")) for name in names}
    return {name: (old, new) for name, (old, new) in texts.items() if old != new}
