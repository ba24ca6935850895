"""What a lease costs a server does not grow with how many there are: it reads the rows that matter, and no table."""

from __future__ import annotations

import time
from functools import partial

import pytest
from sqlalchemy import text

from podwright.allocation.database import Database
from podwright.allocation.grant import Request
from podwright.allocation.pools import KINDS, SHARED, Pool
from podwright.allocation.repository import Repository
from podwright.allocation.single_pool import give_up, opened, reserve
from tests.databases.servers import MariaDb, PostgreSql, Server, connected, wait_until

HELD = 10_000
# PostgreSQL plans a statement anew for the first ten times or so, and keeps to a plan for any values from then on.
TIMES = 30
ROWS_AT_MOST = 100  # for a lease and giving one up
POOL = Pool("mac", "many", {SHARED: (KINDS["mac"].values,)}, "a test")

_OF_MARIADB = """
    SELECT CAST(sum(variable_value) AS SIGNED) FROM information_schema.global_status
    WHERE variable_name LIKE 'Handler\\_read\\_%'
"""
_OF_POSTGRESQL = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables"
_CHANGES_OF_POOL = "SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'pool'"


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: MariaDb | PostgreSql = request.getfixturevalue(request.param)
    return found


def test_few_rows_are_read_for_a_lease_among_many(server: Server) -> None:
    url = server.new_database()
    now = int(time.time())
    with Database(url) as database:
        database.write(partial(_reserve, holders=[f"old-{number}" for number in range(HELD)], now=now))
    before = _rows_read(url, 1)
    with Database(url) as database:
        for number in range(TIMES):
            database.write(partial(_reserve, holders=[f"new-{number}"], now=now))
            database.write(partial(_give_up, holder=f"new-{number - 5}", now=now))
    assert 0 < _rows_read(url, 1 + 2 * TIMES) - before < TIMES * ROWS_AT_MOST


def _reserve(repository: Repository, holders: list[str], now: int) -> None:
    requests = [Request(holder, "eth0") for holder in holders]
    reserve(repository, opened(repository, POOL, now, holders), requests, None, now)


def _give_up(repository: Repository, holder: str, now: int) -> None:
    """Let a holder go, whose value rests for another hour."""
    give_up(repository, opened(repository, POOL, now, [holder]), [holder], "eth0", now, now + 3600)


def _rows_read(url: str, changes: int) -> int:
    """How many rows of tables and indexes were read so far; PostgreSQL tells of that a little later."""
    with connected(url) as connection:
        if connection.dialect.name != "postgresql":
            return int(connection.scalar(text(_OF_MARIADB)) or 0)

        def is_told() -> bool:
            connection.execute(text("SELECT pg_stat_clear_snapshot()"))  # else it tells what it told before
            return int(connection.scalar(text(_CHANGES_OF_POOL)) or 0) >= changes

        assert wait_until(is_told, 30)
        return int(connection.scalar(text(_OF_POSTGRESQL)) or 0)
