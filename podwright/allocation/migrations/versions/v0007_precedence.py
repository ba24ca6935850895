"""A table of who comes first among the nodes of a cluster."""

from __future__ import annotations

from alembic import op

from podwright.allocation.schema import PRECEDENCE

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make it, unless a revision before this one, which makes all tables, just did."""
    PRECEDENCE.create(op.get_bind(), checkfirst=True)
