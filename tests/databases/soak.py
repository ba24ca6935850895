"""`make soak`: many controllers reserve and release at once, and are killed, and so are their servers, for a long time.

    python -m tests.databases.soak [--operations 1000] [--processes 32] [--kills 48]
                                   [--databases sqlite mariadb postgresql galera]

In the end, nothing is doubled, lost or leaked: what is leased, what is free and what history tells agree, and whoever
was not killed has seen each of its holders keep its value until it gave it up.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from podwright.report import console, say
from tests.databases.galera import GaleraCluster
from tests.databases.servers import MariaDb, PostgreSql
from tests.databases.workers import Workers, audit, declare

DATABASES = ("sqlite", "mariadb", "postgresql", "galera")
RESTARTS = 3
HOUR_S = 3600.0


class Soaked(NamedTuple):
    """What was done to a database, with nothing doubled, lost or leaked."""

    operations: int
    killed: int
    restarts: int
    leases: int
    """in the end"""
    volumes: int
    """in the end"""
    seconds: float


def main() -> None:
    """Soak every database that is named, or all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--operations", type=int, default=1000, help="of each process")
    parser.add_argument("--processes", type=int, default=32)
    parser.add_argument("--kills", type=int, default=48, help="of processes")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES)
    wanted = parser.parse_args()
    table = Table(title="Soaked: 0 doubled, 0 lost, 0 leaked", title_justify="left")
    for column in ("Database", "Operations", "Workers killed", "Servers restarted", "Leases", "Volumes", "Seconds"):
        table.add_column(column, justify="left" if column == "Database" else "right")
    for name in wanted.databases:
        say(f"{name}: {wanted.processes} processes do {wanted.operations:,} operations each")
        with _served(name) as (urls, restart):
            soaked = soak(urls, restart, wanted.processes, wanted.operations, wanted.kills, RESTARTS)
        table.add_row(name, *(f"{figure:,.0f}" for figure in soaked))
    console.print(table)


def soak(
    urls: Sequence[str],
    restart: Callable[[int], None] | None,
    processes: int,
    operations: int,
    kills: int,
    restarts: int = 0,
) -> Soaked:
    """Have processes work, and kill them and their server at random moments, evenly over what there is to do.

    Args:
        urls: the database, or the nodes of one.
        restart: kills a server and starts it again, given how often that was done before.
        processes: how many work at once.
        operations: how many each of them does.
        kills: how many processes are killed; another one does what is left for each.
        restarts: how many times the server is.

    Raises:
        AssertionError: something was doubled, lost or leaked, or somebody gave up.
    """
    choose = random.Random(operations)  # noqa: S311 (repeatable)
    declare(urls[0])
    began = time.monotonic()
    restarted = 0
    with Workers(urls, processes, operations) as workers:
        while workers.at_work:
            share = workers.done / (processes * operations)
            if workers.killed < kills and share * (kills + 1) > workers.killed + choose.random():
                workers.kill(choose.choice(workers.at_work))
            elif restart is not None and restarted < restarts and share * (restarts + 1) > restarted + 1:
                restart(restarted)
                restarted += 1
                audit(urls[0])
            else:
                time.sleep(0.05)
        exit_codes = workers.wait(HOUR_S)
        done, killed = workers.done, workers.killed
    assert exit_codes == [0] * processes, exit_codes
    seconds = time.monotonic() - began
    leases, volumes = audit(urls[0])
    return Soaked(done, killed, restarted, len(leases), len(volumes), seconds)


@contextmanager
def _served(name: str) -> Iterator[tuple[Sequence[str], Callable[[int], None] | None]]:
    """URLs of a new database, and what restarts its server."""
    if name == "sqlite":
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".soak-") as directory:
            yield [f"sqlite:///{directory}/leases.db"], None
    elif name == "galera":
        with GaleraCluster() as cluster:

            def restart_node(number: int) -> None:
                node = cluster.nodes[number % len(cluster.nodes)]
                node.kill()
                node.start()

            yield cluster.new_database(), restart_node
    else:
        with MariaDb() if name == "mariadb" else PostgreSql() as server:

            def restart(_: int) -> None:
                server.kill()
                server.start()

            yield [server.new_database()], restart


if __name__ == "__main__":
    main()
