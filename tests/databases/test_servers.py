from __future__ import annotations

import subprocess

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.databases.galera import GaleraCluster
from tests.databases.servers import ADDRESS, MariaDb, PostgreSql, Server


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(request.param)


def test_a_committed_row_outlives_a_killed_server(server: Server):
    url = server.new_database()
    execute(url, "CREATE TABLE kept (number INTEGER PRIMARY KEY)")
    execute(url, "INSERT INTO kept VALUES (1)")

    server.kill()
    with pytest.raises(DBAPIError):
        execute(url, "SELECT 1")
    server.start()

    assert numbers(url) == [1]


def test_a_new_database_is_empty_and_the_users_own(server: Server):
    first, second = server.new_database(), server.new_database()
    execute(first, "CREATE TABLE kept (number INTEGER PRIMARY KEY)")
    execute(second, "CREATE TABLE kept (number INTEGER PRIMARY KEY)")
    execute(first, "INSERT INTO kept VALUES (1)")

    assert numbers(second) == []


def test_a_password_is_asked_for(server: Server):
    with pytest.raises(DBAPIError):
        execute(server.url.replace(server.password, "guessed"), "SELECT 1")


def test_a_server_listens_on_the_loopback_address_alone(server: Server):
    assert listeners(server) == {f"{ADDRESS}:{server.port}"}


@pytest.mark.parametrize("kind", [MariaDb, PostgreSql])
def test_nothing_is_left_of_a_server_that_cannot_start(kind: type[Server], mariadb: MariaDb):
    server = kind(port=mariadb.port)

    with pytest.raises(RuntimeError, match=r"(?si)ended while it started.*address already in use"), server:
        pass

    assert not server.running
    assert not server.directory.exists()


def test_three_nodes_hold_the_same_rows(galera: GaleraCluster):
    urls = galera.new_database()
    execute(urls[0], "CREATE TABLE kept (number INTEGER PRIMARY KEY)")
    for number, url in enumerate(urls):
        assert numbers(url) == list(range(number))
        execute(url, "INSERT INTO kept VALUES (:number)", number=number)

    assert [numbers(url) for url in urls] == [[0, 1, 2]] * 3


@pytest.mark.parametrize("killed", [0, 2])
def test_two_nodes_go_on_and_the_killed_one_catches_up(galera: GaleraCluster, killed: int):
    urls = galera.new_database()
    others = [url for index, url in enumerate(urls) if index != killed]
    execute(urls[killed], "CREATE TABLE kept (number INTEGER PRIMARY KEY)")
    execute(urls[killed], "INSERT INTO kept VALUES (0)")

    galera.nodes[killed].kill()
    assert numbers(others[0]) == [0]
    for number, url in enumerate(others, start=1):
        execute(url, "INSERT INTO kept VALUES (:number)", number=number)
    galera.nodes[killed].start()

    assert numbers(urls[killed]) == [0, 1, 2]


@pytest.mark.parametrize("ended", ["killed", "stopped"])
def test_a_cluster_comes_back_whole(galera: GaleraCluster, ended: str):
    urls = galera.new_database()
    execute(urls[0], "CREATE TABLE kept (number INTEGER PRIMARY KEY)")
    execute(urls[1], "INSERT INTO kept VALUES (0)")

    if ended == "killed":
        for node in galera.nodes:
            node.kill()
    else:
        galera.stop()
    galera.start()

    execute(urls[2], "INSERT INTO kept VALUES (1)")
    assert [numbers(url) for url in urls] == [[0, 1]] * 3


def test_the_nodes_of_a_cluster_listen_on_the_loopback_address_alone(galera: GaleraCluster):
    for node in galera.nodes:
        assert all(listener.startswith(f"{ADDRESS}:") for listener in listeners(node))


def execute(url: str, statement: str, **values: int) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def numbers(url: str) -> list[int]:
    """The rows of a table; on a node of a cluster, when it has all that others committed (wsrep_sync_wait)."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        if engine.dialect.name == "mariadb":
            connection.execute(text("SET SESSION wsrep_sync_wait = 1"))
        return list(connection.scalars(text("SELECT number FROM kept ORDER BY number")))


def listeners(server: Server) -> set[str]:
    """Where a server's process listens, `address:port`."""
    sockets = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[3] for line in sockets if f"pid={server.pid}," in line}
