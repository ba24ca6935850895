"""The database servers that the tests of this directory share; tests take a database of their own in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases.galera import GaleraCluster
from tests.databases.servers import MariaDb, PostgreSql


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests together where several processes share the tests: the servers are there once."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("databases"))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """A running MariaDB; a test that kills it starts it again."""
    with MariaDb() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """A running PostgreSQL; a test that kills it starts it again."""
    with PostgreSql() as server:
        yield server


@pytest.fixture(scope="session")
def galera() -> Iterator[GaleraCluster]:
    """A running cluster of three; a test that kills nodes starts them again."""
    with GaleraCluster() as cluster:
        yield cluster
