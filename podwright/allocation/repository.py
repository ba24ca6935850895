"""The leases and placements of a database, inside one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from podwright.allocation.free import FreeRange, FreeValues
from podwright.allocation.grant import Lease, LeaseChange, Request
from podwright.allocation.history import DECLARED, Event, Recorded, Run, event_of
from podwright.allocation.placement import Placement, PlacementChange
from podwright.allocation.pools import DeclaredPool, Pool, PoolName
from podwright.allocation.schema import DEVICE, FREE_RANGE, HISTORY, LEASE, PLACEMENT, POOL, RUN, VOLUME
from podwright.allocation.statement import Parameters, Row, Statement
from podwright.allocation.volumes import Volume, VolumeChange

# Up to so many rows are looked up one by one; more are read with all that stands beside them.
_FEW = 64

# So many rows are asked for in one statement.
_MANY = 256


class Repository:
    """What is leased and placed, free and known; changes are written down with who made them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.changed = False
        """Whether anything was written"""
        self.run: tuple[Run, int | None] = (Run("", "", ""), None)
        """Who changes something, and the number of the run where it has one already"""

    # Waiting for others

    def lock(self, pool: PoolName, scope: str) -> None:
        """Keep other controllers from leasing from a pool until this transaction ends; SQLite lets in one at a time."""
        if self._connection.dialect.name != "sqlite":
            self._run(_LOCK_ONE, {"the_pool": pool, "the_scope": scope})

    def lock_all(self) -> None:
        """Keep other controllers from leasing from any pool that there is."""
        if self._connection.dialect.name != "sqlite":
            self._run(_LOCK_ALL, {})

    # Pools and what is free in them

    def pool(self, pool: PoolName, scope: str) -> DeclaredPool | None:
        """A pool as it was last declared; None when it never was."""
        rows = self._run(_POOL, {"the_pool": pool, "the_scope": scope})
        return DeclaredPool(*rows[0]) if rows else None

    def pools(self) -> dict[tuple[str, str], DeclaredPool]:
        """Every pool that was ever declared, by name and scope."""
        rows = (DeclaredPool(*row) for row in self._connection.execute(_POOLS.order_by(*POOL.primary_key)))
        return {(pool.pool, pool.scope): pool for pool in rows}

    def declare(
        self, pools: Iterable[Pool], known: Mapping[tuple[str, str], DeclaredPool], cloud: str | None, now: int
    ) -> None:
        """Write down what pools hold now, and who says so; `known` is how they were declared before."""
        new, changed, events = [], [], []
        for pool in pools:
            before = known.get((pool.name, pool.scope))
            row: dict[str, Any] = {"declared": pool.declared, "declared_at": pool.declared_at, "cloud": cloud}
            if before is None:
                new.append({"pool": pool.name, "scope": pool.scope, "revision": 0, **row})
            else:
                key = {"the_pool": pool.name, "the_scope": pool.scope}
                changed.append(key | {f"new_{name}": each for name, each in row.items()})
            text = before and before.declared
            events.append(Event(now, pool.name, pool.scope, None, "", DECLARED, text, pool.declared))
        self._write(_INSERT_POOL, new)
        self._write(_DECLARE, changed)
        self._record(events)

    def free_ranges(self) -> dict[tuple[str, str], list[FreeRange]]:
        """Every free range, by pool and scope."""
        found = defaultdict(list)
        for row in self._connection.execute(select(FREE_RANGE)):
            found[row.pool, row.scope].append(FreeRange(row.section, row.last, row.first))
        return found

    def all_free(self, pool: Pool) -> list[FreeRange]:
        """Every free range of a pool, as they are written down."""
        key = {"the_pool": pool.name, "the_scope": pool.scope}
        return [FreeRange(*row) for row in self._run(_FREE_ALL, key)]

    def free(self, pool: Pool, lowest: Iterable[tuple[str, ...]] = (), around: Collection[int] = ()) -> FreeValues:
        """The free values of a pool: as many of the lowest as there are `lowest`, and those at or beside `around`.

        Args:
            pool: as it is declared.
            lowest: for each value that will be asked for, the sections that it may come from.
            around: values that will be taken or given back.
        """
        needed = Counter(section for sections in lowest for section in sections if section in pool.sections)
        if len(around) > _FEW:
            return FreeValues(pool, self.all_free(pool))
        key = {"the_pool": pool.name, "the_scope": pool.scope}
        rows: list[Any] = []
        for section, count in sorted(needed.items()):
            rows += self._run(_FREE_LOWEST, key | {"the_section": section, "the_count": count})
        for value in around:
            section_of = pool.section_of(value)
            if section_of is not None:
                at = {"the_section": section_of, "the_value": value - 1}
                rows += self._run(_FREE_AROUND, key | at)
        return FreeValues(pool, {FreeRange(*row) for row in rows})

    def save_free(self, values: Iterable[FreeValues]) -> None:
        """Write down what became of free ranges."""
        gone, changed, new = [], [], []
        for each in values:
            changes = each.changes()
            of_pool = {"pool": each.pool.name, "scope": each.pool.scope}
            key = {f"the_{name}": text for name, text in of_pool.items()}
            gone += [key | {"the_section": row.section, "the_last": row.last} for row in changes.gone]
            changed += [
                key | {"the_section": row.section, "the_last": row.last, "new_first": row.first}
                for row in changes.moved
            ]
            new += [of_pool | row._asdict() for row in changes.new]
        self._write(_FREE_DELETE, gone)
        self._write(_FREE_UPDATE, changed)
        self._write(_INSERT_FREE_RANGE, new)

    # Leases

    def leases(self, pool: PoolName | None = None, scope: str | None = None) -> list[Lease]:
        """The leases of one pool in one scope, or all of them."""
        wanted = select(LEASE)
        if pool is not None:
            wanted = wanted.where(LEASE.c.pool == pool, LEASE.c.scope == scope)
        wanted = wanted.order_by(*LEASE.primary_key)
        return [Lease(*row) for row in self._connection.execute(wanted)]

    def leases_for(self, pool: Pool, requests: Sequence[Request]) -> list[Lease]:
        """The leases of a pool that matter for requests: what the holders have, and who has the fixed values."""
        holders = sorted({request.holder for request in requests})
        fixed = sorted({request.fixed for request in requests if request.fixed is not None})
        rows = [*self._of_any(_OF_HOLDERS, pool, holders), *self._of_any(_OF_VALUES, pool, fixed)]
        return sorted({Lease(*row) for row in rows}, key=lambda lease: lease.value)

    def _of_any(self, statements: Mapping[int, Statement], pool: Pool, wanted: Sequence[str | int]) -> Iterator[Row]:
        """The rows for any of the wanted: as many at a time as a statement has places; the last fills what is left."""
        many = 1 if len(wanted) == 1 else _MANY
        for start in range(0, len(wanted), many):
            some = wanted[start : start + many]
            names = {f"wanted_{number}": some[min(number, len(some) - 1)] for number in range(many)}
            yield from self._run(statements[many], {"the_pool": pool.name, "the_scope": pool.scope, **names})

    def expire(self, now: int) -> None:
        """Free the values whose quarantine ended at `now` (Unix time, s) or before; all pools have to be locked."""
        self._free_expired(self._run(_EXPIRED, {"now": now}), now)

    def expire_in(self, pool: PoolName, scope: str, now: int) -> None:
        """Free the values of one pool, which has to be locked."""
        self._free_expired(self._run(_EXPIRED_IN, {"the_pool": pool, "the_scope": scope, "now": now}), now)

    def _free_expired(self, rows: Iterable[Row], now: int) -> None:
        expired = [Lease(*row) for row in rows]
        if expired:
            self.save([LeaseChange(lease, None) for lease in expired], [], now)
            self.save_free(self.returned(expired))

    def returned(self, leases: Iterable[Lease]) -> list[FreeValues]:
        """The free values of the pools that these leases were from, with theirs given back."""
        values = defaultdict(list)
        for lease in leases:
            values[lease.pool, lease.scope].append(lease.value)
        returned = []
        for (name, scope), those in values.items():
            declared = self.pool(name, scope)
            if declared is not None:
                free = self.free(declared.as_pool(), around=those)
                for value in those:
                    free.give_back(value)
                returned.append(free)
        return returned

    def leases_of(self, holder: str, pool: str, scope: str | None = None) -> list[Lease]:
        """What a holder has of pools of one name, in one scope or in all."""
        wanted = select(LEASE).where(LEASE.c.pool == pool, LEASE.c.holder == holder)
        if scope is not None:
            wanted = wanted.where(LEASE.c.scope == scope)
        return [Lease(*row) for row in self._connection.execute(wanted.order_by(*LEASE.primary_key))]

    # Placements, volumes and devices

    def placements(self) -> list[Placement]:
        """Where every domain is, or may still be."""
        wanted = select(PLACEMENT).order_by(*PLACEMENT.primary_key)
        return [Placement(*row) for row in self._connection.execute(wanted)]

    def volumes(self) -> list[Volume]:
        """Where the disk of every domain is, or may still be."""
        wanted = select(VOLUME).order_by(*VOLUME.primary_key)
        return [Volume(*row) for row in self._connection.execute(wanted)]

    def devices(self, cloud: str) -> set[tuple[str, str]]:
        """The devices (name, kind) of a cloud that may carry a lease."""
        wanted = select(DEVICE.c.name, DEVICE.c.kind).where(DEVICE.c.cloud == cloud)
        return {(name, kind) for name, kind in self._connection.execute(wanted)}

    def add_devices(self, cloud: str, devices: Iterable[tuple[str, str]]) -> None:
        """Remember devices that were not known."""
        rows = [{"cloud": cloud, "name": name, "kind": kind} for name, kind in sorted(devices)]
        self._write(_INSERT_DEVICE, rows)

    def forget_devices(self, cloud: str, devices: Iterable[tuple[str, str]]) -> None:
        """Forget devices that carry nothing any more."""
        rows = [{"the_cloud": cloud, "the_name": name, "the_kind": kind} for name, kind in sorted(devices)]
        self._write(_DELETE_DEVICE, rows)

    def all_devices(self) -> set[tuple[str, str, str]]:
        """Every device (cloud, name, kind) that may carry a lease."""
        return {(cloud, name, kind) for cloud, name, kind in self._connection.execute(select(DEVICE))}

    # Moving a whole database

    def is_empty(self) -> bool:
        """Whether nothing was ever written."""
        tables = (POOL, LEASE, PLACEMENT, VOLUME, DEVICE, RUN, HISTORY)
        return not any(self._connection.execute(select(table).limit(1)).first() for table in tables)

    def runs(self) -> list[tuple[int, int, Run]]:
        """Every run (number, Unix time in s, who)."""
        rows = self._connection.execute(select(RUN).order_by(RUN.c.id))
        return [(number, at, Run(*who)) for number, at, *who in rows]

    def history(self) -> list[tuple[int, Event]]:
        """Everything that ever happened, with the number of the run, in order."""
        rows = self._connection.execute(select(HISTORY).order_by(HISTORY.c.id))
        return [(run, Event(*event)) for _, run, *event in rows]

    def restore(
        self,
        pools: Sequence[DeclaredPool],
        leases: Sequence[Lease],
        placements: Sequence[Placement],
        volumes: Sequence[Volume],
        runs: Sequence[tuple[int, int, Run]],
        history: Sequence[tuple[int, Event]],
    ) -> None:
        """Fill an empty database with what another one held; that this was done is not written down."""
        self._write(_INSERT_POOL, [{**pool._asdict(), "revision": 0} for pool in pools])
        self._write(_CHANGES[LEASE.name].insert, [_row(LEASE, lease) for lease in leases])
        self._write(_CHANGES[PLACEMENT.name].insert, [_row(PLACEMENT, placement) for placement in placements])
        self._write(_CHANGES[VOLUME.name].insert, [_row(VOLUME, volume) for volume in volumes])
        self._write(_INSERT_RUN, [(number, at, *who) for number, at, who in runs])
        self._write(_INSERT_HISTORY, [(run, *event) for run, event in history])
        if runs and self._connection.dialect.name == "postgresql":
            # It counts apart from the rows, and would give numbers out again.
            self._connection.execute(
                select(func.setval(func.pg_get_serial_sequence(RUN.name, "id"), max(number for number, *_ in runs)))
            )

    # What was done

    def recorded(
        self,
        *,
        pool: str | None = None,
        scope: str | None = None,
        value: int | None = None,
        since: int | None = None,
        run: int | None = None,
    ) -> Iterator[Recorded]:
        """The changes that were written down, the newest first, read while they are asked for.

        Args:
            pool: only those of pools of this name.
            scope: only those in this scope.
            value: only those of this value.
            since: only those made then or later (Unix time, s).
            run: only those of the run with this number.
        """
        only = {HISTORY.c.pool: pool, HISTORY.c.scope: scope, HISTORY.c.value: value, HISTORY.c.run: run}
        wanted = select(HISTORY, RUN.c.operator, RUN.c.host, RUN.c.command).join(RUN).order_by(HISTORY.c.id.desc())
        wanted = wanted.where(*(column == each for column, each in only.items() if each is not None))
        if since is not None:
            wanted = wanted.where(HISTORY.c.at >= since)
        for _, number, *event, operator, host, command in self._connection.execute(wanted):
            yield Recorded(number, Run(operator, host, command), Event(*event))

    def history_begins(self) -> dict[tuple[str, str], int]:
        """When something was first written down of each pool (Unix time, s), by pool and scope."""
        wanted = select(HISTORY.c.pool, HISTORY.c.scope, func.min(HISTORY.c.at))
        rows = self._connection.execute(wanted.group_by(HISTORY.c.pool, HISTORY.c.scope))
        return {(pool, scope): at for pool, scope, at in rows}

    # Changes

    def save(
        self,
        leases: Sequence[LeaseChange],
        placements: Sequence[PlacementChange],
        now: int,
        volumes: Sequence[VolumeChange] = (),
    ) -> None:
        """Write all changes down, what goes before what comes, and that they were made."""
        self._save(LEASE, leases)
        self._save(PLACEMENT, placements)
        self._save(VOLUME, volumes)
        self._record([event_of(change, now) for changes in (leases, placements, volumes) for change in changes])

    def _save(
        self, table: Table, changes: Iterable[LeaseChange] | Iterable[PlacementChange] | Iterable[VolumeChange]
    ) -> None:
        gone, changed, new = [], [], []
        for before, after in changes:
            if after is None:
                gone.append(_row(table, before))
            elif before is None:
                new.append(_row(table, after))
            else:
                changed.append(_row(table, after))
        statements = _CHANGES[table.name]
        self._write(statements.delete, [statements.key(row) for row in gone])
        self._write(statements.update, [statements.key(row) | statements.rest(row) for row in changed])
        self._write(statements.insert, new)

    def _record(self, events: Sequence[Event]) -> None:
        if not events:
            return
        run, number = self.run
        if number is None:
            inserted = self._connection.execute(insert(RUN), {"at": events[0].at, **run._asdict()})
            number = inserted.inserted_primary_key[0]  # type: ignore[index]
            self.run = (run, number)
        self._write(_INSERT_HISTORY, [(number, *event) for event in events])

    def _run(self, statement: Statement, parameters: Parameters) -> list[Row]:
        return statement.run(self._connection, parameters)

    def _write(self, statement: Statement, rows: Sequence[Parameters] | Sequence[Row]) -> None:
        if rows:
            self.changed = True
            statement.run_for_each(self._connection, rows)


class _Changes:
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


_CHANGES = {table.name: _Changes(table) for table in (LEASE, PLACEMENT, VOLUME)}
_INSERT_POOL, _INSERT_FREE_RANGE, _INSERT_DEVICE = (Statement(insert(table)) for table in (POOL, FREE_RANGE, DEVICE))
# Rows are counted by the database.
_INSERT_HISTORY = Statement(
    insert(HISTORY).values({column.name: bindparam(column.name) for column in HISTORY.columns if column.name != "id"})
)
_INSERT_RUN = Statement(insert(RUN).values({column.name: bindparam(column.name) for column in RUN.columns}))
_DELETE_DEVICE = Statement(
    delete(DEVICE).where(*(column == bindparam(f"the_{column.name}") for column in DEVICE.primary_key))
)

_of_pool = (POOL.c.pool == bindparam("the_pool"), POOL.c.scope == bindparam("the_scope"))
_LOCK_ONE = Statement(update(POOL).where(*_of_pool).values(revision=POOL.c.revision + 1))
_LOCK_ALL = Statement(update(POOL).values(revision=POOL.c.revision + 1))
_POOLS = select(POOL.c.pool, POOL.c.scope, POOL.c.declared, POOL.c.declared_at, POOL.c.cloud)
_POOL = Statement(_POOLS.where(*_of_pool))
_DECLARE = Statement(
    update(POOL)
    .where(*_of_pool)
    .values({name: bindparam(f"new_{name}") for name in ("declared", "declared_at", "cloud")})
)

_leased = select(LEASE).where(LEASE.c.pool == bindparam("the_pool"), LEASE.c.scope == bindparam("the_scope"))
_wanted: dict[int, list[BindParameter[Any]]] = {
    many: [bindparam(f"wanted_{number}") for number in range(many)] for many in (1, _MANY)
}
_OF_HOLDERS = {many: Statement(_leased.where(LEASE.c.holder.in_(wanted))) for many, wanted in _wanted.items()}
_OF_VALUES = {many: Statement(_leased.where(LEASE.c.value.in_(wanted))) for many, wanted in _wanted.items()}
_EXPIRED_IN = Statement(_leased.where(LEASE.c.until <= bindparam("now")).order_by(LEASE.c.value))
_EXPIRED = Statement(select(LEASE).where(LEASE.c.until <= bindparam("now")).order_by(*LEASE.primary_key))

_in_free = (FREE_RANGE.c.pool == bindparam("the_pool"), FREE_RANGE.c.scope == bindparam("the_scope"))
_in_section = (*_in_free, FREE_RANGE.c.section == bindparam("the_section"))
_free = select(FREE_RANGE.c.section, FREE_RANGE.c.last, FREE_RANGE.c.first).order_by(FREE_RANGE.c.last)
_FREE_ALL = Statement(_free.where(*_in_free))
_FREE_LOWEST = Statement(_free.where(*_in_section).limit(bindparam("the_count", type_=Integer)))
_FREE_AROUND = Statement(_free.where(*_in_section, FREE_RANGE.c.last >= bindparam("the_value")).limit(2))
_this_range = (*_in_section, FREE_RANGE.c.last == bindparam("the_last"))
_FREE_DELETE = Statement(delete(FREE_RANGE).where(*_this_range))
_FREE_UPDATE = Statement(update(FREE_RANGE).where(*_this_range).values(first=bindparam("new_first")))


def _row(table: Table, record: Lease | Placement | Volume | None) -> Row:
    return record if isinstance(record, Lease) else tuple(getattr(record, column.name) for column in table.columns)
