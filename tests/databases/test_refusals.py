"""Servers that cannot be used: what is told, and that the password is not."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from podwright.allocation.database import Database
from podwright.errors import AllocationError, DatabaseError
from tests.databases.servers import MariaDb, PostgreSql, Server
from tests.ports import free_ports

PASSWORD = "hush-hush"  # noqa: S105 (of nothing)


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    found: MariaDb | PostgreSql = request.getfixturevalue(request.param)
    return found


def refusal(url: str) -> str:
    with pytest.raises(AllocationError) as raised, Database(url) as database:
        database.write(lambda repository: repository.leases())
    chain: BaseException | None = raised.value
    while chain is not None:
        assert PASSWORD not in str(chain)
        chain = chain.__cause__
    return str(raised.value)


def named(server: Server, database: str) -> str:
    kind = "mariadb" if isinstance(server, MariaDb) else "postgresql"
    return f"database {kind}://127.0.0.1:{server.port}/{database}"


def test_a_wrong_password_is_told_without_it(server: Server) -> None:
    url = make_url(server.url).set(password=PASSWORD)
    told = refusal(url.render_as_string(hide_password=False))
    assert told.startswith(f"{named(server, 'leases')}: refuses user or password; check both (")


def test_a_server_that_is_not_there_is_told_at_once(server: Server) -> None:
    (port,) = free_ports(1)
    url = make_url(server.url).set(password=PASSWORD, port=port)
    told = refusal(url.render_as_string(hide_password=False))
    expected = named(server, "leases").replace(str(server.port), str(port))
    assert told.startswith(f"{expected}: cannot be reached; start the server, or check host and port (")


def test_a_database_that_is_not_there_is_told(server: Server) -> None:
    told = refusal(server.url_of("leases_nowhere"))
    assert told.startswith(f"{named(server, 'leases_nowhere')}: does not exist on that server; create it (")


def test_tables_of_somebody_else_are_left_alone(server: Server) -> None:
    url = server.new_database()
    execute(url, "CREATE TABLE browser_history (url VARCHAR(64))")
    assert refusal(url).endswith("holds tables that are not podwright's; give another database")


def test_a_newer_schema_is_refused(server: Server) -> None:
    url = server.new_database()
    with Database(url) as database:
        database.write(lambda repository: repository.lock_all())
    execute(url, "UPDATE alembic_version SET version_num = '0099'")
    assert "has schema version 0099, and this podwright knows versions up to " in refusal(url)


def test_a_preview_is_refused_what_the_run_is_refused(server: Server) -> None:
    """Writes wait until something is read, and in a preview nothing is read at the end."""
    with Database(server.new_database()) as database:
        database.write(lambda repository: repository.add_devices("lab", [("leaf1", "switch")]))
        for attempt in (database.preview, database.write):
            with pytest.raises(DatabaseError, match="too long for"):
                attempt(lambda repository: repository.add_devices("lab", [("x" * 64, "switch")]))


def execute(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
