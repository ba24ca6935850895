"""What reads the database of leases neither makes one, nor waits for who writes, nor keeps anybody waiting."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from podwright.allocation import allocate
from podwright.allocation.database import Database
from podwright.allocation.history import DECLARED
from podwright.allocation.migrations import upgrade
from podwright.allocation.repository import Repository
from podwright.errors import DatabaseError
from tests.unit.allocation.declaration import NOW, account, cloud


def count(repository: Repository) -> int:
    return len(repository.leases())


def test_where_there_is_no_database_none_is_made(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    with Database(path) as database:
        with pytest.raises(DatabaseError) as raised:
            database.read(count)
        assert database.read(count, needed=False) == 0
    assert str(raised.value) == (f"database {path}: holds no leases yet; deploy its cloud first, or give another path")
    assert not path.exists()


def test_a_file_without_tables_is_no_database_yet(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    path.touch()
    with Database(path) as database:
        with pytest.raises(DatabaseError, match="holds no leases yet"):
            database.read(count)
        assert database.read(count, needed=False) == 0
    assert path.stat().st_size == 0


def test_reading_goes_on_while_somebody_writes_and_sees_what_was_there(tmp_path: Path) -> None:
    declared = cloud(tmp_path, {"acme": account("web1")})
    before = len(allocate(declared, preview=False, now=NOW).lease_changes)

    def write(repository: Repository) -> int:
        repository.add_devices("lab", [("hv9", "hypervisor")])
        with Database(declared.database) as other:
            return other.read(count)

    with Database(declared.database) as database:
        assert database.write(write) == before
        assert database.read(count) == before
        assert database.write(count) == before


def test_tables_of_an_older_podwright_are_read_as_they_would_be_after_their_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade(connection, to="0002")
    engine.dispose()
    before = path.read_bytes()
    with Database(path) as database:
        assert (database.read(count), database.preview(count)) == (0, 0)
    assert path.read_bytes() == before


def test_history_names_the_run_and_goes_backwards(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account()}), preview=False, now=NOW)
    gone = cloud(tmp_path, {})
    allocate(gone, preview=False, now=NOW)
    with Database(gone.database) as database:
        of_value = database.read(lambda repository: list(repository.recorded(pool="guest_vlan", value=101)))
        of_run = database.read(lambda repository: list(repository.recorded(run=2)))
        begins = database.read(lambda repository: repository.history_begins())
        later = database.read(lambda repository: list(repository.recorded(since=int(NOW.timestamp()) + 1)))
    assert [(each.number, each.run.command, each.event.before, each.event.after) for each in of_value] == [
        (2, "plan lab", "held", "releasing"),
        (1, "plan lab", None, "held"),
    ]
    assert {each.event.pool for each in of_run} >= {"guest_vlan", "mac", "placement"}
    assert DECLARED not in {each.event.purpose for each in of_run}
    assert begins["guest_vlan", "east/p1"] == NOW.timestamp()
    assert later == []
