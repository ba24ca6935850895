"""Turns at an SQLite file, among processes that hang and die."""

from __future__ import annotations

import signal
import sqlite3
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from podwright.allocation.turns import TurnTaking

FORK = get_context("fork")


def test_a_turn_that_does_not_end_is_not_waited_for_for_ever_and_one_that_is_killed_ends(tmp_path: Path) -> None:
    began = FORK.Event()

    def hang() -> None:
        connection = opened(tmp_path, 5)
        connection.begin_writing()
        began.set()
        time.sleep(60)

    process = FORK.Process(target=hang, daemon=True)
    process.start()
    try:
        assert began.wait(20)
        connection = opened(tmp_path, 0.2)
        with pytest.raises(sqlite3.OperationalError, match="database is locked") as refusal:
            connection.begin_writing()
        assert refusal.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
        connection.close()
    finally:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL
    connection = opened(tmp_path, 5)
    connection.begin_writing()
    connection.execute("CREATE TABLE it (works)")
    connection.commit()
    connection.close()


def test_whoever_waits_is_next(tmp_path: Path) -> None:
    """One that writes all the time has no other turn before it: SQLite would have let it go on."""
    writes, waits, turns = FORK.Event(), FORK.Event(), FORK.SimpleQueue()

    def wait() -> None:
        writes.wait(20)
        connection = opened(tmp_path, 20)
        waits.set()
        connection.begin_writing()
        turns.put("other")
        connection.rollback()

    process = FORK.Process(target=wait, daemon=True)
    process.start()  # first: SQLite's connections must not be carried across a fork
    connection = opened(tmp_path, 20)
    connection.begin_writing()
    writes.set()
    try:
        assert waits.wait(20)
        time.sleep(0.5)  # until it waits in the kernel
        for _ in range(3):
            connection.rollback()
            connection.begin_writing()
            turns.put("mine")
        process.join(20)
        assert [turns.get() for _ in range(4)] == ["other", "mine", "mine", "mine"]
    finally:
        process.kill()
        process.join()
        connection.close()


def opened(directory: Path, timeout_s: float) -> TurnTaking:
    return sqlite3.connect(directory / "leases.db", timeout_s, isolation_level=None, factory=TurnTaking)
