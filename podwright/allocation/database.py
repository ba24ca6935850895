"""Where leases are kept, and the one transaction in which a run reads and changes them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    BindParameter,
    CheckConstraint,
    Column,
    Connection,
    Executable,
    Index,
    Integer,
    MetaData,
    NullPool,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from podwright.allocation.grant import Lease, LeaseChange
from podwright.allocation.placement import Placement, PlacementChange
from podwright.allocation.pools import PoolName
from podwright.errors import AllocationError

Mode = Literal["preview", "write"]

# A run holds the write lock for seconds at most; one that waits longer than this has met one that hangs.
BUSY_TIMEOUT_S = 30

SCHEMA_VERSION = "0003"

_METADATA = MetaData()

# The table and the column are Alembic's, which will do the upgrades; it compares revisions and knows no order.
_VERSION = Table("alembic_version", _METADATA, Column("version_num", String(32), primary_key=True))

_LEASE = Table(
    "lease",
    _METADATA,
    Column("pool", String(32), nullable=False),
    Column("scope", String(191), nullable=False),
    Column("value", BigInteger, nullable=False),
    Column("holder", String(191), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("cloud", String(63)),
    Column("since", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("until", BigInteger),
    PrimaryKeyConstraint("pool", "scope", "value"),
    UniqueConstraint("pool", "scope", "holder", "purpose", name="one_lease_per_holder_and_purpose"),
    CheckConstraint("state in ('held', 'releasing', 'quarantine')", name="known_state"),
    CheckConstraint("(state = 'quarantine') = (until is not null)", name="only_quarantine_ends"),
    sqlite_with_rowid=False,
)
Index("lease_until", _LEASE.c.until, sqlite_where=_LEASE.c.until.is_not(None))

_PLACEMENT = Table(
    "placement",
    _METADATA,
    Column("scope", String(191), nullable=False),
    Column("domain", String(191), nullable=False),
    Column("hypervisor", String(63), nullable=False),
    Column("vcpus", Integer, nullable=False),
    Column("memory_mib", Integer, nullable=False),
    Column("network_mbit_s", BigInteger, nullable=False),
    Column("storage_iops", BigInteger, nullable=False),
    Column("cloud", String(63), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    PrimaryKeyConstraint("scope", "domain", "hypervisor"),
    CheckConstraint("state in ('held', 'releasing')", name="known_placement_state"),
    sqlite_with_rowid=False,
)
# A domain runs once.
Index(
    "one_held_placement_per_domain",
    _PLACEMENT.c.scope,
    _PLACEMENT.c.domain,
    unique=True,
    sqlite_where=_PLACEMENT.c.state == "held",
)

# Every device that may carry a lease, also one that has left the declaration since.
_DEVICE = Table(
    "device",
    _METADATA,
    Column("cloud", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("kind", String(16), nullable=False),
    PrimaryKeyConstraint("cloud", "name", "kind"),
    sqlite_with_rowid=False,
)


@contextmanager
def transaction(database: str | Path, mode: Mode) -> Iterator[Repository]:
    """All or nothing: the changes are kept when the block ends, and in mode `write`; else nothing is written.

    Mode `preview` does all that `write` does and takes it back. Where there is no database yet, it
    works on an empty one in memory.

    Args:
        database: a path, or an SQLAlchemy URL.
        mode: what the block is going to do.

    Raises:
        AllocationError: the database cannot be used.
    """
    url = _url(database)
    with _explained(url), _connected(url, mode) as connection, connection.begin() as running:
        _prepare_schema(connection, url)
        yield Repository(connection)
        if mode != "write":
            running.rollback()


def unix_time(moment: datetime | None) -> int:
    """A moment as leases keep it (Unix time, s); None is now."""
    return int((moment or datetime.now(UTC)).timestamp())


class Repository:
    """The leases and placements of a database, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def leases(self, pool: PoolName | None = None, scope: str | None = None) -> list[Lease]:
        """The leases of one pool in one scope, or all of them."""
        wanted = select(_LEASE)
        if pool is not None:
            wanted = wanted.where(_LEASE.c.pool == pool, _LEASE.c.scope == scope)
        wanted = wanted.order_by(_LEASE.c.pool, _LEASE.c.scope, _LEASE.c.value)
        return [Lease(*row) for row in self._connection.execute(wanted)]

    def placements(self) -> list[Placement]:
        """Where every domain is, or may still be."""
        wanted = select(_PLACEMENT).order_by(*_PLACEMENT.primary_key)
        return [Placement(*row) for row in self._connection.execute(wanted)]

    def devices(self, cloud: str) -> set[tuple[str, str]]:
        """The devices (name, kind) of a cloud that may carry a lease."""
        wanted = select(_DEVICE.c.name, _DEVICE.c.kind).where(_DEVICE.c.cloud == cloud)
        return {(name, kind) for name, kind in self._connection.execute(wanted)}

    def add_devices(self, cloud: str, devices: Iterable[tuple[str, str]]) -> None:
        """Remember devices that were not known."""
        rows = [{"cloud": cloud, "name": name, "kind": kind} for name, kind in sorted(devices)]
        self._execute(insert(_DEVICE), rows)

    def forget_devices(self, cloud: str, devices: Iterable[tuple[str, str]]) -> None:
        """Forget devices that carry nothing any more."""
        this_one = [column == bindparam(f"the_{column.name}") for column in _DEVICE.primary_key]
        rows = [{"the_cloud": cloud, "the_name": name, "the_kind": kind} for name, kind in sorted(devices)]
        self._execute(delete(_DEVICE).where(*this_one), rows)

    def forget_quarantined(self, now: int) -> None:
        """Free the values whose quarantine ended at `now` (Unix time, s) or before."""
        self._connection.execute(delete(_LEASE).where(_LEASE.c.until <= now))

    def save(self, leases: Iterable[LeaseChange], placements: Iterable[PlacementChange]) -> None:
        """Write all changes down, what goes before what comes."""
        self._save(_LEASE, leases)
        self._save(_PLACEMENT, placements)

    def _save(self, table: Table, changes: Iterable[LeaseChange] | Iterable[PlacementChange]) -> None:
        gone, changed, new = [], [], []
        for before, after in changes:
            if after is None:
                gone.append(_row(table, before))
            elif before is None:
                new.append(_row(table, after))
            else:
                changed.append(_row(table, after))
        # A parameter of an UPDATE or DELETE cannot have the name of a column.
        keys = [(column, f"the_{column.name}") for column in table.primary_key]
        this_one = [column == bindparam(name) for column, name in keys]
        rest: dict[str, BindParameter[Any]] = {
            column.name: bindparam(f"new_{column.name}") for column in table.columns if not column.primary_key
        }
        self._execute(delete(table).where(*this_one), [{name: row[key.name] for key, name in keys} for row in gone])
        self._execute(
            update(table).where(*this_one).values(rest),
            [
                {name: row[key.name] for key, name in keys} | {f"new_{name}": row[name] for name in rest}
                for row in changed
            ],
        )
        self._execute(insert(table), new)

    def _execute(self, statement: Executable, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(statement, rows)


def _row(table: Table, record: Lease | Placement | None) -> dict[str, Any]:
    return {name: getattr(record, name) for name in table.columns.keys()}  # noqa: SIM118 (not a dict)


def _url(database: str | Path) -> URL:
    text = str(database)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except ArgumentError:
        # The text is not shown: a password may be in it.
        raise AllocationError("database: is not a URL; give a path, or sqlite:///<path>") from None
    if url.get_backend_name() != "sqlite":
        raise AllocationError(
            f"database: {_named(url)} is of a kind that is not supported; give a path, or sqlite:///<path>"
        )
    if url.database in (None, "", ":memory:"):
        raise AllocationError("database: leases in memory would be forgotten; give a path, or sqlite:///<path>")
    return url


def _named(url: URL) -> str:
    """The database in words, without user, password and options."""
    if url.host:
        return f"{url.get_backend_name()}://{url.host}/{url.database or ''}"
    return str(url.database)


@contextmanager
def _connected(url: URL, mode: Mode) -> Iterator[Connection]:
    path = Path(str(url.database))
    if mode != "write" and not path.exists():
        url = url.set(database=":memory:")
    elif mode == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _engine(url: URL) -> Engine:
    # The driver must not begin transactions by itself, which it does late and deferred: two controllers
    # could both read before either writes.
    connect_args = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
    engine = create_engine(url, poolclass=NullPool, connect_args=connect_args)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _prepare_schema(connection: Connection, url: URL) -> None:
    tables = inspect(connection).get_table_names()
    if not tables:
        _METADATA.create_all(connection)
        connection.execute(insert(_VERSION).values(version_num=SCHEMA_VERSION))
        return
    if _VERSION.name not in tables:
        raise AllocationError(f"database {_named(url)}: holds tables that are not podwright's; give another path")
    found = connection.scalar(select(_VERSION.c.version_num))
    if found != SCHEMA_VERSION:
        raise AllocationError(
            f"database {_named(url)}: has schema version {found}, and this podwright knows versions up to "
            f"{SCHEMA_VERSION}; use the podwright that wrote it, or a newer one"
        )


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise AllocationError(f"database {_named(url)}: {_reason(error.orig)}") from error
    except OSError as error:
        raise AllocationError(
            f"database {_named(url)}: {error.strerror}: {error.filename}; give a path that can be written"
        ) from error


# https://www.sqlite.org/rescode.html, primary result codes (the low byte of an extended one).
_REASONS = {
    sqlite3.SQLITE_BUSY: f"another controller has kept it locked for {BUSY_TIMEOUT_S} s; wait for its run, or end it",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; give a path to a file that this user can read and write",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup",
    sqlite3.SQLITE_FULL: "the disk is full; make room and run again, nothing was allocated",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check its disk and run again, nothing was allocated",
    sqlite3.SQLITE_NOTADB: "is not an SQLite database; give another path, or restore it from a backup",
    sqlite3.SQLITE_READONLY: "cannot be written; let this user write the file and its directory",
}


def _reason(error: BaseException | None) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    reason = _REASONS.get(code & 0xFF) if code is not None else None
    return f"{reason} ({error})" if reason else str(error)
