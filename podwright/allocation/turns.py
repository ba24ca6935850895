"""Turns at writing to an SQLite file, in the order in which processes came.

Whoever finds an SQLite file locked sleeps, looks again, and sleeps longer (https://www.sqlite.org/c3ref/busy_timeout.html):
among many who write all the time, somebody may find it locked for half a minute. So writers wait for each other in the
kernel first, which wakes the next one. It also ends the turn of a process that dies.

A turn is politeness: that only one writes at a time is SQLite's doing.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from threading import Thread
from typing import Any

# Bytes of the file of turns that are locked (fcntl(2), F_SETLKW). Only who is next waits for the turn, so that whoever
# has just had one does not have another before it.
_NEXT = 0
_TURN = 1


class TurnTaking(sqlite3.Connection):
    """A connection that writes when it is its turn; of a file `leases.db`, `leases.db-turn` has the locks."""

    def __init__(self, database: str, timeout: float, **options: Any) -> None:
        """Open a database as `sqlite3.connect` does; a turn is waited for up to `timeout` (s)."""
        super().__init__(database, timeout, **options)
        self._path = None if database == ":memory:" else f"{database}-turn"
        self._timeout_s = timeout
        self._file: int | None = None

    def begin_writing(self) -> None:
        """Begin a transaction that may write, when it is its turn.

        Raises:
            sqlite3.OperationalError: somebody else's turn does not end; or SQLite's own reasons.
        """
        self._take_turn()
        try:
            self.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._end_turn()
            raise

    def commit(self) -> None:
        """Keep what was written, and let the next one go on."""
        super().commit()
        self._end_turn()

    def rollback(self) -> None:
        """Undo what was written, and let the next one go on."""
        try:
            super().rollback()
        finally:
            self._end_turn()

    def close(self) -> None:
        """Leave the database."""
        try:
            super().close()
        finally:
            self._leave()

    def _take_turn(self) -> None:
        if self._path is None:
            return
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError:
                return  # SQLite needs files there, too, and tells what is wrong better
        try:
            lockf(self._file, LOCK_EX | LOCK_NB, 1, _NEXT)
            lockf(self._file, LOCK_EX | LOCK_NB, 1, _TURN)
            lockf(self._file, LOCK_UN, 1, _NEXT)
        except BlockingIOError:
            # The kernel's waiting has no end of its own.
            waiting = Thread(target=_wait_for_turn, args=(self._file,), daemon=True)
            waiting.start()
            waiting.join(self._timeout_s)
            if waiting.is_alive():
                self._leave()  # also takes what is waited for back, should it come (fcntl(2), Advisory record locking)
                raise _locked() from None

    def _end_turn(self) -> None:
        if self._file is not None:
            lockf(self._file, LOCK_UN, 1, _TURN)

    def _leave(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _wait_for_turn(file: int) -> None:
    with suppress(OSError):  # of a file that was closed: nobody waits for this any more
        lockf(file, LOCK_EX, 1, _NEXT)
        lockf(file, LOCK_EX, 1, _TURN)
        lockf(file, LOCK_UN, 1, _NEXT)


def _locked() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error.sqlite_errorname = "SQLITE_BUSY"
    return error
