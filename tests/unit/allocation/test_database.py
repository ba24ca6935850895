from __future__ import annotations

import resource
import signal
import sqlite3
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from podwright.allocation import allocate
from podwright.allocation.database import transaction
from podwright.errors import AllocationError
from tests.unit.allocation.declaration import NOW, account, cloud, records

ACCOUNTS = {"acme": account("web1")}


def refusal(database: str | Path) -> str:
    with pytest.raises(AllocationError) as raised, transaction(database, "write") as repository:
        repository.leases()
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
        connection.execute("UPDATE alembic_version SET version_num = '0007'")
    connection.close()
    assert refusal(path) == (
        f"database {path}: has schema version 0007, and this podwright knows versions up to 0003; "
        "use the podwright that wrote it, or a newer one"
    )


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
            "mysql+pymysql://podwright:hush-hush@db.example/leases?ssl_key=hush-hush",
            "database: mysql://db.example/leases is of a kind that is not supported; give a path, or sqlite:///<path>",
        ),
        ("://podwright:hush-hush@db.example", "database: is not a URL; give a path, or sqlite:///<path>"),
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
    declared = cloud(tmp_path, ACCOUNTS)
    allocate(declared, preview=False, now=NOW)
    statements = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and "sqlite_master" not in statement:
            statements.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        allocate(cloud(tmp_path, {}), preview=False, now=NOW)
        with transaction(tmp_path / "leases.db", "preview") as repository:
            repository.leases("guest_vlan", "east/p1")
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    connection = sqlite3.connect(tmp_path / "leases.db")
    plans = {
        " ".join(statement.split())[:40]: [
            row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
        for statement, values in statements
        if " lease" in statement and "WHERE" in statement
    }
    connection.close()
    assert plans == {
        "DELETE FROM lease WHERE lease.until <= ?": ["SEARCH lease USING COVERING INDEX lease_until (until<?)"],
        "UPDATE lease SET holder=?, purpose=?, cl": ["SEARCH lease USING PRIMARY KEY (pool=? AND scope=? AND value=?)"],
        "SELECT lease.pool, lease.scope, lease.va": ["SEARCH lease USING PRIMARY KEY (pool=? AND scope=?)"],
    }


def test_the_number_of_statements_does_not_grow_with_the_cloud(tmp_path: Path) -> None:
    def statements(accounts: int) -> int:
        counted = []
        declared = cloud(tmp_path / str(accounts), {f"a{n}": account("web1") for n in range(accounts)})
        event.listen(Engine, "before_cursor_execute", lambda *_: counted.append(1))
        allocate(declared, preview=False, now=NOW)
        return len(counted)

    assert statements(1) == statements(20)
