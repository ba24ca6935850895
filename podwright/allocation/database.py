"""The database of leases: how it is reached, and the one transaction in which a run reads and changes them.

SQLite serves the controllers of one machine; MariaDB (also a Galera cluster) and
PostgreSQL serve many. Writers of a pool wait for each other on its row. Where
that is not enough, as between the nodes of a cluster, one of them is told so at
the latest when it commits, and its work is done once more; `precedence` sees to it
that it is done at last.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from podwright.allocation import precedence
from podwright.allocation.conversation import READS, Conversation
from podwright.allocation.engines import engine_of
from podwright.allocation.failures import RETRY_TIMEOUT_S, explained, is_conflict, is_outage
from podwright.allocation.history import Run, this_run
from podwright.allocation.location import is_missing, no_leases, url_of
from podwright.allocation.precedence import OutOfTurnError
from podwright.allocation.repository import Repository
from podwright.allocation.schema import METADATA, SCHEMA_VERSION
from podwright.allocation.tables import prepare, upgrade_for_now, version_of
from podwright.errors import DatabaseError

Result = TypeVar("Result")

# Who has lost against others for that long stands in line (s).
_PATIENCE_S = 3


class Database:
    """A database of leases. One thread uses it; any number of processes share what is behind it."""

    def __init__(self, url: str | Path, run: Run | None = None) -> None:
        """Take a database, which is reached when it is first needed.

        Args:
            url: a path, or an SQLAlchemy URL.
            run: who changes leases, for the history.

        Raises:
            AllocationError: it is not the URL of a database that can be used.
        """
        self._url = url_of(url)
        self._run = run or this_run("podwright")
        self._run_id: int | None = None
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._prepared = False
        self._was_reached = False
        self._stands_in_line = False
        self._retrying = Retrying(
            before=self._stand_in_line,
            retry=retry_if_exception(self._is_worth_another_try),
            wait=wait_random_exponential(multiplier=0.005, max=1),
            stop=stop_after_delay(RETRY_TIMEOUT_S),
            reraise=True,
        )

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with suppress(DBAPIError):  # of a connection that is dead already
                self._connection.close()
        if self._engine is not None:
            self._engine.dispose()
        self._connection = self._engine = None

    def write(self, work: Callable[[Repository], Result]) -> Result:
        """Do `work` in one transaction: all of its changes are kept, or none.

        It may be called several times, each time with the changes of the time before undone.

        Raises:
            DatabaseError: the database cannot be used.
        """
        return self._attempt(lambda: self._written(work))

    def preview(self, work: Callable[[Repository], Result]) -> Result:
        """Do what `write` does, and take it back; where there is no database, none is made.

        Raises:
            DatabaseError: the database cannot be used, or refuses what would be written.
        """
        return self._attempt(lambda: self._previewed(work))

    def read(self, work: Callable[[Repository], Result], *, needed: bool = True) -> Result:
        """Do `work`, which changes nothing, while others may write.

        Args:
            work: what to find out.
            needed: refuse where there is no database, instead of reading an empty one.

        Raises:
            DatabaseError: there is no database, or it cannot be used.
        """
        return self._attempt(lambda: self._read(work, needed))

    def _attempt(self, once: Callable[[], Result]) -> Result:
        with explained(self._url), _collector_paused():
            try:
                return once()
            except (DBAPIError, sqlite3.Error, OutOfTurnError) as error:
                if not self._is_worth_another_try(error):
                    raise
            try:
                return self._retrying(once)
            finally:
                self._let_others_go_on()

    def _stand_in_line(self, state: RetryCallState) -> None:
        if self._has_nodes and self._connection is not None and monotonic() > state.start_time + _PATIENCE_S:
            with suppress(DBAPIError, OutOfTurnError):  # which the attempt then tells
                self._stands_in_line = True
                precedence.stand_in_line(self._connection, RETRY_TIMEOUT_S)

    def _let_others_go_on(self) -> None:
        if self._stands_in_line and self._connection is not None:
            precedence.leave(self._connection)
        self._stands_in_line = False

    @property
    def _has_nodes(self) -> bool:
        """Whether the database may be a cluster that is written to on several nodes."""
        return self._url.get_backend_name() == "mariadb"

    def _written(self, work: Callable[[Repository], Result]) -> Result:
        connection = self._connected()
        if not self._prepared:
            prepare(connection, self._url)
            self._prepared = True
        with _rolled_back(connection) as (conversation, repository):
            repository.run = (self._run, self._run_id)
            result = work(repository)
            if repository.changed:
                if self._stands_in_line:
                    conversation.tell(precedence.LEAVE, [{}])
                conversation.commit()
                self._stands_in_line = False
                self._run_id = repository.run[1]
        return result

    def _previewed(self, work: Callable[[Repository], Result]) -> Result:
        version = None if is_missing(self._url) else version_of(self._connected(), self._url)
        if version is None:
            return _on_an_empty_one(work, self._run)
        with _rolled_back(self._connected()) as (conversation, repository):
            if version != SCHEMA_VERSION:
                upgrade_for_now(self._connected(), self._url)
            repository.run = (self._run, self._run_id)
            result = work(repository)
            conversation.send()
            return result

    def _read(self, work: Callable[[Repository], Result], needed: bool) -> Result:
        if is_missing(self._url):
            if needed:
                raise DatabaseError(no_leases(self._url))
            return _on_an_empty_one(work, self._run)
        connection = self._connected().execution_options(**{READS: True})
        try:
            if needed and version_of(connection, self._url) is None:
                raise DatabaseError(no_leases(self._url))
            return self._previewed(work)
        finally:
            connection.execution_options(**{READS: False})

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.invalidated:
            self.close()
            self._engine = engine_of(self._url)
            self._connection = self._engine.connect()
            self._prepared = self._stands_in_line = False
            self._was_reached = True
        self._connection.rollback()  # of an attempt that failed, where there was one
        return self._connection

    def _is_worth_another_try(self, error: BaseException) -> bool:
        """Whether another controller was faster, or a server that was there is gone; all work can be redone."""
        if is_conflict(error):
            return True
        if not is_outage(error, self._url):
            return False
        self.close()  # whether or not the driver has noticed that it is dead
        return self._was_reached


def unix_time(moment: datetime | None) -> int:
    """A moment as leases keep it (Unix time, s); None is now."""
    return int((moment or datetime.now(UTC)).timestamp())


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for garbage: a large run makes several objects for each lease and drops none, and it took a fifth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _rolled_back(connection: Connection) -> Iterator[tuple[Conversation, Repository]]:
    """A transaction that is undone unless somebody commits it."""
    conversation = Conversation(connection)
    try:
        yield conversation, Repository(conversation)
    finally:
        conversation.rollback()


def _on_an_empty_one(work: Callable[[Repository], Result], run: Run) -> Result:
    engine = engine_of(URL.create("sqlite", database=":memory:"))
    try:
        with engine.connect() as connection, _rolled_back(connection) as (conversation, repository):
            METADATA.create_all(connection)
            repository.run = (run, None)
            result = work(repository)
            conversation.send()
            return result
    finally:
        engine.dispose()
