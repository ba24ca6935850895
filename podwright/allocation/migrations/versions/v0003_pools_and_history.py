"""Pools with their free values, who did what, and holders that are renumbered.

Databases of the revision before are all SQLite's. The next run declares the pools, and works out what is free.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from podwright.allocation.schema import METADATA

revision = "0003"
down_revision = "0002"

_OLD = ("lease", "placement")
_INDEXES = ("lease_until", "one_held_placement_per_domain")


def upgrade() -> None:
    """Make the new tables and move what is in the old ones."""
    connection = op.get_bind()
    for index in _INDEXES:
        op.drop_index(index)
    for table in _OLD:
        op.rename_table(table, f"{table}_0002")
    METADATA.create_all(connection)
    # A subnet used to be kept as its first address.
    connection.execute(
        text(
            "INSERT INTO lease (pool, scope, value, holder, purpose, cloud, since, state, until, superseded) "
            "SELECT pool, scope, CASE pool WHEN 'guest_subnet' THEN value / 256 ELSE value END, holder, purpose, "
            "cloud, since, state, until, 0 FROM lease_0002"
        )
    )
    # The next run knows what was promised of networks and storage.
    connection.execute(
        text(
            "INSERT INTO placement (scope, domain, hypervisor, vcpus, memory_mib, network_mbit_s, storage_iops, cloud, "
            "since, state) "
            "SELECT scope, domain, hypervisor, vcpus, memory_mib, 0, 0, cloud, since, state FROM placement_0002"
        )
    )
    for table in _OLD:
        op.drop_table(f"{table}_0002")
