"""Rendering the cloud that a file declares, as it would be deployed now; writes no lease and no plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from podwright import plan_files
from podwright.allocation import Leases, allocate
from podwright.model import Cloud, load
from podwright.plan.planner import plan
from podwright.rendering import rendered_files
from podwright.rendering.devices import render


@dataclass(frozen=True)
class Rendered:
    """What was rendered."""

    directory: Path
    devices: int
    changed_files: int


def render_cloud(cloud_file: Path) -> Rendered:
    """Write the configuration of every device below the state directory.

    Raises:
        InvalidInput: the declaration is wrong.
        AllocationError: a lease cannot be had.
    """
    sources = plan_files.sources_digest(cloud_file)  # before reading: a later change makes it a stale one
    cloud = load(cloud_file)
    with plan_files.exclusive(cloud.state_directory):
        configurations = configurations_of(cloud, allocate(cloud, preview=True).leases)
        directory = rendered_files.rendered_directory(cloud.state_directory)
        changed = rendered_files.write(directory, configurations, sources)
    return Rendered(directory, len(configurations), changed)


def configurations_of(cloud: Cloud, leases: Leases) -> Mapping[str, Mapping[str, str]]:
    """Render every device: {device: {path: text}}, by name."""
    return {device: render(state) for device, state in plan(cloud, leases).items()}
