"""SQLite's table of leases with checks that cost less; they say the same, so that servers keep theirs."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from podwright.allocation.schema import LEASE

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table anew, for SQLite cannot change a check (https://www.sqlite.org/lang_altertable.html, 7)."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    for index in LEASE.indexes:
        op.drop_index(str(index.name), if_exists=True)
    op.rename_table(LEASE.name, "lease_0005")
    LEASE.create(connection)
    columns = ", ".join(LEASE.columns.keys())
    connection.execute(text(f"INSERT INTO lease ({columns}) SELECT {columns} FROM lease_0005"))  # noqa: S608 (names)
    op.drop_table("lease_0005")
