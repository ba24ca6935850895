"""Tables of MariaDB that an earlier podwright made: their columns are MariaDB's choice, and domains cannot move."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from sqlalchemy import Connection

from podwright.allocation.database import Database
from podwright.allocation.grant import Request
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.schema import METADATA, PRECEDENCE, VERSION
from podwright.allocation.single_pool import opened, reserve
from podwright.errors import DatabaseError
from tests.databases.servers import MariaDb, connected

POOL = Pool("guest_vlan", "east/p1", {SHARED: (range(1, 4095),)}, "ranges")

_COLUMNS = """
    SELECT table_name, ordinal_position, column_name, column_type, collation_name, is_nullable, column_default, extra
    FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position
"""
_INDEXES = """
    SELECT table_name, index_name, seq_in_index, column_name, non_unique
    FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index
"""

_WAITING = """
    SELECT count(*) FROM information_schema.processlist
    WHERE db = DATABASE() AND state = 'Waiting for table metadata lock'
"""


def test_tables_of_an_earlier_podwright_become_those_of_a_new_database(mariadb: MariaDb) -> None:
    new, old = mariadb.new_database(), mariadb.new_database()
    for url in (new, old):
        ask(url, "acme/default")
    with connected(new) as made:
        expected = tables(made)
    with connected(old) as connection:
        make_old(connection)
        assert tables(connection) != expected

    with Database(old) as database, pytest.raises(DatabaseError, match="run once without check mode to upgrade them"):
        database.preview(lambda repository: repository.leases())
    assert ask(old, "Acme/default") == 2
    assert ask(old, "acme/default") == 1
    with connected(old) as connection:
        assert tables(connection) == expected


def test_an_upgrade_that_was_killed_is_finished(mariadb: MariaDb) -> None:
    """MariaDB keeps each change of a table at once, and the version comes last."""
    url = mariadb.new_database()
    ask(url, "acme/default")
    with connected(url) as connection:
        expected = tables(connection)
        make_old(connection)
        connection.exec_driver_sql("ALTER TABLE pool CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        connection.exec_driver_sql("DROP INDEX one_held_placement_per_domain ON placement")
    assert ask(url, "Acme/default") == 2
    with connected(url) as connection:
        assert tables(connection) == expected


def test_two_controllers_upgrade_at_one_moment(mariadb: MariaDb) -> None:
    url = mariadb.new_database()
    ask(url, "acme/default")
    with connected(url) as connection:
        expected = tables(connection)
        make_old(connection)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as controllers:
        with connected(url) as reader:
            # What was read cannot be altered before the reader's transaction ends: until then, both wait.
            reader.exec_driver_sql("SELECT * FROM pool")
            asked = [controllers.submit(ask, url, f"acme/{name}") for name in ("one", "two")]
            end = time.monotonic() + 30
            while reader.exec_driver_sql(_WAITING).scalar_one() < len(asked):
                assert time.monotonic() < end, "both should come to wait for the table"
                time.sleep(0.05)
        assert {each.result(timeout=60) for each in asked} == {2, 3}
    with connected(url) as connection:
        assert tables(connection) == expected


def make_old(connection: Connection) -> None:
    """Give tables the columns that SQLAlchemy gave them when it was told of MySQL alone."""
    connection.exec_driver_sql(f"DROP TABLE {PRECEDENCE.name}")  # which came later
    for table in METADATA.tables.keys() - {VERSION.name, PRECEDENCE.name}:
        connection.exec_driver_sql(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    connection.exec_driver_sql("ALTER TABLE pool MODIFY declared TEXT NOT NULL")
    connection.exec_driver_sql("ALTER TABLE history MODIFY `before` TEXT, MODIFY `after` TEXT")
    connection.exec_driver_sql("CREATE UNIQUE INDEX one_held_placement_per_domain ON placement (scope, domain)")
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0004'")


def tables(connection: Connection) -> list[tuple[Any, ...]]:
    """Every column and every index, as MariaDB has them."""
    return [tuple(row) for wanted in (_COLUMNS, _INDEXES) for row in connection.exec_driver_sql(wanted)]


def ask(url: str, holder: str) -> int:
    """The value that a holder has from now on, if it had none."""
    with Database(url) as database:
        granted = database.write(
            lambda repository: reserve(
                repository, opened(repository, POOL, 0), [Request(holder, "guest_network")], None, 0
            )
        )
    return granted.leases[holder, "guest_network"].value
