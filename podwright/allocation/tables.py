"""The tables of a database of leases: made in an empty one, and brought up to date in one of an older podwright."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, inspect, select
from sqlalchemy.engine import URL

from podwright.allocation.location import named, place
from podwright.allocation.schema import LEASE, METADATA, SCHEMA_VERSION, SQLITE_STATISTICS, VERSION
from podwright.errors import DatabaseError

# 100,000 leases in one transaction: SQLite writes what does not fit before its time.
_CACHE_KIB = 64 * 1024


def version_of(connection: Connection, url: URL) -> str | None:
    """The version of the schema; None when there is none yet.

    Raises:
        DatabaseError: the database is somebody else's, or of a newer podwright.
    """
    tables = inspect(connection).get_table_names()
    version = connection.scalar(select(VERSION.c.version_num)) if VERSION.name in tables else None
    connection.rollback()
    if version is None and set(tables) - METADATA.tables.keys():
        raise DatabaseError(f"database {named(url)}: holds tables that are not podwright's; give another {place(url)}")
    if version is not None and version > SCHEMA_VERSION:
        raise DatabaseError(
            f"database {named(url)}: has schema version {version}, and this podwright knows versions up to "
            f"{SCHEMA_VERSION}; use the podwright that wrote it, or a newer one"
        )
    return version


def prepare(connection: Connection, url: URL) -> None:
    """Make the tables, or bring them up to date. Killed in between, it is finished by whoever comes next."""
    if url.get_backend_name() == "sqlite":
        _set_up_sqlite(connection)
    version = version_of(connection, url)
    if version == SCHEMA_VERSION:
        return
    if version is None:
        METADATA.create_all(connection)
        # Last, since MariaDB keeps each table at once.
        connection.execute(insert(VERSION).values(version_num=SCHEMA_VERSION))
    else:
        _upgrade(connection)
    if url.get_backend_name() == "sqlite":
        _tell_planner(connection)
    connection.commit()


def _set_up_sqlite(connection: Connection) -> None:
    """Let readers go on while somebody writes (https://www.sqlite.org/wal.html), and large runs stay in memory."""
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        driver.execute("PRAGMA journal_mode = WAL")


def _tell_planner(connection: Connection) -> None:
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # makes the table of statistics
    rows = [(LEASE.name, index, statistics) for index, statistics in SQLITE_STATISTICS.items()]
    connection.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE tbl = ?", (LEASE.name,))
    connection.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", rows)
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # has them read


def _upgrade(connection: Connection) -> None:
    # Imported only here: that takes longer than most runs take to allocate.
    from podwright.allocation.migrations import upgrade

    upgrade(connection)


def upgrade_for_now(connection: Connection, url: URL) -> None:
    """Bring the tables up to date in a transaction that will be undone."""
    if connection.dialect.name in ("mariadb", "mysql"):  # where a change of tables cannot be undone
        raise DatabaseError(
            f"database {named(url)}: has tables of an older podwright; run once without check mode to upgrade them"
        )
    _upgrade(connection)
