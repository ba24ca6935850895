"""Controllers as processes of their own, which reserve and release at random until they are told to stop, or killed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

from podwright.allocation.database import Database
from podwright.allocation.free import free_values
from podwright.allocation.grant import Lease, Request
from podwright.allocation.history import Run
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.repository import Repository
from podwright.allocation.single_pool import give_up, opened, reserve
from podwright.errors import AllocationError

PURPOSE = "guest_network"
POOLS = [Pool("guest_vlan", f"east/p{number}", {SHARED: (range(1, 4095),)}, "ranges") for number in range(3)]
HOLDERS = 40  # of each worker, in each pool

# Not "fork": a child must not share what its parent has open, as a controller on another machine does not.
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def work(urls: Sequence[str], number: int, seed: int, operations: int) -> None:
    """Reserve and release for holders of one's own, and see that each gets what it had and nobody else has it.

    A database that does not answer is left for the next of `urls`.
    """
    choose = random.Random(seed)  # noqa: S311 (repeatable)
    urls = [*urls[number % len(urls) :], *urls[: number % len(urls)]]
    for operation in range(operations):
        pool = choose.choice(POOLS)
        holders = [f"w{number}-{choose.randrange(HOLDERS)}/default" for _ in range(choose.choice((1, 1, 1, 5)))]
        release = choose.random() < 0.4
        for _ in urls:
            try:
                _operate(urls[0], number, pool, holders, release)
                break
            except AllocationError as error:
                refusal = error
                urls.append(urls.pop(0))
        else:
            raise AssertionError(f"operation {operation}: none of {len(urls)} databases answers") from refusal


_opened: dict[str, Database] = {}


def _operate(url: str, number: int, pool: Pool, holders: Sequence[str], release: bool) -> None:
    database = _opened.setdefault(url, Database(url, Run(f"worker {number}", "test", "test")))
    now = int(time.time())
    if release:
        database.write(
            lambda repository: give_up(repository, opened(repository, pool, now), holders, PURPOSE, now, now)
        )
        return
    requests = [Request(holder, PURPOSE) for holder in holders]
    granted = database.write(lambda repository: reserve(repository, opened(repository, pool, now), requests, None, now))
    assert {holder for holder, _ in granted.leases} == set(holders)


@contextmanager
def working(urls: Sequence[str], workers: int, operations: int) -> Iterator[list[BaseProcess]]:
    """Workers that run while the block does, and after it to their end; all are gone afterwards, whatever happens."""
    processes: list[BaseProcess] = [
        _CONTEXT.Process(target=work, args=(list(urls), number, number, operations), daemon=True)
        for number in range(workers)
    ]
    try:
        for process in processes:
            process.start()
        yield processes
        for process in processes:
            process.join(timeout=300)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()


def kill_some(processes: Sequence[BaseProcess], count: int, within_s: float) -> int:
    """Kill -9 workers at random moments; how many were still at work."""
    choose = random.Random(count)  # noqa: S311 (repeatable)
    killed = 0
    for process in choose.sample(list(processes), count):
        time.sleep(choose.random() * within_s / count)
        if process.is_alive() and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
    return killed


def declare(url: str) -> None:
    """Declare all pools, so that an audit can lock them while workers work."""
    with Database(url) as database:
        for pool in POOLS:
            database.write(lambda repository, pool=pool: opened(repository, pool, 0))  # type: ignore[misc]


def audit(url: str) -> list[Lease]:
    """Every lease, once none is doubled, lost or leaked: what is leased, what is free and what history tells agree."""
    with Database(url) as database:
        return database.preview(_audited)


def _audited(repository: Repository) -> list[Lease]:
    repository.lock_all()  # all of one moment
    leases = repository.leases()
    assert len({(lease.scope, lease.value) for lease in leases}) == len(leases)
    assert len({(lease.scope, lease.holder) for lease in leases}) == len(leases)
    for pool in POOLS:
        inside = [lease.value for lease in leases if lease.scope == pool.scope]
        assert sorted(repository.all_free(pool)) == sorted(free_values(pool, inside))
    told: dict[tuple[str, int | None, str], str | None] = {}
    for _, event in repository.history():
        if event.value is not None:
            key = (event.scope, event.value, event.holder)
            assert told.get(key) == event.before, f"{event} does not follow from {told.get(key)}"
            told[key] = event.after
    present = {(lease.scope, lease.value, lease.holder): lease.state for lease in leases}
    assert {key: state for key, state in told.items() if state is not None} == present
    return leases
