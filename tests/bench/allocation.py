"""`make bench`: leases a second, one by one and in bulk, beside what databases and other ways of allocating can do.

Every figure is of one run on one machine, so that only those of one run compare:

- bare: the database's own rate, a row with the columns of a lease inserted and committed, by its driver alone;
- NetBox's way: the first free prefix is what is left of the parent when all of its children are taken from it
  (`GetAvailablePrefixesMixin` in netbox/ipam/models/ip.py), with netaddr;
- CloudStack's way: a row for every value, a random free one of which is locked and marked in a transaction
  (`DataCenterVnetDaoImpl.takeVnet` and `lockOneRandomRow`);
- a scan: all taken addresses are read, and the first that is not among them is found with `ipaddress`.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import netaddr
from rich.table import Table
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import Engine

from podwright.allocation.database import Database
from podwright.allocation.grant import Request
from podwright.allocation.pools import KINDS, SHARED, Pool
from podwright.allocation.single_pool import opened, reserve
from podwright.report import console, say
from tests.databases.servers import MariaDb, PostgreSql

POOL = Pool("mac", "bench", {SHARED: (KINDS["mac"].values,)}, "bench")
HELD = (0, 10_000, 1_000_000)
BATCH = 100_000
BULK = 50_000
ONE_BY_ONE_S = 3.0
OTHERS_HELD = 10_000


@dataclass(frozen=True)
class Rates:
    """Leases a second on one database; {held: rate}."""

    database: str
    bare: float
    one_by_one: dict[int, float]
    bulk: dict[int, float]
    others: dict[str, float]


def main() -> None:
    """Measure every database that is named, or all of them."""
    wanted = sys.argv[1:] or ["sqlite", "mariadb", "postgresql"]
    rates = [_measure(name, *urls) for name in wanted for urls in _databases(name)]
    console.print(_table(rates))
    console.print(_others_table(rates))


def _databases(name: str) -> Iterator[tuple[str, str]]:
    """(URL of an empty database, URL of another one)"""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # a disk: /tmp may be memory
            yield f"sqlite:///{directory}/leases.db", f"sqlite:///{directory}/other.db"
    else:
        with MariaDb() if name == "mariadb" else PostgreSql() as server:
            yield server.new_database(), server.new_database()


def _measure(name: str, url: str, other: str) -> Rates:
    one_by_one, bulk = {}, {}
    with Database(url) as database:
        held = 0
        for wanted in HELD:
            while held < wanted:
                count = min(BATCH, wanted - held)
                _reserve(database, "held", held, count)
                held += count
            say(f"{name}: {held:,} leases are held")
            one_by_one[wanted] = _rate(lambda number, wanted=wanted: _reserve(database, f"one-{wanted}", number, 1))  # type: ignore[misc]
            started = time.perf_counter()
            _reserve(database, f"bulk-{wanted}", 0, BULK)
            bulk[wanted] = BULK / (time.perf_counter() - started)
    with _connected(other) as connection:
        bare = _rate(_bare(connection))
        others = {what: _rate(way(connection)) for what, way in _WAYS.items()}
    return Rates(name, bare, one_by_one, bulk, others)


def _reserve(database: Database, holders: str, first: int, count: int) -> None:
    requests = [Request(f"{holders}-{number:07}", "eth0") for number in range(first, first + count)]
    database.write(lambda repository: reserve(repository, opened(repository, POOL, 0), requests, None, 0))


def _rate(once: Callable[[int], object]) -> float:
    """How often a second something can be done."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() < started + ONE_BY_ONE_S:
        once(count)
        count += 1
    return count / (time.perf_counter() - started)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        _as_podwright_has_it(engine)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _as_podwright_has_it(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connect(driver: sqlite3.Connection, _: object) -> None:
        driver.isolation_level = None
        driver.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


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
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    insert = f"INSERT INTO bare VALUES ({', '.join([mark] * 10)})"  # noqa: S608 (marks)
    cursor = driver.cursor()

    def once(number: int) -> None:
        if connection.dialect.name == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(insert, ("mac", "bench", number, f"one-{number}", "eth0", None, 0, "held", None, 0))
        driver.commit()

    return once


def _netbox(connection: Connection) -> Callable[[int], object]:
    """With 10,000 /24 children of a /8 that are held already."""
    connection.execute(text("CREATE TABLE prefix (prefix VARCHAR(18) PRIMARY KEY, description VARCHAR(191))"))
    children = list(netaddr.IPNetwork("10.0.0.0/8").subnet(24, count=OTHERS_HELD))
    _insert(connection, "prefix (prefix, description)", [{"a": str(child), "b": ""} for child in children])
    parent = netaddr.IPSet(["10.0.0.0/8"])

    def once(number: int) -> None:
        taken = [prefix for (prefix,) in connection.execute(text("SELECT prefix FROM prefix"))]
        available = parent - netaddr.IPSet(taken)
        first = next(next(iter(available.iter_cidrs())).subnet(24))
        _insert(connection, "prefix (prefix, description)", [{"a": str(first), "b": str(number)}])

    return once


def _cloudstack(connection: Connection) -> Callable[[int], object]:
    """With 10,000 rows that are free."""
    connection.execute(text("CREATE TABLE vnet (id INTEGER PRIMARY KEY, taken VARCHAR(191))"))
    _insert(connection, "vnet (id, taken)", [{"a": number, "b": None} for number in range(OTHERS_HELD)])
    chance = "RAND()" if connection.dialect.name == "mysql" else "RANDOM()"
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
    free = text(f"SELECT id FROM vnet WHERE taken IS NULL ORDER BY {chance} LIMIT 1{lock}")  # noqa: S608 (constants)

    def once(number: int) -> None:
        chosen = connection.execute(free).scalar_one()
        connection.execute(text("UPDATE vnet SET taken = :a WHERE id = :b"), {"a": f"holder-{number}", "b": chosen})
        connection.commit()

    return once


def _scan(connection: Connection) -> Callable[[int], object]:
    """With 10,000 addresses of a /8 that are held already."""
    connection.execute(text("CREATE TABLE address (address VARCHAR(15) PRIMARY KEY, holder VARCHAR(191))"))
    network = IPv4Network("10.0.0.0/8")
    held = [{"a": str(network[number + 1]), "b": ""} for number in range(OTHERS_HELD)]
    _insert(connection, "address (address, holder)", held)

    def once(number: int) -> None:
        taken = {address for (address,) in connection.execute(text("SELECT address FROM address"))}
        first = next(address for address in map(str, network.hosts()) if address not in taken)
        _insert(connection, "address (address, holder)", [{"a": first, "b": str(number)}])

    return once


_WAYS = {"NetBox's way": _netbox, "CloudStack's way": _cloudstack, "ipaddress scan": _scan}


def _insert(connection: Connection, columns: str, rows: list[dict[str, Any]]) -> None:
    connection.execute(text(f"INSERT INTO {columns} VALUES (:a, :b)"), rows)  # noqa: S608 (constants)
    connection.commit()


def _table(rates: list[Rates]) -> Table:
    table = Table(title="Leases a second", title_justify="left")
    for column in ("Database", "Held", "One by one", "of bare", "of empty", "In bulk"):
        table.add_column(column, justify="left" if column == "Database" else "right")
    for rate in rates:
        for held in HELD:
            one = rate.one_by_one[held]
            ratios = (f"{one / rate.bare:.2f}", f"{one / rate.one_by_one[0]:.2f}")
            table.add_row(rate.database, f"{held:,}", f"{one:,.0f}", *ratios, f"{rate.bulk[held]:,.0f}")
        table.add_row(rate.database, "bare", f"{rate.bare:,.0f}", "1.00", "", "")
    return table


def _others_table(rates: list[Rates]) -> Table:
    table = Table(title=f"Other ways, one by one, with {OTHERS_HELD:,} held or free", title_justify="left")
    for column in ("Database", "Way", "a second", "podwright is faster by"):
        table.add_column(column, justify="left" if column in ("Database", "Way") else "right")
    for rate in rates:
        for what, other in rate.others.items():
            table.add_row(rate.database, what, f"{other:,.0f}", f"{rate.one_by_one[OTHERS_HELD] / other:,.0f}")
    return table


if __name__ == "__main__":
    main()
