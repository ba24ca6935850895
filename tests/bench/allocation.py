"""`make bench`: what a lease costs, beside the database's own insert and commit and beside other ways of allocating.

    python -m tests.bench.allocation [sqlite] [mariadb] [postgresql]

All that is compared takes turns in one run (see `rounds`), so ratios hold on a busy machine, where rates do not.
*Bare* is a row with the columns, the primary key and the unique key of a lease, inserted and committed by the same
driver, on the same server or disk and as durably. The goals are those of docs/allocation.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, create_engine, event, text

from podwright.allocation.database import Database
from podwright.allocation.grant import Request
from podwright.allocation.pools import KINDS, SHARED, Pool
from podwright.allocation.single_pool import opened, reserve
from podwright.report import say
from tests.bench.other_ways import WAYS
from tests.bench.rounds import Measured, Side, take_turns
from tests.bench.tasks import cpu_of_many_accounts
from tests.databases.servers import MariaDb, PostgreSql

HELD = (0, 10_000, 1_000_000)
# Of a million, NetBox's way and a scan read all for each value, which takes minutes and tells nothing new.
HELD_BY_OTHERS = (0, 10_000)
BATCH = 100_000
BULK = 20_000
TURNS = 15
WIDTH = 100  # also where the output is no screen
AT_MOST_S = 30.0  # for what takes turns, so that all of it takes some ten minutes

AT_MOST_BARES = 2.0
AT_MOST_EMPTIES = 1.5
AT_LEAST_BULK = 50_000
AT_LEAST_NETBOXES = 20.0
AT_MOST_TASK_MS = 50.0


class Line(NamedTuple):
    """A figure, as it is told."""

    what: str
    held: str
    rate: str = ""
    cpu_us: str = ""
    ratio: str = ""
    goal: str = ""
    met: bool | None = None


def main() -> None:
    """Measure every database that is named, or all of them."""
    began = time.monotonic()
    missed = 0
    for name in sys.argv[1:] or ["sqlite", "mariadb", "postgresql"]:
        with _new_databases(name) as new_database:
            for what, lines in _parts(name, new_database):
                missed += sum(line.met is False for line in lines)
                Console(width=WIDTH).print(_table(f"{name}: {what}", lines))
    say(f"{datetime.now(UTC):%Y-%m-%d}: it took {time.monotonic() - began:.0f} s; {missed or 'no'} goals were missed")


@contextmanager
def _new_databases(name: str) -> Iterator[Callable[[], str]]:
    """Gives URLs of empty databases."""
    with ExitStack() as stack:
        if name == "sqlite":
            # A disk: /tmp may be memory.
            directory = stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-"))
            numbers = iter(range(1000))
            yield lambda: f"sqlite:///{directory}/{next(numbers)}.db"
        else:
            yield stack.enter_context(MariaDb() if name == "mariadb" else PostgreSql()).new_database


def _parts(name: str, new_database: Callable[[], str]) -> Iterator[tuple[str, list[Line]]]:
    """What is measured, and what came of it, each when it is known."""
    with ExitStack() as stack:
        held = {count: stack.enter_context(_Held(new_database(), count, name)) for count in HELD}
        bare = Side(_bare(stack.enter_context(_connected(new_database()))), times=40)
        yield "one lease", list(_one_by_one_lines(held, bare))
        yield "many leases in one transaction", list(_bulk_lines(name, held))
        for count in HELD_BY_OTHERS:
            others = stack.enter_context(_connected(new_database()))
            yield f"other ways, with {count:,} held", list(_other_lines(count, held[count], others))
    more_ms = cpu_of_many_accounts(new_database()) * 1000
    goal = f"<= {AT_MOST_TASK_MS:.0f} ms"
    met = more_ms <= AT_MOST_TASK_MS
    yield "a task", [Line("vlan_allocation, 100 accounts", "", "", "", f"{more_ms:.0f} ms CPU over 1", goal, met)]


class _Held:
    """A database in which so many leases are held."""

    def __init__(self, url: str, count: int, name: str) -> None:
        self._database = Database(url)
        self._names = iter(range(1_000_000_000))
        for first in range(0, count, BATCH):
            self.reserve(min(BATCH, count - first))
        say(f"{name}: {count:,} leases are held")

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def reserve(self, count: int, scope: str = "bench") -> None:
        """Have so many new holders get a lease in one transaction."""
        pool = Pool("mac", scope, {SHARED: (KINDS["mac"].values,)}, "bench")
        holders = [f"holder-{next(self._names):09}" for _ in range(count)]
        requests = [Request(holder, "eth0") for holder in holders]
        self._database.write(
            lambda repository: reserve(repository, opened(repository, pool, 0, holders), requests, None, 0)
        )

    def reserve_one(self, _: int) -> None:
        """Have one more, for a `Side`."""
        self.reserve(1)


def _one_by_one_lines(held: dict[int, _Held], bare: Side) -> Iterator[Line]:
    sides = {}
    for count, its in held.items():
        sides[f"bare {count}"] = bare
        sides[f"one {count}"] = Side(its.reserve_one, times=40)
    measured = take_turns(sides, TURNS, AT_MOST_S)
    yield _line("bare insert, commit", "", measured["bare 0"])
    for count in held:
        one = measured[f"one {count}"]
        bares, cpu = (one.slower_than(measured[f"bare {count}"]), one.cpu_slower_than(measured[f"bare {count}"]))
        words = f"{bares:.2f} x bare ({cpu:.1f} x CPU)"
        yield _line("one by one", f"{count:,}", one, words, f"<= {AT_MOST_BARES:.0f} x", bares <= AT_MOST_BARES)
    most = max(HELD)
    growth = measured[f"one {most}"].slower_than(measured["one 0"])
    goal = f"<= {AT_MOST_EMPTIES} x"
    yield Line("the same", f"{most:,}", "", "", f"{growth:.2f} x the one of 0", goal, growth <= AT_MOST_EMPTIES)


def _bulk_lines(name: str, held: dict[int, _Held]) -> Iterator[Line]:
    sides = {str(count): Side(partial(_reserve_in_bulk, its, count), units=BULK) for count, its in held.items()}
    measured = take_turns(sides, 5, AT_MOST_S)
    for count in held:
        its = measured[str(count)]
        if name == "sqlite":
            yield _line("in bulk", f"{count:,}", its, "", f">= {AT_LEAST_BULK:,}/s", its.rate >= AT_LEAST_BULK)
        else:
            yield _line("in bulk", f"{count:,}", its)


def _reserve_in_bulk(its: _Held, held: int, number: int) -> None:
    """Where 0 are to be held, each bulk is of a pool of its own: after the first, one would not be empty any more."""
    its.reserve(BULK, f"bulk-{number}" if held == 0 else "bench")


def _other_lines(held: int, its: _Held, connection: Connection) -> Iterator[Line]:
    sides = {"podwright": Side(its.reserve_one, times=20)}
    sides |= {what: Side(way(connection, held), times=2) for what, way in WAYS.items()}
    measured = take_turns(sides, 5, AT_MOST_S)
    for what in WAYS:
        times = measured[what].slower_than(measured["podwright"])
        goal = what == "NetBox's way" and held == 10_000
        yield _line(
            what,
            f"{held:,}",
            measured[what],
            f"podwright {times:,.1f} x faster",
            f">= {AT_LEAST_NETBOXES:.0f} x" if goal else "",
            times >= AT_LEAST_NETBOXES if goal else None,
        )


def _line(what: str, held: str, measured: Measured, ratio: str = "", goal: str = "", met: bool | None = None) -> Line:
    return Line(
        what, held, f"{measured.rate:,.{0 if measured.rate > 10 else 2}f}", f"{measured.cpu_us:,.0f}", ratio, goal, met
    )


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _as_podwright_has_it)
        event.listen(engine, "begin", lambda connection: connection.connection.execute("BEGIN IMMEDIATE"))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _as_podwright_has_it(driver: Any, _: object) -> None:
    driver.isolation_level = None
    driver.execute("PRAGMA journal_mode = WAL")


def _bare(connection: Connection) -> Callable[[int], object]:
    """A lease's row and nothing else, by the driver alone."""
    connection.execute(
        text(
            "CREATE TABLE bare (pool VARCHAR(32), scope VARCHAR(191), value BIGINT, holder VARCHAR(191), "
            "purpose VARCHAR(64), cloud VARCHAR(63), since BIGINT, state VARCHAR(16), until BIGINT, superseded BIGINT, "
            "PRIMARY KEY (pool, scope, value), UNIQUE (pool, scope, holder, purpose, superseded))"
        )
    )
    connection.commit()
    driver: Any = connection.connection.driver_connection
    is_sqlite = connection.dialect.name == "sqlite"
    insert = f"INSERT INTO bare VALUES ({', '.join(['?' if is_sqlite else '%s'] * 10)})"  # noqa: S608 (marks)
    cursor = driver.cursor()
    numbers = iter(range(1_000_000_000))

    def once(_: int) -> None:
        number = next(numbers)
        if is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(insert, ("mac", "bench", number, f"holder-{number:09}", "eth0", None, 0, "held", None, 0))
        driver.commit()

    return once


def _table(title: str, lines: list[Line]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("What", no_wrap=True)
    for column in ("Held", "Leases/s", "CPU µs"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("Compared", "Goal", "Met"):
        table.add_column(column, no_wrap=True)
    for *cells, met in lines:
        table.add_row(*(str(cell) for cell in cells), {None: "", True: "[green]yes", False: "[red]no"}[met])
    return table


if __name__ == "__main__":
    main()
