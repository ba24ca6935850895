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
from typing import Any, TypeVar

from sqlalchemy import Connection, NullPool, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from podwright.allocation import precedence
from podwright.allocation.conversation import READS, Conversation, begin
from podwright.allocation.history import Run, this_run
from podwright.allocation.precedence import OutOfTurnError
from podwright.allocation.repository import Repository
from podwright.allocation.schema import LEASE, METADATA, SCHEMA_VERSION, SQLITE_STATISTICS, VERSION
from podwright.allocation.turns import TurnTaking
from podwright.errors import AllocationError, DatabaseError

Result = TypeVar("Result")

# A run holds a lock for seconds at most; one that waits longer than this has met one that hangs.
BUSY_TIMEOUT_S = 30

# How long work that lost against another controller, or its server, is tried again.
RETRY_TIMEOUT_S = 30

# After that it stands in line for it (s).
_PATIENCE_S = 3

CONNECT_TIMEOUT_S = 10

# 100,000 leases in one transaction: SQLite writes what does not fit before its time.
_CACHE_KIB = 64 * 1024

_DRIVERS = {
    "sqlite": "sqlite",
    "mysql": "mariadb+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgresql": "postgresql+psycopg",
}
_FORMS = "a path, sqlite:///<path>, mariadb://<user>@<host>/<database> or postgresql://<user>@<host>/<database>"


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
        self._url = _url(url)
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
        with _explained(self._url), _collector_paused():
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
            _prepare(connection, self._url)
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
        version = None if _is_missing(self._url) else _version(self._connected(), self._url)
        if version is None:
            return _on_an_empty_one(work, self._run)
        with _rolled_back(self._connected()) as (conversation, repository):
            if version != SCHEMA_VERSION:
                _upgrade_for_now(self._connected(), self._url)
            repository.run = (self._run, self._run_id)
            result = work(repository)
            conversation.send()
            return result

    def _read(self, work: Callable[[Repository], Result], needed: bool) -> Result:
        if _is_missing(self._url):
            if needed:
                raise DatabaseError(_no_leases(self._url))
            return _on_an_empty_one(work, self._run)
        connection = self._connected().execution_options(**{READS: True})
        try:
            if needed and _version(connection, self._url) is None:
                raise DatabaseError(_no_leases(self._url))
            return self._previewed(work)
        finally:
            connection.execution_options(**{READS: False})

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.invalidated:
            self.close()
            self._engine = _engine(self._url)
            self._connection = self._engine.connect()
            self._prepared = self._stands_in_line = False
            self._was_reached = True
        self._connection.rollback()  # of an attempt that failed, where there was one
        return self._connection

    def _is_worth_another_try(self, error: BaseException) -> bool:
        """Whether another controller was faster, or a server that was there is gone; all work can be redone."""
        if isinstance(error, sqlite3.OperationalError):  # from the one statement that SQLite does not wait for
            return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
        if isinstance(error, OutOfTurnError):
            return True
        if not isinstance(error, DBAPIError):
            return False
        code = _code(error.orig)
        if isinstance(error, IntegrityError) or code in _CONFLICTS:
            return True
        if self._url.get_backend_name() == "sqlite" or not isinstance(error, OperationalError | InterfaceError):
            return False
        self.close()  # whether or not the driver has noticed that it is dead
        return self._was_reached and code not in _FINAL


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
    engine = _engine(URL.create("sqlite", database=":memory:"))
    try:
        with engine.connect() as connection, _rolled_back(connection) as (conversation, repository):
            METADATA.create_all(connection)
            repository.run = (run, None)
            result = work(repository)
            conversation.send()
            return result
    finally:
        engine.dispose()


def _url(database: str | Path) -> URL:
    text = str(database)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except ArgumentError:
        # The text is not shown: a password may be in it.
        raise AllocationError(f"database: is not a URL; give {_FORMS}") from None
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise AllocationError(f"database: {_named(url)} is of a kind that is not supported; give {_FORMS}")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise AllocationError("database: leases in memory would be forgotten; give a path, or sqlite:///<path>")
    return url.set(drivername=driver)


def _named(url: URL) -> str:
    """The database in words, without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or 'localhost'}{port}/{url.database or ''}"


def _is_missing(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists()


def _no_leases(url: URL) -> str:
    return f"database {_named(url)}: holds no leases yet; deploy its cloud first, or give another {_place(url)}"


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    # Every statement sees what was committed before it: what a pool's row was waited for is then read.
    return create_engine(
        url, poolclass=NullPool, isolation_level="READ COMMITTED", connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
    )


def _sqlite(url: URL) -> Engine:
    if url.database != ":memory:":
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    # The driver must not begin transactions by itself, which it does late and deferred: two controllers
    # could both read before either writes.
    connect_args = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "factory": TurnTaking}
    engine = create_engine(url, poolclass=NullPool, connect_args=connect_args)

    @event.listens_for(engine, "begin")
    def as_in_conversations(connection: Connection) -> None:
        begin(connection)

    return engine


def _version(connection: Connection, url: URL) -> str | None:
    """The version of the schema; None when there is none yet.

    Raises:
        DatabaseError: the database is somebody else's, or of a newer podwright.
    """
    tables = inspect(connection).get_table_names()
    version = connection.scalar(select(VERSION.c.version_num)) if VERSION.name in tables else None
    connection.rollback()
    if version is None and set(tables) - METADATA.tables.keys():
        raise DatabaseError(
            f"database {_named(url)}: holds tables that are not podwright's; give another {_place(url)}"
        )
    if version is not None and version > SCHEMA_VERSION:
        raise DatabaseError(
            f"database {_named(url)}: has schema version {version}, and this podwright knows versions up to "
            f"{SCHEMA_VERSION}; use the podwright that wrote it, or a newer one"
        )
    return version


def _place(url: URL) -> str:
    return "path" if url.get_backend_name() == "sqlite" else "database"


def _prepare(connection: Connection, url: URL) -> None:
    """Make the tables, or bring them up to date. Killed in between, it is finished by whoever comes next."""
    if url.get_backend_name() == "sqlite":
        _set_up_sqlite(connection)
    version = _version(connection, url)
    if version == SCHEMA_VERSION:
        return
    if version is None:
        METADATA.create_all(connection)
        # Last, since MariaDB keeps each table at once.
        connection.execute(insert(VERSION).values(version_num=SCHEMA_VERSION))
    else:
        _upgrade(connection)
    if url.get_backend_name() == "sqlite":
        _tell_planner(connection)
    connection.commit()


def _set_up_sqlite(connection: Connection) -> None:
    """Let readers go on while somebody writes (https://www.sqlite.org/wal.html), and large runs stay in memory."""
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        driver.execute("PRAGMA journal_mode = WAL")


def _tell_planner(connection: Connection) -> None:
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # makes the table of statistics
    rows = [(LEASE.name, index, statistics) for index, statistics in SQLITE_STATISTICS.items()]
    connection.exec_driver_sql("DELETE FROM sqlite_stat1 WHERE tbl = ?", (LEASE.name,))
    connection.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", rows)
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # has them read


def _upgrade(connection: Connection) -> None:
    # Imported only here: that takes longer than most runs take to allocate.
    from podwright.allocation.migrations import upgrade

    upgrade(connection)


def _upgrade_for_now(connection: Connection, url: URL) -> None:
    """Bring the tables up to date in a transaction that will be undone."""
    if connection.dialect.name in ("mariadb", "mysql"):  # where a change of tables cannot be undone
        raise DatabaseError(
            f"database {_named(url)}: has tables of an older podwright; run once without check mode to upgrade them"
        )
    _upgrade(connection)


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise DatabaseError(f"database {_named(url)}: {_reason(error.orig, url)}") from error
    except sqlite3.Error as error:
        raise DatabaseError(f"database {_named(url)}: {_reason(error, url)}") from error
    except OutOfTurnError as error:
        raise DatabaseError(
            f"database {_named(url)}: other controllers came first for {RETRY_TIMEOUT_S} s; run again after theirs"
        ) from error
    except NoSuchModuleError as error:
        raise DatabaseError(f"database {_named(url)}: its driver is not installed; {error}") from error
    except OSError as error:
        raise DatabaseError(
            f"database {_named(url)}: {error.strerror}: {error.filename}; give a path that can be written"
        ) from error


# Another controller was faster: the work was undone and can be done again.
_CONFLICTS = {
    1020,  # MariaDB ER_CHECKREAD: changed since it was read
    1050,  # MariaDB ER_TABLE_EXISTS_ERROR: another controller is making the tables
    1205,  # MariaDB ER_LOCK_WAIT_TIMEOUT
    1213,  # MariaDB ER_LOCK_DEADLOCK, also that another node of the cluster was certified first
    "40001",  # PostgreSQL serialization_failure
    "40P01",  # PostgreSQL deadlock_detected
    "42P07",  # PostgreSQL duplicate_table: another controller is making the tables
}

# A server that answers like this will not think better of it; any other trouble with one may pass.
_FINAL = {1021, 1044, 1045, 1049, 1142, "28000", "28P01", "3D000", "42501", "53100"}

# https://www.sqlite.org/rescode.html, primary result codes (the low byte of an extended one).
_SQLITE_REASONS = {
    sqlite3.SQLITE_BUSY: f"another controller has kept it locked for {BUSY_TIMEOUT_S} s; wait for its run, or end it",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; give a path to a file that this user can read and write",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup",
    sqlite3.SQLITE_FULL: "the disk is full; make room and run again, nothing was allocated",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check its disk and run again, nothing was allocated",
    sqlite3.SQLITE_NOTADB: "is not an SQLite database; give another path, or restore it from a backup",
    sqlite3.SQLITE_READONLY: "cannot be written; let this user write the file and its directory",
}

# https://mariadb.com/kb/en/mariadb-error-code-reference/ and PostgreSQL's appendix A.
_SERVER_REASONS = {
    1044: "does not let this user in; grant it the database",
    1045: "refuses user or password; check both",
    1049: "does not exist on that server; create it",
    1047: "its node is not part of the cluster; wait until it is, or use another node",
    1142: "does not let this user do that; grant it all privileges on the database",
    2003: "cannot be reached; start the server, or check host and port",
    "28P01": "refuses user or password; check both",
    "28000": "refuses user or password; check both",
    "3D000": "does not exist on that server; create it",
    "42501": "does not let this user do that; make it the owner of the database",
    "53100": "the server's disk is full; make room and run again, nothing was allocated",
    1021: "the server's disk is full; make room and run again, nothing was allocated",
}


# PostgreSQL's driver has no code for what goes wrong before it is let in.
_LOGIN_REASONS = {
    "password authentication failed": _SERVER_REASONS["28P01"],
    "Connection refused": _SERVER_REASONS[2003],
    "timeout expired": _SERVER_REASONS[2003],
    "could not translate host name": _SERVER_REASONS[2003],
    "failed to resolve host": _SERVER_REASONS[2003],
    "does not exist": _SERVER_REASONS["3D000"],
}


def _code(cause: BaseException | None) -> int | str | None:
    """What the database calls the error: a number of MariaDB's, or an SQLSTATE of PostgreSQL's."""
    arguments = getattr(cause, "args", ())
    if arguments and isinstance(arguments[0], int):  # MariaDB's, which has an SQLSTATE too, but not one for each error
        return arguments[0]
    state: str | None = getattr(cause, "sqlstate", None)
    return state


def _reason(cause: BaseException | None, url: URL) -> str:
    sqlite_code = getattr(cause, "sqlite_errorcode", None)
    if sqlite_code is not None:
        reason = _SQLITE_REASONS.get(sqlite_code & 0xFF)
    else:
        told_at_login = (reason for words, reason in _LOGIN_REASONS.items() if words in str(cause))
        reason = _SERVER_REASONS.get(_code(cause) or "") or next(told_at_login, None)
    told = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    if url.password:
        told = told.replace(str(url.password), "***")
    return f"{reason} ({told})" if reason else told
