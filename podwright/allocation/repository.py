"""The leases, placements and volumes of a database, inside one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import CursorResult, Select, Table, func, insert, select

from podwright.allocation import sql
from podwright.allocation.changes import Change
from podwright.allocation.conversation import Conversation
from podwright.allocation.free import FreeRange, FreeValues
from podwright.allocation.grant import Lease, LeaseChange, Request
from podwright.allocation.history import DECLARED, Event, Recorded, Run, entries
from podwright.allocation.placement import Placement, PlacementChange
from podwright.allocation.pools import SHARED, DeclaredPool, Pool, PoolName
from podwright.allocation.precedence import AHEAD, OutOfTurnError
from podwright.allocation.schema import DEVICE, FREE_RANGE, HISTORY, LEASE, PLACEMENT, POOL, RUN, VOLUME
from podwright.allocation.statement import Parameters, Row, Statement
from podwright.allocation.volumes import Volume, VolumeChange

# PostgreSQL is told to count after so many changes; it would go on to take a pool for small, and read all of it.
_MUCH = 1000


class Repository:
    """What is leased and placed, free and known; changes are written down with who made them."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._locks = conversation.dialect != "sqlite"  # which lets in one writer at a time
        self.changed = False
        """Whether anything was written"""
        self.run: tuple[Run, int | None] = (Run("", "", ""), None)
        """Who changes something, and the number of the run where it has one already"""
        self._seen: _Seen | None = None
        """What was read beside a pool's row, while nothing was written since"""

    # Waiting for others

    def enter(self, pool: PoolName, scope: str, now: int, holder: str = "") -> str | None:
        """Keep other controllers from leasing from a pool until this transaction ends, and free what has rested.

        Args:
            pool: its name.
            scope: where its values are unique.
            now: values whose quarantine ends then or before are free (Unix time, s).
            holder: who will ask, if it is one alone: what matters for one that has nothing yet is read at once.

        Returns:
            What the pool was last declared to hold; None when it never was.
        """
        key = {"the_pool": pool, "the_scope": scope}
        rows = self._entered(key, {**key, "now": now, "the_holder": holder})
        for declared, some_have_rested, has_some, last, first in rows:
            if some_have_rested:
                break
            if not has_some:
                self._seen = _Seen(pool, scope, holder, [] if last is None else [FreeRange(SHARED, last, first)])
            return str(declared)
        self._free_expired(self._ask(sql.EXPIRED_IN, {**key, "now": now}), now)
        return str(rows[0][0]) if rows else None

    def _entered(self, key: Parameters, asked: Parameters) -> list[Row]:
        """A pool's row, and what is read beside it once the row is locked."""
        if self._conversation.dialect == "postgresql":
            rows = self._ask(sql.LOCKED_AND_ENTERED, asked)
            if all(is_of_now for *_, is_of_now in rows):
                return [row[:-1] for row in rows]
        elif self._locks:
            [_, rows] = self._conversation.ask((sql.LOCK_ONE, key), (sql.ENTERED_ON_NODE, asked))
            if any(is_anybody_in_line for *_, is_anybody_in_line in rows):
                self._leave_off_if_another_is_first()
            return [row[:-1] for row in rows]
        return self._ask(sql.ENTERED, asked)

    def lock_all(self) -> None:
        """Keep other controllers from leasing from any pool that there is."""
        if self._conversation.dialect == "postgresql":
            self._conversation.ask((sql.LOCK_ALL_IN_ORDER, {}), (sql.LOCK_ALL, {}))
        elif self._locks:
            self._ask(sql.LOCK_ALL, {})
            self._leave_off_if_another_is_first()

    def _leave_off_if_another_is_first(self) -> None:
        [(ahead,)] = self._ask(AHEAD, {})
        if ahead:
            raise OutOfTurnError

    # Pools and what is free in them

    def pool(self, pool: PoolName, scope: str) -> DeclaredPool | None:
        """A pool as it was last declared; None when it never was."""
        rows = self._ask(sql.DECLARED_POOL, {"the_pool": pool, "the_scope": scope})
        return DeclaredPool(*rows[0]) if rows else None

    def pools(self) -> dict[tuple[str, str], DeclaredPool]:
        """Every pool that was ever declared, by name and scope."""
        rows = (DeclaredPool(*row) for row in self._select(sql.POOLS.order_by(*POOL.primary_key)))
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
            was = before and before.declared
            events.append(Event(now, pool.name, pool.scope, None, "", DECLARED, was, pool.declared))
        self._write(sql.INSERT_POOL, new)
        self._write(sql.DECLARE, changed)
        if events:
            number = self._number_of_run(now)
            self._write(sql.INSERT_HISTORY, [(number, *event) for event in events])

    def free_ranges(self) -> dict[tuple[str, str], list[FreeRange]]:
        """Every free range, by pool and scope."""
        found = defaultdict(list)
        for row in self._select(select(FREE_RANGE)):
            found[row.pool, row.scope].append(FreeRange(row.section, row.last, row.first))
        return found

    def all_free(self, pool: Pool) -> list[FreeRange]:
        """Every free range of a pool, as they are written down."""
        key = {"the_pool": pool.name, "the_scope": pool.scope}
        return [FreeRange(*row) for row in self._ask(sql.FREE_ALL, key)]

    def what_matters(self, pool: Pool, requests: Sequence[Request]) -> tuple[list[Lease], FreeValues]:
        """What requests are decided on, whatever else a pool holds.

        Returns:
            The leases of those who ask, and of the values that they fix, by value; and, of what is free, as many of the
            lowest as there are requests, and what is at or beside the values that they fix.
        """
        if self._seen is not None and self._seen.is_all_of(pool, requests):
            return [], FreeValues(pool, self._seen.lowest)
        of_leases = sql.of_requests(pool, requests)
        fixed = [request.fixed for request in requests if request.fixed is not None]
        answers = self._conversation.ask(*of_leases, *sql.of_free(pool, requests, fixed))
        leases, free = answers[: len(of_leases)], answers[len(of_leases) :]
        return _leases(leases), FreeValues(pool, {FreeRange(*row) for rows in free for row in rows})

    def save_free(self, values: Iterable[FreeValues]) -> None:
        """Write down what became of free ranges."""
        gone, changed, new = [], [], []
        for each in values:
            changes = each.changes()
            of_pool = {"pool": each.pool.name, "scope": each.pool.scope}
            key = {f"the_{name}": each for name, each in of_pool.items()}
            gone += [key | {"the_section": row.section, "the_last": row.last} for row in changes.gone]
            changed += [
                key | {"the_section": row.section, "the_last": row.last, "new_first": row.first}
                for row in changes.moved
            ]
            new += [of_pool | row._asdict() for row in changes.new]
        self._write(sql.FREE_DELETE, gone)
        self._write(sql.FREE_UPDATE, changed)
        self._write(sql.INSERT_FREE_RANGE, new)

    # Leases

    def leases(self, pool: PoolName | None = None, scope: str | None = None) -> list[Lease]:
        """The leases of one pool in one scope, or all of them."""
        wanted = select(LEASE)
        if pool is not None:
            wanted = wanted.where(LEASE.c.pool == pool, LEASE.c.scope == scope)
        return [Lease(*row) for row in self._select(wanted.order_by(*LEASE.primary_key))]

    def leases_for(self, pool: Pool, requests: Sequence[Request]) -> list[Lease]:
        """The leases of a pool that matter for requests: what the holders have, and who has the fixed values."""
        return _leases(self._conversation.ask(*sql.of_requests(pool, requests)))

    def expire(self, now: int) -> None:
        """Free the values whose quarantine ended at `now` (Unix time, s) or before; all pools have to be locked."""
        self._free_expired(self._ask(sql.EXPIRED, {"now": now}), now)

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
                pool = declared.as_pool()
                ranges = {
                    FreeRange(*row) for rows in self._conversation.ask(*sql.of_free(pool, (), those)) for row in rows
                }
                free = FreeValues(pool, ranges)
                for value in those:
                    free.give_back(value)
                returned.append(free)
        return returned

    def leases_of(self, holder: str, pool: str, scope: str | None = None) -> list[Lease]:
        """What a holder has of pools of one name, in one scope or in all."""
        wanted = select(LEASE).where(LEASE.c.pool == pool, LEASE.c.holder == holder)
        if scope is not None:
            wanted = wanted.where(LEASE.c.scope == scope)
        return [Lease(*row) for row in self._select(wanted.order_by(*LEASE.primary_key))]

    # Placements, volumes and devices

    def placements(self) -> list[Placement]:
        """Where every domain is, or may still be."""
        wanted = select(PLACEMENT).order_by(*PLACEMENT.primary_key)
        return [Placement(*row) for row in self._select(wanted)]

    def volumes(self) -> list[Volume]:
        """Where the disk of every domain is, or may still be."""
        wanted = select(VOLUME).order_by(*VOLUME.primary_key)
        return [Volume(*row) for row in self._select(wanted)]

    def devices(self, cloud: str) -> set[tuple[str, str]]:
        """The devices (name, kind) of a cloud that may carry a lease."""
        wanted = select(DEVICE.c.name, DEVICE.c.kind).where(DEVICE.c.cloud == cloud)
        return {(name, kind) for name, kind in self._select(wanted)}

    def add_devices(self, cloud: str, devices: Iterable[tuple[str, str]]) -> None:
        """Remember devices that were not known."""
        rows = [{"cloud": cloud, "name": name, "kind": kind} for name, kind in sorted(devices)]
        self._write(sql.INSERT_DEVICE, rows)

    def forget_devices(self, cloud: str, devices: Iterable[tuple[str, str]]) -> None:
        """Forget devices that carry nothing any more."""
        rows = [{"the_cloud": cloud, "the_name": name, "the_kind": kind} for name, kind in sorted(devices)]
        self._write(sql.DELETE_DEVICE, rows)

    def all_devices(self) -> set[tuple[str, str, str]]:
        """Every device (cloud, name, kind) that may carry a lease."""
        return {(cloud, name, kind) for cloud, name, kind in self._select(select(DEVICE))}

    # Moving a whole database

    def is_empty(self) -> bool:
        """Whether nothing was ever written."""
        tables = (POOL, LEASE, PLACEMENT, VOLUME, DEVICE, RUN, HISTORY)
        return not any(self._select(select(table).limit(1)).first() for table in tables)

    def runs(self) -> list[tuple[int, int, Run]]:
        """Every run (number, Unix time in s, who)."""
        rows = self._select(select(RUN).order_by(RUN.c.id))
        return [(number, at, Run(*who)) for number, at, *who in rows]

    def history(self) -> list[tuple[int, Event]]:
        """Everything that ever happened, with the number of the run, in order."""
        rows = self._select(select(HISTORY).order_by(HISTORY.c.id))
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
        self._write(sql.INSERT_POOL, [{**pool._asdict(), "revision": 0} for pool in pools])
        self._write(sql.CHANGES[LEASE.name].insert, [sql.row_of(LEASE, lease) for lease in leases])
        self._write(sql.CHANGES[PLACEMENT.name].insert, [sql.row_of(PLACEMENT, placement) for placement in placements])
        self._write(sql.CHANGES[VOLUME.name].insert, [sql.row_of(VOLUME, volume) for volume in volumes])
        self._write(sql.INSERT_RUN, [(number, at, *who) for number, at, who in runs])
        self._write(sql.INSERT_HISTORY, [(run, *event) for run, event in history])
        if runs and self._conversation.dialect == "postgresql":
            # It counts apart from the rows, and would give numbers out again.
            self._select(
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
        for _, number, *event, operator, host, command in self._select(wanted):
            yield Recorded(number, Run(operator, host, command), Event(*event))

    def history_begins(self) -> dict[tuple[str, str], int]:
        """When something was first written down of each pool (Unix time, s), by pool and scope."""
        wanted = select(HISTORY.c.pool, HISTORY.c.scope, func.min(HISTORY.c.at))
        rows = self._select(wanted.group_by(HISTORY.c.pool, HISTORY.c.scope))
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
        if len(leases) >= _MUCH and self._conversation.dialect == "postgresql":
            self._conversation.tell(sql.COUNT_LEASES, [{}])
        changes: list[Change] = [*leases, *placements, *volumes]
        if changes:
            self._write(sql.INSERT_HISTORY, list(entries(changes, self._number_of_run(now), now)))

    def _save(self, table: Table, changes: Iterable[Change]) -> None:
        gone, changed, new = [], [], []
        for before, after in changes:
            if after is None:
                gone.append(sql.row_of(table, before))
            elif before is None:
                new.append(sql.row_of(table, after))
            else:
                changed.append(sql.row_of(table, after))
        statements = sql.CHANGES[table.name]
        self._write(statements.delete, [statements.key(row) for row in gone])
        self._write(statements.update, [statements.key(row) | statements.rest(row) for row in changed])
        self._write(statements.insert, new)

    def _number_of_run(self, now: int) -> int:
        """The number of this run, which is written down with the first change that it makes."""
        run, number = self.run
        if number is None:
            inserted = self._conversation.aside().execute(insert(RUN), {"at": now, **run._asdict()})
            number = int(inserted.inserted_primary_key[0])  # type: ignore[index]
            self.run = (run, number)
        return number

    def _ask(self, statement: Statement, parameters: Parameters) -> list[Row]:
        [rows] = self._conversation.ask((statement, parameters))
        return rows

    def _select(self, statement: Select[*tuple[Any, ...]]) -> CursorResult[*tuple[Any, ...]]:
        return self._conversation.aside().execute(statement)

    def _write(self, statement: Statement, rows: Sequence[Parameters] | Sequence[Row]) -> None:
        if rows:
            self.changed = True
            self._seen = None
            self._conversation.tell(statement, rows)


class _Seen(NamedTuple):
    """That a holder has nothing of a pool, and the lowest free range of what is dedicated to nobody."""

    pool: PoolName
    scope: str
    holder: str
    lowest: list[FreeRange]

    def is_all_of(self, pool: Pool, requests: Sequence[Request]) -> bool:
        """Whether no more than this matters for requests."""
        if len(requests) != 1 or (self.pool, self.scope) != (pool.name, pool.scope):
            return False
        [request] = requests
        sections = [section for section in request.sections if section in pool.sections]
        return request.holder == self.holder and request.fixed is None and sections == [SHARED]


def _leases(answers: Iterable[Iterable[Row]]) -> list[Lease]:
    """The leases that were found, each once, by value."""
    return sorted({Lease(*row) for rows in answers for row in rows}, key=_by_value)


def _by_value(lease: Lease) -> int:
    return lease.value
