"""Volumes: which storage server has the disk of which domain.

Nothing is filled in here: a domain that is placed and has no volume has a disk from before, on the only storage server
that its pod had, and the next run, which knows the declaration, notes it.
"""

from __future__ import annotations

from alembic import op

from podwright.allocation.schema import VOLUME

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table, if the revision before has not made all that there are, or a run that was killed this one."""
    VOLUME.create(op.get_bind(), checkfirst=True)
