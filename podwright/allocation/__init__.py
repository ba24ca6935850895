"""Allocation: the only owner of the database of leases.

`allocate` hands out all that a cloud needs in one transaction, and `settle` ends
the release of what devices were seen without.
"""

from podwright.allocation.allocator import (
    Allocated,
    Settled,
    allocate,
    settle,
)
from podwright.allocation.changes import Change, Record, diff
from podwright.allocation.grant import Lease, LeaseChange
from podwright.allocation.leases import Leases
from podwright.allocation.placement import Placement, PlacementChange
from podwright.allocation.volumes import Volume, VolumeChange

__all__ = [
    "Allocated",
    "Change",
    "Lease",
    "LeaseChange",
    "Leases",
    "Placement",
    "PlacementChange",
    "Record",
    "Settled",
    "Volume",
    "VolumeChange",
    "allocate",
    "diff",
    "settle",
]
