"""What a failure of a database means: in words, and whether the work that met it can be done again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, NoSuchModuleError, OperationalError

from podwright.allocation.location import named
from podwright.allocation.precedence import OutOfTurnError
from podwright.errors import DatabaseError

# A run holds a lock for seconds at most; one that waits longer than this has met one that hangs.
BUSY_TIMEOUT_S = 30

# How long work that lost against another controller, or its server, is tried again.
RETRY_TIMEOUT_S = 30

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


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Have what goes wrong inside be told of in words.

    Raises:
        DatabaseError: something did.
    """
    try:
        yield
    except DBAPIError as error:
        raise DatabaseError(f"database {named(url)}: {_reason(error.orig, url)}") from error
    except sqlite3.Error as error:
        raise DatabaseError(f"database {named(url)}: {_reason(error, url)}") from error
    except OutOfTurnError as error:
        raise DatabaseError(
            f"database {named(url)}: other controllers came first for {RETRY_TIMEOUT_S} s; run again after theirs"
        ) from error
    except NoSuchModuleError as error:
        raise DatabaseError(f"database {named(url)}: its driver is not installed; {error}") from error
    except OSError as error:
        raise DatabaseError(
            f"database {named(url)}: {error.strerror}: {error.filename}; give a path that can be written"
        ) from error


def is_conflict(error: BaseException) -> bool:
    """Whether another controller was faster, so that the work was undone and can be done again."""
    if isinstance(error, sqlite3.OperationalError):  # from the one statement that SQLite does not wait for
        return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    if isinstance(error, DBAPIError):
        return isinstance(error, IntegrityError) or _code(error.orig) in _CONFLICTS
    return isinstance(error, OutOfTurnError)


def is_outage(error: BaseException, url: URL) -> bool:
    """Whether a server did not answer as it should, and may at another time."""
    if url.get_backend_name() == "sqlite" or not isinstance(error, OperationalError | InterfaceError):
        return False
    return _code(error.orig) not in _FINAL


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
