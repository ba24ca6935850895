"""Controllers as processes of their own, which reserve and release at random until they are told to stop, or killed."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, MutableSequence, Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import NamedTuple

from podwright.allocation.database import Database
from podwright.allocation.free import free_values
from podwright.allocation.grant import Lease, Request
from podwright.allocation.history import Run
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.repository import Repository
from podwright.allocation.single_pool import give_up, opened, reserve
from podwright.allocation.volumes import Volume
from podwright.errors import AllocationError, DatabaseError
from tests.databases import disks

PURPOSE = "guest_network"
POOLS = [Pool("guest_vlan", f"east/p{number}", {SHARED: (range(1, 4095),)}, "ranges") for number in range(3)]
HOLDERS = 40  # of each worker, in each pool
DOMAINS = 6  # of each worker, in each pod
DISKS = 0.15  # the share of operations that are for disks
ANSWERS_WITHIN_S = 90.0

# Not "fork": a child must not share what its parent has open, as a controller on another machine does not.
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["__main__", __name__])


def work(urls: Sequence[str], number: int, seed: int, done: MutableSequence[int], operations: int) -> None:
    """Reserve and release leases and disks of one's own, and see that each holder keeps its until it gives it up.

    A database that does not answer is left for the next of `urls`.

    Args:
        urls: the databases, or the nodes of one.
        number: which worker this is.
        seed: what it does follows from this.
        done: how many operations each worker has done, also before it was killed and another took its place.
        operations: how many it does.
    """
    choose = random.Random(seed)  # noqa: S311 (repeatable)
    urls = [*urls[number % len(urls) :], *urls[: number % len(urls)]]
    had: dict[tuple[str, str], int] = {}
    stored: dict[tuple[str, str], str] = {}
    _await_answer(urls, number)
    while done[number] < operations:
        pool = choose.choice(POOLS)
        release = choose.random() < 0.4
        if choose.random() < DISKS:
            key = (pool.scope, f"w{number}-{choose.randrange(DOMAINS)}")
            _anywhere(urls, lambda url: _operate_disk(_database(url, number), key, stored, release))  # noqa: B023
        else:
            holders = [f"w{number}-{choose.randrange(HOLDERS)}/default" for _ in range(choose.choice((1, 1, 1, 5)))]
            _anywhere(urls, lambda url: _operate(_database(url, number), pool, holders, had, release))  # noqa: B023
        done[number] += 1
    for pool in POOLS:
        holders = [holder for scope, holder in had if scope == pool.scope]
        _anywhere(urls, lambda url: _operate(_database(url, number), pool, holders, had, False))  # noqa: B023
    for key in stored:
        _anywhere(urls, lambda url: _operate_disk(_database(url, number), key, stored, False))  # noqa: B023


def _await_answer(urls: Sequence[str], number: int) -> None:
    """Reach a database, which may be about to start again: whoever never reached his gives up at once."""
    end = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        for url in urls:
            try:
                return _database(url, number).read(lambda _: None, needed=False)
            except DatabaseError:
                if time.monotonic() > end:
                    raise
        time.sleep(0.1)


def _anywhere(urls: list[str], operate: Callable[[str], None]) -> None:
    for _ in urls:
        try:
            return operate(urls[0])
        except AllocationError as error:
            refusal = error
            urls.append(urls.pop(0))
    raise AssertionError(f"none of {len(urls)} databases answers") from refusal


_opened: dict[str, Database] = {}


def _database(url: str, number: int) -> Database:
    return _opened.setdefault(url, Database(url, Run(f"worker {number}", "test", "test")))


def _operate(
    database: Database, pool: Pool, holders: Sequence[str], had: dict[tuple[str, str], int], release: bool
) -> None:
    now = int(time.time())
    if release:
        for holder in holders:
            had.pop((pool.scope, holder), None)
        database.write(
            lambda repository: give_up(repository, opened(repository, pool, now, holders), holders, PURPOSE, now, now)
        )
        return
    requests = [Request(holder, PURPOSE) for holder in holders]
    granted = database.write(
        lambda repository: reserve(repository, opened(repository, pool, now, holders), requests, None, now)
    )
    assert {holder for holder, _ in granted.leases} == set(holders)
    for lease in granted.leases.values():
        assert had.setdefault((pool.scope, lease.holder), lease.value) == lease.value


def _operate_disk(database: Database, key: tuple[str, str], stored: dict[tuple[str, str], str], release: bool) -> None:
    now = int(time.time())
    if release:
        stored.pop(key, None)
        return database.write(lambda repository: disks.leave(repository, *key, now))
    server = database.write(lambda repository: disks.want(repository, *key, now))
    if server is None:
        assert key not in stored, f"{key} lost its disk"
    else:
        assert stored.setdefault(key, server) == server
    return None


class Workers:
    """Workers, of which any may be killed and followed by another; all are gone at the end, whatever happens."""

    def __init__(self, urls: Sequence[str], count: int, operations: int) -> None:
        self.processes: list[BaseProcess] = []
        self.killed = 0
        self._urls = list(urls)
        self._operations = operations
        self._done = _CONTEXT.RawArray("l", count)  # without a lock, which one that is killed would keep
        self._count = count

    def __enter__(self) -> Workers:
        self.processes = [self._start(number) for number in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.is_alive():
                process.kill()
                process.join()

    @property
    def done(self) -> int:
        """How many operations were done."""
        return sum(self._done)

    @property
    def at_work(self) -> list[int]:
        """The workers that have not come to an end."""
        return [number for number, process in enumerate(self.processes) if process.is_alive()]

    def kill(self, number: int) -> None:
        """Kill -9 a worker, if it is still at work, and have another do what is left for it to do."""
        process = self.processes[number]
        process.kill()
        process.join()
        if process.exitcode == -signal.SIGKILL:
            self.killed += 1
            self.processes[number] = self._start(number)

    def wait(self, within_s: float) -> list[int | None]:
        """Their exit codes, once they have ended."""
        ends = time.monotonic() + within_s
        for process in self.processes:
            process.join(max(0.0, ends - time.monotonic()))
        return [process.exitcode for process in self.processes]

    def _start(self, number: int) -> BaseProcess:
        seed = number + self._count * self.killed
        process = _CONTEXT.Process(
            target=work, args=(self._urls, number, seed, self._done, self._operations), daemon=True
        )
        process.start()
        return process


def declare(url: str) -> None:
    """Declare all pools, so that an audit can lock them while workers work."""
    with Database(url) as database:
        for pool in POOLS:
            database.write(lambda repository, pool=pool: opened(repository, pool, 0))  # type: ignore[misc]


class Audited(NamedTuple):
    """All that is held or on its way out, with nothing doubled, lost or leaked."""

    leases: Sequence[Lease]
    volumes: Sequence[Volume]


def audit(url: str) -> Audited:
    """See that what is leased, what is free and what history tells agree."""
    with Database(url) as database:
        return database.preview(_audited)


def _audited(repository: Repository) -> Audited:
    repository.lock_all()  # all of one moment
    leases = repository.leases()
    assert len({(lease.scope, lease.value) for lease in leases}) == len(leases)
    assert len({(lease.scope, lease.holder) for lease in leases}) == len(leases)
    for pool in POOLS:
        inside = [lease.value for lease in leases if lease.scope == pool.scope]
        assert sorted(repository.all_free(pool)) == sorted(free_values(pool, inside))
    # Every change began with what the one before of the same value had come to, in the order of history.
    states: dict[tuple[str, int], tuple[str, str]] = {}
    for _, event in repository.history():
        if event.value is not None:
            key = (event.scope, event.value)
            before = None if event.before is None else (event.holder, event.before)
            assert states.pop(key, None) == before, f"{event} does not follow"
            if event.after is not None:
                states[key] = (event.holder, event.after)
    assert states == {(lease.scope, lease.value): (lease.holder, lease.state) for lease in leases}
    return Audited(leases, disks.audit(repository))
