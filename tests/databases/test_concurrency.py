"""Many controllers on one database, killed at random, on servers that are killed too: none doubled, lost or leaked."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from podwright.allocation.database import Database
from podwright.allocation.grant import Lease, Request
from podwright.allocation.repository import Repository
from podwright.allocation.single_pool import opened, reserve
from tests.databases.servers import GaleraCluster, MariaDb, PostgreSql, Server
from tests.databases.workers import POOLS, PURPOSE, audit, declare, kill_some, working

WORKERS = 32


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: MariaDb | PostgreSql = request.getfixturevalue(request.param)
    return found


def test_sqlite_among_controllers_that_are_killed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/leases.db"
    with working([url], WORKERS, operations=60) as processes:
        wait_for(lambda: (tmp_path / "leases.db").exists())
        killed = kill_some(processes, count=8, within_s=6)
    assert sorted({process.exitcode for process in processes}) in ([-9, 0], [0])
    assert killed > 0
    assert audit(url)


def test_server_among_controllers_that_are_killed(server: Server) -> None:
    url = server.new_database()
    with working([url], WORKERS, operations=60) as processes:
        killed = kill_some(processes, count=8, within_s=8)
    assert [process.exitcode for process in processes].count(0) == WORKERS - killed
    assert killed > 0
    assert audit(url)


def test_server_that_is_killed_and_started_again(server: Server) -> None:
    url = server.new_database()
    declare(url)
    with working([url], WORKERS // 4, operations=250) as processes:
        wait_for(lambda: leases(url) != [])
        for _ in range(2):
            server.kill()
            server.start()
            before = audit(url)
            wait_for(lambda: leases(url) != before or not any(process.is_alive() for process in processes))  # noqa: B023
    assert [process.exitcode for process in processes] == [0] * len(processes)
    assert audit(url)


def test_cluster_whose_node_is_killed(galera: GaleraCluster) -> None:
    urls = galera.new_database()
    declare(urls[0])
    with working(urls, WORKERS // 2, operations=60) as processes:
        wait_for(lambda: leases(urls[0]) != [])
        galera.nodes[2].kill()
        killed = kill_some(processes, count=4, within_s=5)
    galera.start()
    assert [process.exitcode for process in processes].count(0) == len(processes) - killed
    assert audit(urls[0])
    wait_for(lambda: leases(urls[2]) == leases(urls[0]))
    assert audit(urls[2])


def test_nodes_of_a_cluster_give_no_value_twice_at_one_moment(galera: GaleraCluster) -> None:
    """One transaction is open on one node while another commits on the other: only then does certification decide."""
    urls = galera.new_database()
    pool, requests = POOLS[0], [Request("slow/default", PURPOSE)]
    with Database(urls[0]) as slow, Database(urls[1]) as quick:
        quick.write(lambda repository: opened(repository, pool, 0))
        attempts: list[int] = []

        def work(repository: Repository) -> None:
            granted = reserve(repository, opened(repository, pool, 0), requests, None, 0)
            if not attempts:
                other = [Request("quick/default", PURPOSE)]
                quick.write(lambda there: reserve(there, opened(there, pool, 0), other, None, 0))
            attempts.append(granted.leases["slow/default", PURPOSE].value)

        wait_for(lambda: has_pool(urls[0]))
        slow.write(work)
    assert attempts == [1, 2]
    wait_for(
        lambda: [(lease.holder, lease.value) for lease in audit(urls[2])] == [("quick/default", 1), ("slow/default", 2)]
    )


def leases(url: str) -> list[Lease]:
    """What a database holds, or a node of a cluster has heard of so far."""
    with Database(url) as database:
        return database.preview(lambda repository: repository.leases())


def has_pool(url: str) -> bool:
    with Database(url) as database:
        return bool(database.preview(lambda repository: repository.pools()))


def wait_for(condition: Callable[[], bool], within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not come so far in time"
        time.sleep(0.1)
