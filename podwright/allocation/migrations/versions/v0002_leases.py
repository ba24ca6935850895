"""Leases, placements and devices: what there was before pools and history.

Tables are spelt out here as they were then: `podwright.allocation.schema` is as they are now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "lease",
        sa.Column("pool", sa.String(32), nullable=False),
        sa.Column("scope", sa.String(191), nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String(191), nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("cloud", sa.String(63)),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.PrimaryKeyConstraint("pool", "scope", "value"),
        sa.UniqueConstraint("pool", "scope", "holder", "purpose", name="one_lease_per_holder_and_purpose"),
        sa.CheckConstraint("state in ('held', 'releasing', 'quarantine')", name="known_state"),
        sa.CheckConstraint("(state = 'quarantine') = (until is not null)", name="only_quarantine_ends"),
        sqlite_with_rowid=False,
    )
    op.create_index("lease_until", "lease", ["until"], sqlite_where=sa.text("until IS NOT NULL"))
    op.create_table(
        "placement",
        sa.Column("scope", sa.String(191), nullable=False),
        sa.Column("domain", sa.String(191), nullable=False),
        sa.Column("hypervisor", sa.String(63), nullable=False),
        sa.Column("vcpus", sa.Integer, nullable=False),
        sa.Column("memory_mib", sa.Integer, nullable=False),
        sa.Column("cloud", sa.String(63), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("scope", "domain", "hypervisor"),
        sa.CheckConstraint("state in ('held', 'releasing')", name="known_placement_state"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "one_held_placement_per_domain",
        "placement",
        ["scope", "domain"],
        unique=True,
        sqlite_where=sa.text("state = 'held'"),
    )
    op.create_table(
        "device",
        sa.Column("cloud", sa.String(63), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("cloud", "name", "kind"),
        sqlite_with_rowid=False,
    )
