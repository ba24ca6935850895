"""The statements that leases are read and written with; `repository` says them, and knows when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from sqlalchemy import BindParameter, Integer, Table, bindparam, delete, insert, select, text, update

from podwright.allocation.changes import Record
from podwright.allocation.conversation import Question
from podwright.allocation.grant import Lease, Request
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.precedence import IS_ANYBODY_IN_LINE
from podwright.allocation.schema import DEVICE, FREE_RANGE, HISTORY, LEASE, PLACEMENT, POOL, RUN, VOLUME
from podwright.allocation.statement import Row, Statement

# Up to so many rows are looked up one by one; more are read with all that stands beside them.
_FEW = 64

# So many rows are asked for in one statement.
_MANY = 256


def of_requests(pool: Pool, requests: Sequence[Request]) -> list[Question]:
    """Ask for the leases that matter for requests: what the holders have, and who has the fixed values."""
    holders = sorted({request.holder for request in requests})
    fixed = sorted({request.fixed for request in requests if request.fixed is not None})
    return [*_of_any(_OF_HOLDERS, pool, holders), *_of_any(_OF_VALUES, pool, fixed)]


def of_free(pool: Pool, requests: Iterable[Request], around: Collection[int]) -> list[Question]:
    """Ask for as many of the lowest free values as requests may take, and for those at or beside `around`."""
    key = {"the_pool": pool.name, "the_scope": pool.scope}
    if len(around) > _FEW:
        return [(FREE_ALL, key)]
    needed: Counter[str] = Counter()
    for sections, count in Counter(request.sections for request in requests).items():
        needed.update({section: count for section in sections if section in pool.sections})
    lowest = [
        (_FREE_LOWEST, {**key, "the_section": section, "the_count": count}) for section, count in sorted(needed.items())
    ]
    beside = [
        (_FREE_AROUND, {**key, "the_section": section, "the_value": value - 1})
        for value, section in ((value, pool.section_of(value)) for value in around)
        if section is not None
    ]
    return [*lowest, *beside]


def _of_any(statements: Mapping[int, Statement], pool: Pool, wanted: Sequence[str | int]) -> Iterator[Question]:
    """Ask for rows of any of the wanted: as many at a time as a statement has places; the last fills what is left."""
    many = 1 if len(wanted) == 1 else _MANY
    for start in range(0, len(wanted), many):
        some = wanted[start : start + many]
        places = [*some, *repeat(some[-1], many - len(some))]
        yield statements[many], dict(zip(_PLACES, (pool.name, pool.scope, *places), strict=False))


def row_of(table: Table, record: Record | None) -> Row:
    """A record as a row of its table: a plain tuple, which SQLite's driver reads faster than one with names."""
    return (
        tuple(record) if isinstance(record, Lease) else tuple(getattr(record, column.name) for column in table.columns)
    )


class Changes:
    """The statements that change rows of a table, by its primary key."""

    def __init__(self, table: Table) -> None:
        keys = set(table.primary_key.columns.keys())
        self._keys = [(at, f"the_{column.name}") for at, column in enumerate(table.columns) if column.name in keys]
        self._rest = [(at, f"new_{column.name}") for at, column in enumerate(table.columns) if column.name not in keys]
        # A parameter of an UPDATE or DELETE cannot have the name of a column.
        this_one = [column == bindparam(f"the_{column.name}") for column in table.primary_key]
        values: dict[str, Any] = {
            column.name: bindparam(f"new_{column.name}") for column in table.columns if column.name not in keys
        }
        self.insert = Statement(insert(table))
        self.delete = Statement(delete(table).where(*this_one))
        self.update = Statement(update(table).where(*this_one).values(values))

    def key(self, row: Row) -> dict[str, Any]:
        """The parameters that say which row."""
        return {name: row[at] for at, name in self._keys}

    def rest(self, row: Row) -> dict[str, Any]:
        """The parameters that say what it is now."""
        return {name: row[at] for at, name in self._rest}


CHANGES = {table.name: Changes(table) for table in (LEASE, PLACEMENT, VOLUME)}
INSERT_POOL, INSERT_FREE_RANGE, INSERT_DEVICE = (Statement(insert(table)) for table in (POOL, FREE_RANGE, DEVICE))
# Rows are counted by the database.
INSERT_HISTORY = Statement(
    insert(HISTORY)
    .values({column.name: bindparam(column.name) for column in HISTORY.columns if column.name != "id"})
    .inline()  # nobody asks for the numbers
)
INSERT_RUN = Statement(insert(RUN).values({column.name: bindparam(column.name) for column in RUN.columns}))
DELETE_DEVICE = Statement(
    delete(DEVICE).where(*(column == bindparam(f"the_{column.name}") for column in DEVICE.primary_key))
)

_of_pool = (POOL.c.pool == bindparam("the_pool"), POOL.c.scope == bindparam("the_scope"))
LOCK_ONE = Statement(update(POOL).where(*_of_pool).values(revision=POOL.c.revision + 1))
LOCK_ALL = Statement(update(POOL).values(revision=POOL.c.revision + 1))
# PostgreSQL updates rows in the order in which they lie, which changes: two that lock all would wait for each other.
LOCK_ALL_IN_ORDER = Statement(select(POOL.c.revision).order_by(*POOL.primary_key).with_for_update())
POOLS = select(POOL.c.pool, POOL.c.scope, POOL.c.declared, POOL.c.declared_at, POOL.c.cloud)
DECLARED_POOL = Statement(POOLS.where(*_of_pool))
DECLARE = Statement(
    update(POOL)
    .where(*_of_pool)
    .values({name: bindparam(f"new_{name}") for name in ("declared", "declared_at", "cloud")})
)

_leased = select(LEASE).where(LEASE.c.pool == bindparam("the_pool"), LEASE.c.scope == bindparam("the_scope"))
_PLACES = ("the_pool", "the_scope", *(f"wanted_{number}" for number in range(_MANY)))
_wanted: dict[int, list[BindParameter[Any]]] = {
    many: [bindparam(f"wanted_{number}") for number in range(many)] for many in (1, _MANY)
}
_OF_HOLDERS = {many: Statement(_leased.where(LEASE.c.holder.in_(wanted))) for many, wanted in _wanted.items()}
_OF_VALUES = {many: Statement(_leased.where(LEASE.c.value.in_(wanted))) for many, wanted in _wanted.items()}
EXPIRED_IN = Statement(_leased.where(LEASE.c.until <= bindparam("now")).order_by(LEASE.c.value))
EXPIRED = Statement(select(LEASE).where(LEASE.c.until <= bindparam("now")).order_by(*LEASE.primary_key))

COUNT_LEASES = Statement(text(f"ANALYZE {LEASE.name}"))

_in_free = (FREE_RANGE.c.pool == bindparam("the_pool"), FREE_RANGE.c.scope == bindparam("the_scope"))
_in_section = (*_in_free, FREE_RANGE.c.section == bindparam("the_section"))
_free = select(FREE_RANGE.c.section, FREE_RANGE.c.last, FREE_RANGE.c.first).order_by(FREE_RANGE.c.last)
FREE_ALL = Statement(_free.where(*_in_free))
_FREE_LOWEST = Statement(_free.where(*_in_section).limit(bindparam("the_count", type_=Integer)))
_FREE_AROUND = Statement(_free.where(*_in_section, FREE_RANGE.c.last >= bindparam("the_value")).limit(2))
_this_range = (*_in_section, FREE_RANGE.c.last == bindparam("the_last"))
FREE_DELETE = Statement(delete(FREE_RANGE).where(*_this_range))
FREE_UPDATE = Statement(update(FREE_RANGE).where(*_this_range).values(first=bindparam("new_first")))

# What is read beside a pool's row.
_its_leases = select(LEASE.c.value).where(LEASE.c.pool == POOL.c.pool, LEASE.c.scope == POOL.c.scope)
# The end of the quarantine that ends first, and not whether some have ended: for that PostgreSQL, once it has a plan
# for any time, read all leases, of which it takes a third for rested. Without the hint, MariaDB reads all of a pool's
# until it has counted them.
_rests = _its_leases.with_only_columns(LEASE.c.until).where(LEASE.c.until.is_not(None)).correlate(POOL)
_in_order = _rests.order_by(LEASE.c.until).limit(1).with_hint(LEASE, "FORCE INDEX (pool_lease_until)", "mariadb")
_has_rested = _in_order.scalar_subquery() <= bindparam("now")
_has_some = _its_leases.where(LEASE.c.holder == bindparam("the_holder")).correlate(POOL).exists()
_its_shared = (FREE_RANGE.c.pool == POOL.c.pool, FREE_RANGE.c.scope == POOL.c.scope, FREE_RANGE.c.section == SHARED)
_last, _first = (
    select(column).where(*_its_shared).order_by(FREE_RANGE.c.last).limit(1).correlate(POOL).scalar_subquery()
    for column in (FREE_RANGE.c.last, FREE_RANGE.c.first)
)
_beside = (POOL.c.declared, _has_rested, _has_some, _last, _first)
ENTERED = Statement(select(*_beside).where(*_of_pool))
ENTERED_ON_NODE = Statement(select(*_beside, IS_ANYBODY_IN_LINE).where(*_of_pool))

# PostgreSQL locks and reads in one statement. If it waited for the row, what it read is of before that: the revision
# tells (https://www.postgresql.org/docs/15/transaction-iso.html, 13.2.1).
_then = POOL.alias()
_revision_then = select(_then.c.revision).where(_then.c.pool == POOL.c.pool, _then.c.scope == POOL.c.scope)
_is_of_now = POOL.c.revision == _revision_then.correlate(POOL).scalar_subquery() + 1
LOCKED_AND_ENTERED = Statement(
    update(POOL).where(*_of_pool).values(revision=POOL.c.revision + 1).returning(*_beside, _is_of_now)
)
