from __future__ import annotations

import re
import resource
import signal
import sqlite3
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

from podwright.allocation import allocate
from podwright.allocation.conversation import Conversation, Said
from podwright.allocation.database import Database
from podwright.allocation.grant import Request
from podwright.allocation.migrations import upgrade
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.repository import Repository
from podwright.allocation.schema import METADATA
from podwright.allocation.single_pool import give_up, opened, reserve
from podwright.allocation.statement import Row
from podwright.errors import AllocationError
from tests.unit.allocation.declaration import NOW, account, cloud, records

ACCOUNTS = {"acme": account("web1")}
FORMS = "a path, sqlite:///<path>, mariadb://<user>@<host>/<database> or postgresql://<user>@<host>/<database>"


def refusal(database: str | Path) -> str:
    with pytest.raises(AllocationError) as raised, Database(database) as opened:
        opened.write(lambda repository: repository.leases())
    return str(raised.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    path.write_text("what is this? " * 100)
    assert refusal(path) == (
        f"database {path}: is not an SQLite database; give another path, or restore it from a backup "
        "(file is not a database)"
    )


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    declared = cloud(tmp_path, ACCOUNTS)
    allocate(declared, preview=False, now=NOW)
    path = tmp_path / "leases.db"
    page = 4096
    path.write_bytes(path.read_bytes()[:page] + b"\xff" * (path.stat().st_size - page))
    with pytest.raises(AllocationError) as raised:
        allocate(declared, preview=False, now=NOW)
    assert str(raised.value) == (
        f"database {path}: is damaged; restore it from a backup (database disk image is malformed)"
    )


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    declared = cloud(tmp_path, ACCOUNTS)
    allocate(declared, preview=False, now=NOW)
    path = tmp_path / "leases.db"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0008'")
    connection.close()
    assert refusal(path) == (
        f"database {path}: has schema version 0008, and this podwright knows versions up to 0007; "
        "use the podwright that wrote it, or a newer one"
    )


def test_an_older_schema_is_upgraded_with_all_that_it_holds(tmp_path: Path) -> None:
    subnets = {"acme": account("web1", subnet="auto")}
    expected = allocate(cloud(tmp_path / "new", subnets), preview=False, now=NOW).leases
    old, new = tmp_path / "old/leases.db", tmp_path / "new/leases.db"
    old.parent.mkdir()
    engine = create_engine(f"sqlite:///{old}")
    with engine.begin() as connection:
        upgrade(connection, to="0002")
    engine.dispose()
    with sqlite3.connect(old) as connection:
        connection.execute("ATTACH ? AS new", [str(new)])
        connection.executescript("""
            INSERT INTO lease SELECT pool, scope, CASE pool WHEN 'guest_subnet' THEN value * 256 ELSE value END, holder,
                                     purpose, cloud, since, state, until FROM new.lease;
            INSERT INTO placement SELECT scope, domain, hypervisor, vcpus, memory_mib, cloud, since, state
                                  FROM new.placement;
            INSERT INTO device SELECT * FROM new.device;
        """)
    connection.close()
    declared = cloud(tmp_path / "old", subnets)
    assert allocate(declared, preview=True, now=NOW).leases == expected
    assert allocate(declared, preview=False, now=NOW).leases == expected
    assert records(declared) == records(cloud(tmp_path / "new", subnets))


def test_disks_from_before_volumes_were_leased_stay_where_they_are(tmp_path: Path) -> None:
    servers = cloud(tmp_path, {}).zones["east"].pods["p1"].model_dump()["storage_servers"]
    accounts = {"acme": account("web1")}
    allocate(cloud(tmp_path, accounts, storage_servers=servers), preview=False, now=NOW)
    with sqlite3.connect(tmp_path / "leases.db") as connection:
        connection.executescript("DROP TABLE volume; UPDATE alembic_version SET version_num = '0003'")
    connection.close()
    servers["p1-n0"] = servers["p1-n1"] | {"management_address": "192.168.1.20", "capacity_gib": 9000}
    another = cloud(tmp_path, {"acme": account("web1", "web2")}, storage_servers=servers)
    for preview in (True, False):
        leases = allocate(another, preview=preview, now=NOW).leases
        assert leases.volumes == {"acme-east-router": "p1-n1", "acme-web1": "p1-n1", "acme-web2": "p1-n0"}
    assert not allocate(another, preview=False, now=NOW).changed


def test_upgraded_tables_are_those_of_a_new_database(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/leases.db")
    with engine.begin() as connection:
        upgrade(connection)
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_checks_that_cost_much_are_replaced_around_the_leases(tmp_path: Path) -> None:
    """What an upgrade makes is to the letter what a new database has."""
    declared = cloud(tmp_path, ACCOUNTS)
    leases = allocate(declared, preview=False, now=NOW).leases
    with sqlite3.connect(tmp_path / "leases.db") as connection:
        expected = _schema(connection)
        connection.executescript("""
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET name = name, sql = replace(
                sql, 'state = ''held'' or state = ''releasing'' or state = ''quarantine''',
                'state in (''held'', ''releasing'', ''quarantine'')'
            ) WHERE name = 'lease';
            UPDATE alembic_version SET version_num = '0005';
        """)
        assert _schema(connection) != expected
    connection.close()
    for preview in (True, False):
        again = allocate(declared, preview=preview, now=NOW)
        assert (again.leases, again.changed) == (leases, False)
    with sqlite3.connect(tmp_path / "leases.db") as connection:
        assert _schema(connection) == expected
    connection.close()


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str | None]]:
    wanted = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name"
    return connection.execute(wanted).fetchall()


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE browser_history (url TEXT)")
    connection.close()
    assert refusal(path) == f"database {path}: holds tables that are not podwright's; give another path"


def test_a_directory_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"database {tmp_path}: cannot be opened; give a path to a file that this user can read and write "
        "(unable to open database file)"
    )


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "leases.db"
    assert refusal(path) == (f"database {path}: File exists: {tmp_path}/file; give a path that can be written")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "oracle://podwright:hush-hush@db.example/leases?ssl_key=hush-hush",
            f"database: oracle://db.example/leases is of a kind that is not supported; give {FORMS}",
        ),
        ("://podwright:hush-hush@db.example", f"database: is not a URL; give {FORMS}"),
        ("sqlite://", "database: leases in memory would be forgotten; give a path, or sqlite:///<path>"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, message: str) -> None:
    assert refusal(url) == message


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path) -> None:
    small, large = (
        cloud(tmp_path, ACCOUNTS),
        cloud(tmp_path, {f"a{n}": account("web1", pod=f"p{n % 2 + 1}") for n in range(60)}),
    )
    allocate(small, preview=False, now=NOW)
    before = records(small)
    context = get_context("fork")
    answers = context.SimpleQueue()

    def allocate_where_files_cannot_grow() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write then fails, as on a full disk (setrlimit(2))
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        try:
            allocate(large, preview=False, now=NOW)
        except AllocationError as error:
            answers.put(str(error))

    process = context.Process(target=allocate_where_files_cannot_grow)
    process.start()
    process.join()
    assert answers.get().startswith(f"database {tmp_path}/leases.db: ")
    assert records(small) == before


def test_every_statement_of_a_run_finds_its_rows_by_an_index(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, ACCOUNTS), preview=False, now=NOW)
    pool = Pool("guest_vlan", "east/p1", {}, "ranges")
    statements: list[str] = []

    def trace(connection: sqlite3.Connection, _: object) -> None:
        connection.set_trace_callback(statements.append)

    def work(repository: Repository) -> None:
        opened(repository, pool, 0)
        reserve(
            repository,
            opened(repository, pool, 0),
            [Request("b/default", "x"), Request("c/default", "x", 105)],
            None,
            0,
        )
        give_up(repository, pool, ["b/default", "c/default"], "x", 0, 1)
        repository.expire(1)

    event.listen(Engine, "connect", trace)
    try:
        allocate(cloud(tmp_path, {}), preview=False, now=NOW)
        with Database(tmp_path / "leases.db") as database:
            database.write(work)
    finally:
        event.remove(Engine, "connect", trace)

    connection = sqlite3.connect(tmp_path / "leases.db")
    plans = {
        f"{step[3]} for {statement}"
        for statement in statements
        if re.match(r"(SELECT|UPDATE|DELETE).*\sWHERE\s", statement, re.DOTALL) and "sqlite_master" not in statement
        for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    }
    connection.close()
    assert len(plans) > 10
    # By more than the pool: a request costs the same however much its pool holds.
    whole_pools = ("SEARCH lease USING PRIMARY KEY (pool=? AND scope=?) ", "SCAN ")
    assert {plan for plan in plans if plan.startswith(whole_pools)} == set()


def test_the_number_of_statements_does_not_grow_with_the_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def statements(accounts: int) -> int:
        declared = cloud(tmp_path / str(accounts), {f"a{n}": account("web1") for n in range(accounts)})
        said = listened(monkeypatch)
        allocate(declared, preview=False, now=NOW)
        return sum(len({statement.text for statement, *_ in message}) for message in said)

    assert 3 < statements(1) == statements(20)


def test_a_lease_takes_two_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One asks, and one writes and commits; one is in between for what is fixed, or who has something already."""
    pool = Pool("guest_vlan", "east/p1", {SHARED: (range(1, 4095),)}, "ranges")

    def messages(database: Database, *requests: Request) -> int:
        said = listened(monkeypatch)
        holders = [request.holder for request in requests]
        database.write(lambda repository: reserve(repository, opened(repository, pool, 0, holders), requests, None, 0))
        return len(said)

    with Database(tmp_path / "leases.db") as database:
        messages(database, Request("first/default", "x"))
        assert messages(database, Request("acme/default", "x")) == 2
        assert messages(database, Request("acme/default", "x")) == 2  # which writes nothing
        assert messages(database, Request("fixed/default", "x", 7)) == 3
        assert messages(database, *(Request(f"a{number}/default", "x") for number in range(1000))) == 3


def listened(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Said]]:
    """The messages that go to databases from now on."""
    said: list[Sequence[Said]] = []
    say = Conversation._said

    def listen(conversation: Conversation, message: Sequence[Said], commit: bool = False) -> list[list[Row]]:
        said.append(message)
        return say(conversation, message, commit)

    monkeypatch.setattr(Conversation, "_said", listen)
    return said
