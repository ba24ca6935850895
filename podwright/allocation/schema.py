"""The tables that leases are kept in. A change here is a new revision in `migrations/versions` too."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect

SCHEMA_VERSION = "0007"

METADATA = MetaData()


# SQLAlchemy's names for what it says to MariaDB and to MySQL; a variant for one of them is not one for the other.
_MARIADB = ("mariadb", "mysql")


def _words(length: int) -> String:
    """Text that is equal only to the same bytes: MariaDB would otherwise take `a`, `A` and `a ` for one holder."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_nopad_bin")
    return String(length).with_variant(exact, *_MARIADB)


def _text() -> Text:
    """Text of any length: MariaDB's has 64 KiB otherwise."""
    return Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_nopad_bin"), *_MARIADB)


def _in_a_pool() -> tuple[Column[Any], Column[Any]]:
    """Which pool a row is of."""
    return Column("pool", _words(32), nullable=False), Column("scope", _words(191), nullable=False)


def _in_a_state(name: str, *states: str) -> CheckConstraint:
    """What `state` may be: not as a list (`in`), of which SQLite makes a table for each row that it checks.

    `EXPLAIN INSERT` shows that (OpenEphemeral, SQLite 3.40); it took a quarter of the time of a row.
    """
    return CheckConstraint(" or ".join(f"state = '{state}'" for state in states), name=name)


def _of_a_domain(*own: Column[Any]) -> tuple[Column[Any], ...]:
    """What a domain has in its pod: `own` says what and how much."""
    return (
        Column("scope", _words(191), nullable=False),
        Column("domain", _words(191), nullable=False),
        *own,
        Column("cloud", _words(63), nullable=False),
        Column("since", BigInteger, nullable=False),
        Column("state", _words(16), nullable=False),
    )


# SQLite counts rows by itself only in a column of exactly this type (https://www.sqlite.org/autoinc.html).
_COUNTED = BigInteger().with_variant(Integer, "sqlite")


def _has_partial_indexes(*_: Any, dialect: Dialect, **__: Any) -> bool:
    return dialect.name not in _MARIADB


# Alembic's own, so that `alembic` reads it too.
VERSION = Table("alembic_version", METADATA, Column("version_num", String(32), primary_key=True))

# A pool as it was last declared; the row is also the lock of whoever leases from it.
POOL = Table(
    "pool",
    METADATA,
    *_in_a_pool(),
    Column("declared", _text(), nullable=False),
    Column("declared_at", _words(255), nullable=False),
    Column("cloud", _words(63)),
    Column("revision", BigInteger, nullable=False),
    PrimaryKeyConstraint("pool", "scope"),
    sqlite_with_rowid=False,
)

LEASE = Table(
    "lease",
    METADATA,
    *_in_a_pool(),
    Column("value", BigInteger, nullable=False),
    Column("holder", _words(191), nullable=False),
    Column("purpose", _words(64), nullable=False),
    Column("cloud", _words(63)),
    Column("since", BigInteger, nullable=False),
    Column("state", _words(16), nullable=False),
    Column("until", BigInteger),
    Column("superseded", BigInteger, nullable=False),
    PrimaryKeyConstraint("pool", "scope", "value"),
    _in_a_state("known_state", "held", "releasing", "quarantine"),
    CheckConstraint("(state = 'quarantine') = (until is not null)", name="only_quarantine_ends"),
    CheckConstraint("superseded = 0 or (superseded = value and state <> 'held')", name="superseded_is_not_held"),
    sqlite_with_rowid=False,
)
Index(
    "one_lease_per_holder_and_purpose",
    *(LEASE.c[name] for name in ("pool", "scope", "holder", "purpose", "superseded")),
    unique=True,
)
# What rests: in all pools, and in one.
_RESTS: dict[str, Any] = {"sqlite_where": LEASE.c.until.is_not(None), "postgresql_where": LEASE.c.until.is_not(None)}
Index("lease_until", LEASE.c.until, **_RESTS)
Index("pool_lease_until", LEASE.c.pool, LEASE.c.scope, LEASE.c.until, **_RESTS)

# SQLite takes a pool for some ten leases unless it is told (https://www.sqlite.org/fileformat2.html#stat1tab), and then
# reads it from end to end for every request.
# {index: the number of rows, and how many have the same value in the first column, the first two, ...}
SQLITE_STATISTICS = {
    "lease": "1000000 200000 100000 1",
    "one_lease_per_holder_and_purpose": "1000000 200000 100000 2 1 1",
    "lease_until": "1000 10",
    "pool_lease_until": "1000 200 100 10",
}

# What no lease has: the lowest free value is found without reading the leases.
FREE_RANGE = Table(
    "free_range",
    METADATA,
    *_in_a_pool(),
    # A pod and an account.
    Column("section", _words(127), nullable=False),
    # A range gives away its first value: its last is what it can be known by.
    Column("last", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    PrimaryKeyConstraint("pool", "scope", "section", "last"),
    CheckConstraint("first <= last", name="not_empty"),
    sqlite_with_rowid=False,
)

PLACEMENT = Table(
    "placement",
    METADATA,
    *_of_a_domain(
        Column("hypervisor", _words(63), nullable=False),
        Column("vcpus", Integer, nullable=False),
        Column("memory_mib", Integer, nullable=False),
        Column("network_mbit_s", Integer, nullable=False),
        Column("storage_iops", Integer, nullable=False),
    ),
    PrimaryKeyConstraint("scope", "domain", "hypervisor"),
    _in_a_state("known_placement_state", "held", "releasing"),
    sqlite_with_rowid=False,
)
# A domain runs once. (MariaDB has no such index; there the lock of the pod's pool alone sees to it.)
Index(
    "one_held_placement_per_domain",
    PLACEMENT.c.scope,
    PLACEMENT.c.domain,
    unique=True,
    sqlite_where=PLACEMENT.c.state == "held",
    postgresql_where=PLACEMENT.c.state == "held",
).ddl_if(callable_=_has_partial_indexes)

# A domain has one disk in its pod, wherever that is.
VOLUME = Table(
    "volume",
    METADATA,
    *_of_a_domain(
        Column("server", _words(63), nullable=False),
        Column("size_gib", Integer, nullable=False),
        Column("storage_iops", Integer, nullable=False),
        Column("account", _words(63), nullable=False),
    ),
    PrimaryKeyConstraint("scope", "domain"),
    _in_a_state("known_volume_state", "held", "releasing"),
    sqlite_with_rowid=False,
)

# Every device that may carry a lease, also one that has left the declaration since.
DEVICE = Table(
    "device",
    METADATA,
    Column("cloud", _words(63), nullable=False),
    Column("name", _words(63), nullable=False),
    Column("kind", _words(16), nullable=False),
    PrimaryKeyConstraint("cloud", "name", "kind"),
    sqlite_with_rowid=False,
)

# Who changed something, once for all changes of a run.
RUN = Table(
    "run",
    METADATA,
    Column("id", _COUNTED, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("operator", _words(64), nullable=False),
    Column("host", _words(255), nullable=False),
    Column("command", _words(191), nullable=False),
)

# Every change there ever was; rows are added and never touched again. Of a lease, `before` and `after` are its states;
# of a pool, which has no value, what was declared; of a placement, `holder` is the domain, `purpose` the hypervisor; so
# of a volume, where `purpose` is the storage server, and `before` and `after` have the size, too.
HISTORY = Table(
    "history",
    METADATA,
    Column("id", _COUNTED, primary_key=True, autoincrement=True),
    Column("run", _COUNTED, ForeignKey("run.id"), nullable=False),
    Column("at", BigInteger, nullable=False),
    *_in_a_pool(),
    Column("value", BigInteger),
    Column("holder", _words(191), nullable=False),
    Column("purpose", _words(64), nullable=False),
    Column("before", _text()),
    Column("after", _text()),
)
Index("history_of_value", HISTORY.c.pool, HISTORY.c.scope, HISTORY.c.value)

# Who comes first, the one that came first of all, since each lost too often (`precedence`).
PRECEDENCE = Table(
    "precedence",
    METADATA,
    Column("session", _words(255), primary_key=True),
    # By a server's clock (Unix time, us and s).
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)
