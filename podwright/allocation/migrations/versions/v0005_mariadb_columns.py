"""Columns of MariaDB as they were meant: equal only to the same bytes, with room for any pool, and domains that move.

What was said for MySQL did not apply to it. Each step may be done again: MariaDB keeps each at once, and a run may be
killed in between.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

_TABLES = ("pool", "lease", "free_range", "placement", "volume", "device", "run", "history")
_EXACT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


def upgrade() -> None:
    """Convert every table; other databases have what was meant."""
    if op.get_bind().dialect.name not in ("mariadb", "mysql"):
        return
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} CONVERT TO {_EXACT}")
    op.execute(f"ALTER TABLE pool MODIFY declared MEDIUMTEXT {_EXACT} NOT NULL")
    op.execute(f"ALTER TABLE history MODIFY `before` MEDIUMTEXT {_EXACT}, MODIFY `after` MEDIUMTEXT {_EXACT}")
    # MariaDB has no partial indexes, and took the one of held placements for all: a domain that moves has two.
    op.execute("DROP INDEX IF EXISTS one_held_placement_per_domain ON placement")
