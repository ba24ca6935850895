"""A pool through anything that can happen to it, against a model of it in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from podwright.allocation.database import Database
from podwright.allocation.free import free_values
from podwright.allocation.grant import LeaseChange, Request
from podwright.allocation.pools import SHARED, Pool, divided
from podwright.allocation.repository import Repository
from podwright.allocation.single_pool import give_up, opened, renumber, reserve
from podwright.errors import AllocationError

PURPOSE = "guest_network"
HOLDERS = st.sampled_from([f"{account}/{network}" for account in ("acme", "globex") for network in "abcde"])
VALUES = st.integers(1, 14)
RANGES = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 5)).map(lambda pair: range(pair[0], sum(pair))), max_size=3
)
REST_S = 10


@dataclass(frozen=True)
class Held:
    """A value and whose it is, as anybody would write it down."""

    holder: str
    until: int | None = None
    superseded: bool = False


class Ledger(RuleBasedStateMachine):
    """Rules are what operators do; the model says what must come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory()
        self.database = Database(self.url())
        self.now = 0
        self.taken: dict[int, Held] = {}
        self.shared: set[int] = set()
        self.acme: set[int] = set()

    def url(self) -> str:
        """An empty database."""
        return str(Path(self.directory.name) / "leases.db")

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()

    @property
    def pool(self) -> Pool:
        sections = divided(
            [range(value, value + 1) for value in self.shared | self.acme],
            dedicated={"acme": [range(value, value + 1) for value in self.acme]},
        )
        return Pool("guest_vlan", "east/p1", sections, "ranges")

    @initialize(shared=RANGES, acme=RANGES)
    def declare_first(self, shared: list[range], acme: list[range]) -> None:
        self.acme = {value for each in acme for value in each} or {1}
        self.shared = {value for each in shared for value in each} - self.acme
        self.database.write(lambda repository: opened(repository, self.pool, self.now))

    @rule(shared=RANGES, acme=RANGES)
    def declare(self, shared: list[range], acme: list[range]) -> None:
        before = self.acme, self.shared
        self.acme = {value for each in acme for value in each} or {1}
        self.shared = {value for each in shared for value in each} - self.acme
        left_outside = {
            value
            for value, held in self.present().items()
            if held.until is None and value not in self.allowed(held.holder)
        }
        if left_outside:
            with pytest.raises(AllocationError, match="would no longer be in it"):
                self.database.write(lambda repository: opened(repository, self.pool, self.now))
            self.acme, self.shared = before
        else:
            self.database.write(lambda repository: opened(repository, self.pool, self.now))
            self.taken = self.present()

    @rule(holders=st.lists(HOLDERS, min_size=1, max_size=4, unique=True))
    def reserve(self, holders: list[str]) -> None:
        expected = self.model_of_reserve(holders)
        self.compare(
            expected,
            lambda repository: self.requests(
                repository, [Request(each, PURPOSE, None, sections(each)) for each in holders]
            ),
        )

    @rule(holder=HOLDERS, value=VALUES)
    def fix(self, holder: str, value: int) -> None:
        mine = self.claim(holder)
        present = self.present()
        expected: dict[int, Held] | None = None
        if mine is not None and present[mine].until is None:
            expected = present if mine == value else None
        elif value in self.allowed(holder) and (value == mine or value not in present):
            expected = (present if value == mine else self.without_claim(present, mine)) | {value: Held(holder)}
        self.compare(
            expected, lambda repository: self.requests(repository, [Request(holder, PURPOSE, value, sections(holder))])
        )

    @rule(holders=st.lists(HOLDERS, min_size=1, max_size=4, unique=True))
    def give_up(self, holders: list[str]) -> None:
        until = self.now + REST_S
        expected = {
            value: replace(held, until=until) if held.holder in holders and held.until is None else held
            for value, held in self.present().items()
        }
        self.compare(expected, lambda repository: self.released(repository, holders, until))

    def rests_from(self, holder: str, value: int) -> bool:
        """Whether a value is still its holder's own from before it was renumbered, so that it may have it back."""
        had = self.present().get(value)
        return had is not None and had.holder == holder and had.superseded and value in self.allowed(holder)

    @rule(holder=HOLDERS, value=st.none() | VALUES)
    def renumber(self, holder: str, value: int | None) -> None:
        until = self.now + REST_S
        present = self.present()
        mine = self.claim(holder)
        expected: dict[int, Held] | None = None
        if mine is not None and present[mine].until is None:
            free = self.free_for(holder)
            target = value if value is not None else next(iter(free), None)
            if target == mine:
                expected = present
            elif target is not None and (target in free or self.rests_from(holder, target)):
                expected = present | {mine: Held(holder, until, superseded=True), target: Held(holder)}
        self.compare(
            expected,
            lambda repository: self.renumbered(repository, Request(holder, PURPOSE, value, sections(holder)), until),
        )

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def what_is_written_down_is_so(self) -> None:
        def work(repository: Repository) -> None:
            leases = repository.leases()
            assert {
                lease.value: Held(lease.holder, lease.until, bool(lease.superseded)) for lease in leases
            } == self.taken
            declared = repository.pool("guest_vlan", "east/p1")
            if declared is not None:
                free = sorted(repository.all_free(declared.as_pool()))
                assert free == sorted(free_values(self.pool, (lease.value for lease in leases)))

        self.database.preview(work)

    def present(self) -> dict[int, Held]:
        """What is taken once quarantines that are over are forgotten."""
        return {value: held for value, held in self.taken.items() if held.until is None or held.until > self.now}

    def claim(self, holder: str) -> int | None:
        """The value that a holder has, or gets back when it asks."""
        mine = [value for value, held in self.present().items() if held.holder == holder and not held.superseded]
        return mine[0] if mine else None

    def allowed(self, holder: str) -> set[int]:
        """What a holder may have."""
        return self.shared | (self.acme if holder.startswith("acme/") else set())

    def without_claim(self, taken: dict[int, Held], value: int | None) -> dict[int, Held]:
        """What is taken when a holder no longer waits for the value that rests: it is gone where its pool is."""
        if value is None:
            return taken
        rest = {key: held for key, held in taken.items() if key != value}
        return rest | {value: replace(taken[value], superseded=True)} if value in self.shared | self.acme else rest

    def free_for(self, holder: str) -> list[int]:
        """What a holder could get, the first choice first."""
        acme = sorted(self.acme - self.present().keys()) if holder.startswith("acme/") else []
        return acme + sorted(self.shared - self.present().keys())

    def model_of_reserve(self, holders: list[str]) -> dict[int, Held] | None:
        """What is taken afterwards; None when it cannot be had."""
        taken, before = dict(self.present()), self.taken
        for holder in sorted(holders):
            self.taken = taken
            mine = self.claim(holder)
            if mine is not None and mine in self.allowed(holder):
                taken[mine] = Held(holder)
            elif mine is not None:
                taken = self.without_claim(taken, mine)
        self.taken = taken
        newcomers = [holder for holder in sorted(holders) if self.claim(holder) is None]
        for holder in newcomers:
            free = self.free_for(holder)
            if not free:
                self.taken = before
                return None
            taken[free[0]] = Held(holder)
        self.taken = before
        return taken

    def requests(self, repository: Repository, requests: list[Request]) -> list[LeaseChange]:
        return reserve(repository, opened(repository, self.pool, self.now), requests, None, self.now).changes

    def released(self, repository: Repository, holders: list[str], until: int) -> list[LeaseChange]:
        return give_up(repository, opened(repository, self.pool, self.now), holders, PURPOSE, self.now, until)

    def renumbered(self, repository: Repository, request: Request, until: int) -> list[LeaseChange]:
        return renumber(repository, opened(repository, self.pool, self.now), request, self.now, until)

    def compare(self, expected: dict[int, Held] | None, work: object) -> None:
        """A preview says what the run does; what cannot be had changes nothing; and asking again changes nothing."""
        assert callable(work)
        if expected is None:
            with pytest.raises(AllocationError):
                self.database.write(work)
            return
        previewed = self.database.preview(work)
        assert self.database.write(work) == previewed
        self.taken = expected


def sections(holder: str) -> tuple[str, ...]:
    return ("acme", SHARED) if holder.startswith("acme/") else (SHARED,)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
