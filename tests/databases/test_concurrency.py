"""Many controllers on one database, killed at random, on servers that are killed too: none doubled, lost or leaked."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from podwright.allocation.database import Database
from podwright.allocation.grant import Lease, Request
from podwright.allocation.pools import DeclaredPool, Pool
from podwright.allocation.repository import Repository
from podwright.allocation.single_pool import opened, reserve
from tests.databases import disks
from tests.databases.galera import GaleraCluster
from tests.databases.servers import MariaDb, PostgreSql, Server, connected
from tests.databases.soak import soak
from tests.databases.workers import POOLS, PURPOSE, audit, declare

WORKERS = 32
# Of each worker; `make soak` does thousands.
OPERATIONS = int(os.environ.get("PODWRIGHT_TEST_OPERATIONS", "60"))


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: MariaDb | PostgreSql = request.getfixturevalue(request.param)
    return found


def test_sqlite_among_controllers_that_are_killed(tmp_path: Path) -> None:
    soaked = soak([f"sqlite:///{tmp_path}/leases.db"], None, WORKERS, OPERATIONS, kills=8)
    assert soaked.killed > 0
    assert soaked.operations >= WORKERS * OPERATIONS


def test_server_among_controllers_that_are_killed_and_killed_itself(server: Server) -> None:
    def restart(_: int) -> None:
        server.kill()
        server.start()

    soaked = soak([server.new_database()], restart, WORKERS, OPERATIONS, kills=8, restarts=2)
    assert soaked.killed > 0
    assert soaked.restarts == 2
    assert soaked.operations >= WORKERS * OPERATIONS


def test_cluster_whose_node_is_killed(galera: GaleraCluster) -> None:
    urls = galera.new_database()

    def restart(_: int) -> None:
        galera.nodes[2].kill()
        galera.nodes[2].start()

    soaked = soak(urls, restart, WORKERS // 2, max(OPERATIONS // 2, 20), kills=4, restarts=1)
    assert (soaked.killed > 0, soaked.restarts) == (True, 1)
    wait_for(lambda: leases(urls[2]) == leases(urls[0]))
    assert audit(urls[2]).leases


def test_nodes_of_a_cluster_give_no_value_twice_at_one_moment(galera: GaleraCluster) -> None:
    """One transaction is open on one node while another commits on the other: only then does certification decide."""
    urls = galera.new_database()
    pool, requests = POOLS[0], [Request("slow/default", PURPOSE)]
    declare(urls[1])
    with Database(urls[0]) as slow, Database(urls[1]) as quick:
        attempts: list[int] = []

        def work(repository: Repository) -> None:
            granted = reserve(repository, opened(repository, pool, 0), requests, None, 0)
            if not attempts:
                other = [Request("quick/default", PURPOSE)]
                quick.write(lambda there: reserve(there, opened(there, pool, 0), other, None, 0))
            attempts.append(granted.leases["slow/default", PURPOSE].value)

        wait_for(lambda: len(pools(urls[0])) == len(POOLS))
        slow.write(work)
    assert attempts == [1, 2]
    wait_for(
        lambda: (
            [(lease.holder, lease.value) for lease in audit(urls[2]).leases]
            == [("quick/default", 1), ("slow/default", 2)]
        )
    )


def test_a_long_run_among_short_ones_comes_first_at_last(galera: GaleraCluster) -> None:
    """Short ones on other nodes commit all the time, so that a long one would never be the first to do so."""
    urls = galera.new_database()
    declare(urls[0])
    wait_for(lambda: all(len(pools(url)) == len(POOLS) for url in urls))
    is_over = threading.Event()
    attempts: list[float] = []

    def go_on(number: int) -> int:
        with Database(urls[number % 2]) as database:
            for done in count():
                time.sleep(0.005)  # the pool has 4,094 values, which shall not be empty first
                if is_over.is_set():
                    return done
                database.write(partial(leased, pool=POOLS[0], holder=f"short{number}-{done}/default"))
        raise AssertionError

    def long(repository: Repository) -> None:
        attempts.append(time.monotonic())
        repository.lock_all()
        leased(repository, POOLS[0], "long/default")
        repository.leases()
        time.sleep(0.5)  # as a run of a large cloud takes; the short ones take milliseconds

    with ThreadPoolExecutor() as short_ones, Database(urls[2]) as database:
        going_on = [short_ones.submit(go_on, number) for number in range(4)]
        try:
            wait_for(lambda: bool(audit(urls[0]).leases))
            database.write(long)
        finally:
            is_over.set()
        done = [each.result() for each in going_on]
    assert len(attempts) > 1  # it lost before it came first
    assert min(done) > 0
    wait_for(lambda: len(audit(urls[0]).leases) == sum(done) + 1)


def test_who_waited_for_a_pool_decides_on_what_is_leased_by_then(postgresql: PostgreSql) -> None:
    """One statement locks and reads, and what it reads is of before it waited."""
    url, pool = postgresql.new_database(), POOLS[0]
    declare(url)

    def lease(holder: str) -> int:
        with Database(url) as database:
            return database.write(partial(leased, pool=pool, holder=holder))

    assert lease("first/default") == 1
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with Database(url) as database, ThreadPoolExecutor() as others, connected(url) as observer:

        def work(repository: Repository) -> tuple[int, Future[int]]:
            value = leased(repository, pool, "slow/default")
            later = others.submit(lease, "quick/default")
            wait_for(lambda: observer.exec_driver_sql(waiting).scalar_one() == 1)
            return value, later

        value, later = database.write(work)
        assert (value, later.result(timeout=60)) == (2, 3)


def test_runs_that_lock_all_pools_do_not_wait_for_each_other_in_a_circle(postgresql: PostgreSql) -> None:
    url = postgresql.new_database()
    declare(url)

    def work(number: int) -> None:
        with Database(url) as database:
            for round_ in range(60):
                holder = f"h{number}-{round_}/default"
                database.write(partial(leased, pool=POOLS[(number + round_) % len(POOLS)], holder=holder))
                database.write(partial(disks.want, scope="east/p0", domain=holder, now=0))

    with ThreadPoolExecutor() as runs:
        list(runs.map(work, range(6)))
    with connected(url) as observer:
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert observer.exec_driver_sql(deadlocks).scalar_one() == 0


def leased(repository: Repository, pool: Pool, holder: str) -> int:
    """The value that a holder has from now on, if it had none."""
    granted = reserve(repository, opened(repository, pool, 0, [holder]), [Request(holder, PURPOSE)], None, 0)
    return granted.leases[holder, PURPOSE].value


def leases(url: str) -> list[Lease]:
    """What a database holds, or a node of a cluster has heard of so far."""
    with Database(url) as database:
        return database.preview(lambda repository: repository.leases())


def pools(url: str) -> Mapping[tuple[str, str], DeclaredPool]:
    """The pools that a database has, or a node of a cluster has heard of so far."""
    with Database(url) as database:
        return database.preview(lambda repository: repository.pools())


def wait_for(condition: Callable[[], bool], within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not come so far in time"
        time.sleep(0.1)
