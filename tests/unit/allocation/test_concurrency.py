"""Controllers that share a database, and controllers that die: each is a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from sqlalchemy import event
from sqlalchemy.engine import Engine

from podwright.allocation import allocate
from podwright.allocation.database import Database
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.single_pool import ask
from tests.unit.allocation.declaration import NOW, account, cloud, leases, records

FORK = get_context("fork")
PROCESSES = 4
ROUNDS = 15
ACCOUNTS = {name: account("web1", "web2", anti_affinity="web") for name in ("acme", "globex", "initech")}


def test_controllers_at_once_never_double_or_lose_a_value(tmp_path: Path) -> None:
    database = tmp_path / "leases.db"

    def work(number: int) -> None:
        pool = Pool("guest_vlan", "east/p1", {SHARED: (range(101, 1000),)}, "ranges")
        for round_ in range(ROUNDS):
            accounts = [f"a{number}-{round_}-{each}" for each in range(5)]
            _ask(database, accounts, "present", pool)
            _ask(database, accounts[:2], "absent", pool)

    exit_codes = _together([lambda number=number: work(number) for number in range(PROCESSES)])  # type: ignore[misc]

    assert exit_codes == [0] * PROCESSES
    found = leases(database)
    held = [lease for lease in found if lease.state == "held"]
    assert len({lease.value for lease in found}) == len(found)
    assert len(held) == PROCESSES * ROUNDS * 3
    assert {lease.holder for lease in found if lease.state == "held"} == {
        f"a{number}-{round_}-{each}/default"
        for number in range(PROCESSES)
        for round_ in range(ROUNDS)
        for each in (2, 3, 4)
    }


def test_controllers_that_make_the_database_at_once_wait_for_each_other(tmp_path: Path) -> None:
    start = FORK.Barrier(PROCESSES)

    def work() -> None:
        for round_ in range(200):
            start.wait(timeout=20)
            with Database(tmp_path / f"{round_}.db") as database:
                database.write(lambda repository: repository.leases())

    assert _together([work] * PROCESSES) == [0] * PROCESSES


def test_two_runs_of_one_cloud_at_once_get_the_same(tmp_path: Path) -> None:
    declared = cloud(tmp_path / "shared", ACCOUNTS)

    def work() -> None:
        allocate(declared, preview=False, now=NOW)

    assert _together([work, work, work]) == [0, 0, 0]
    alone = allocate(cloud(tmp_path / "alone", ACCOUNTS), preview=False, now=NOW)
    shared = allocate(declared, preview=False, now=NOW)
    assert not shared.changed
    assert shared.leases == alone.leases


def test_killed_anywhere_a_run_leaves_all_or_nothing_and_the_next_one_completes_it(tmp_path: Path) -> None:
    wanted = allocate(cloud(tmp_path / "whole", ACCOUNTS), preview=True, now=NOW).leases
    whole = allocate(cloud(tmp_path / "whole", ACCOUNTS), preview=False, now=NOW)
    number_of_leases = len(whole.lease_changes) + len(whole.placement_changes) + len(whole.volume_changes)
    kills = 0
    while True:
        declared = cloud(tmp_path / str(kills), ACCOUNTS)

        def die_after(statements: int = kills) -> None:
            killer = _Killer(statements)
            event.listen(Engine, "connect", lambda connection, _: connection.set_trace_callback(killer))
            allocate(declared, preview=False, now=NOW)  # noqa: B023 (it runs before the next round)

        [exit_code] = _together([die_after])
        left = len(records(declared))
        assert left == (number_of_leases if exit_code == 0 else 0)
        assert allocate(declared, preview=False, now=NOW).leases == wanted
        if exit_code == 0:
            break
        assert exit_code == -signal.SIGKILL
        kills += 1
    assert kills > number_of_leases  # each lease is written by itself, and is written into the history


class _Killer:
    """Kills its own process with SIGKILL where SQLite begins the statement after the first `statements`."""

    def __init__(self, statements: int) -> None:
        self.left = statements

    def __call__(self, *_: object) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def _ask(database: Path, accounts: list[str], state: Literal["present", "absent"], pool: Pool) -> None:
    holders = [f"{account}/default" for account in accounts]
    with Database(database) as opened:
        ask(opened, pool, holders, purpose="guest_network", state=state, fixed={}, quarantine_hours=0, preview=False)


def _together(jobs: list[Callable[[], None]]) -> list[int | None]:
    """Run each job in its own process, all at once; their exit codes."""
    processes = [FORK.Process(target=job) for job in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]
