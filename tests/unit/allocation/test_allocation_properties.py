from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.allocation import Allocated, Lease, allocate, settle
from podwright.allocation.database import unix_time
from podwright.allocation.free import FreeValues, free_values
from podwright.allocation.grant import Request, grant
from podwright.allocation.placement import (
    VCPU_OVERCOMMIT,
    Capacity,
    Host,
    Limits,
    Needs,
    Placement,
    PlacementRequest,
    place,
)
from podwright.allocation.pools import Pool, disjoint, divided, values_of
from tests.unit.allocation.declaration import LATER, NOW, account, cloud, records

# Every storage server was looked at, and none had a volume that nobody wants.
NOTHING: dict[str, list[str]] = {"p1-n1": [], "p2-n1": []}

NAMES = st.text("abcxyz", min_size=1, max_size=2)
ACCOUNTS = st.dictionaries(
    NAMES,
    st.builds(
        lambda machines, pod, subnet: account(*machines, pod=pod, subnet=subnet),
        st.sets(NAMES, max_size=3),
        st.sampled_from(["p1", "p2"]),
        st.sampled_from(["10.1.1.0/24", "172.16.3.0/24"]),
    ),
    max_size=8,
)


def run(directory: Path, accounts: Mapping[str, Any]) -> Allocated:
    return allocate(cloud(directory, accounts), preview=False, now=NOW)


@settings(max_examples=20, deadline=None)
@given(ACCOUNTS, st.randoms(use_true_random=False))
def test_the_order_of_a_declaration_does_not_matter(accounts: dict[str, Any], random: Any) -> None:
    shuffled = list(accounts.items())
    random.shuffle(shuffled)
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        assert run(Path(one), accounts).leases == run(Path(two), dict(shuffled)).leases


@settings(max_examples=20, deadline=None)
@given(ACCOUNTS, ACCOUNTS)
def test_growth_keeps_every_lease_and_asking_again_changes_nothing(
    before: dict[str, Any], more: dict[str, Any]
) -> None:
    with TemporaryDirectory() as name:
        first = run(Path(name), before)
        grown = run(Path(name), more | before)
        again = run(Path(name), more | before)
    kinds = (
        "guest_vlans",
        "guest_addresses",
        "management_addresses",
        "public_addresses",
        "macs",
        "placements",
        "volumes",
    )
    for kind in kinds:
        assert getattr(first.leases, kind).items() <= getattr(grown.leases, kind).items()
    assert again.leases == grown.leases
    assert not again.changed


@settings(max_examples=20, deadline=None)
@given(st.lists(ACCOUNTS, min_size=1, max_size=4))
def test_a_preview_equals_the_run_and_writes_nothing(history: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name) / "state"
        for accounts in history:
            declared = cloud(directory, accounts)
            files = _files(directory)
            previewed = allocate(declared, preview=True, now=NOW)
            assert _files(directory) == files
            ran = allocate(declared, preview=False, now=NOW)
            assert (previewed.leases, previewed.diff) == (ran.leases, ran.diff)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(ACCOUNTS, st.booleans()), min_size=1, max_size=5))
def test_no_value_is_held_twice_in_a_scope_and_none_leaks(history: list[tuple[dict[str, Any], bool]]) -> None:
    with TemporaryDirectory() as name:
        for accounts, gone_from_devices in history:
            run(Path(name), accounts)
            if gone_from_devices:
                settle(cloud(Path(name), accounts), planned_at=unix_time(NOW), left_behind=NOTHING, now=NOW)
            found = records(cloud(Path(name), accounts))
            leases = [record for record in found if isinstance(record, Lease)]
            assert max(Counter((x.pool, x.scope, x.value) for x in leases).values(), default=1) == 1
        empty = cloud(Path(name), {})
        run(Path(name), {})
        settle(empty, planned_at=unix_time(NOW), left_behind=NOTHING, now=NOW)
        allocate(empty, preview=False, now=LATER)
        left = {record.purpose if isinstance(record, Lease) else record for record in records(empty)}
        assert left == {"management"}  # what its devices and pods have


def _files(directory: Path) -> dict[str, bytes] | None:
    """What is in a directory; None when it is not there."""
    return {path.name: path.read_bytes() for path in directory.iterdir()} if directory.exists() else None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)).map(lambda pair: range(pair[0], sum(pair))), max_size=6)
)
def test_ranges_are_made_disjoint_and_keep_their_values(ranges: list[range]) -> None:
    result = disjoint(ranges)
    assert [value for values in result for value in values] == sorted({value for values in ranges for value in values})


@given(st.sets(st.integers(1, 30)), st.sets(NAMES, max_size=6), st.dictionaries(NAMES, st.integers(1, 30), max_size=4))
def test_new_holders_get_the_lowest_values_that_are_left(
    reserved: set[int], holders: set[str], fixed: dict[str, int]
) -> None:
    pool = Pool("mac", "lab", divided([range(1, 31)], reserved=values_of(*reserved)), "accounts")
    requests = [Request(holder, "eth0", fixed.get(holder)) for holder in sorted(holders | set(fixed))]

    granted = grant(pool, [], FreeValues(pool, free_values(pool, [])), requests, "lab", 0)

    values = [lease.value for lease in granted.leases.values()]
    assert len(values) == len(set(values))
    assert not reserved & set(values)
    got = {holder: lease.value for (holder, _), lease in granted.leases.items()}
    lowest = [got[request.holder] for request in requests if request.fixed is None and request.holder in got]
    left = [
        value
        for value in range(1, 31)
        if value in pool and value not in {got[holder] for holder in fixed if holder in got}
    ]
    assert lowest == left[: len(lowest)]
    assert len(granted.leases) == len(requests) or granted.problems or granted.unserved


LIMIT = st.none() | st.integers(1, 20)
OWNERS = st.sampled_from(["acme", "globex"])
HOSTS = st.fixed_dictionaries(
    {
        f"h{number}": st.builds(
            Host, st.builds(Capacity, st.integers(1, 4), st.integers(1, 20), LIMIT, LIMIT), st.none() | OWNERS
        )
        for number in range(4)
    }
)
LIMITS = st.builds(Limits, st.none() | st.integers(1, 12), *[st.none() | st.integers(1, 60)] * 4)
NEED = st.integers(1, 6)
REQUESTS = st.lists(
    st.tuples(
        OWNERS,
        st.builds(Needs, NEED, NEED, NEED, NEED),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([None, None, None, "h1"]),
    ),
    max_size=16,
).map(
    lambda wants: [
        PlacementRequest(f"m{number:02}", account, needs, (account, group) if group else None, hypervisor)
        for number, (account, needs, group, hypervisor) in enumerate(wants)
    ]
)


def kept(hypervisors: dict[str, Host], limits: Limits, placements: list[Placement]) -> bool:
    """Whether no hypervisor and no pod has more than it can."""
    totals = [sum(amounts) for amounts in zip(*((1, *placement.needs) for placement in placements), strict=True)]
    fits = all(limit is None or total <= limit for total, limit in zip(totals, limits, strict=False))
    for name, host in hypervisors.items():
        needs = [placement.needs for placement in placements if placement.hypervisor == name]
        has = (host.has.vcpus * VCPU_OVERCOMMIT, *host.has[1:])
        sums = [sum(amounts) for amounts in zip(*needs, strict=True)]
        fits &= all(limit is None or total <= limit for total, limit in zip(sums, has, strict=False))
    return fits


@settings(max_examples=300)
@given(HOSTS, LIMITS, REQUESTS, HOSTS, LIMITS, REQUESTS)
def test_nothing_is_promised_twice_groups_are_apart_and_dedicated_hypervisors_are_alone(
    old_hypervisors: dict[str, Host],
    old_limits: Limits,
    old_requests: list[PlacementRequest],
    hypervisors: dict[str, Host],
    limits: Limits,
    requests: list[PlacementRequest],
) -> None:
    first = place("z/p", old_hypervisors, old_limits, [], old_requests, "lab", 0)
    before = [change.after for change in first.changes if change.after]

    placed = place("z/p", hypervisors, limits, before, requests, "lab", 1)

    asked = {request.domain: request for request in requests}
    for domain, name in placed.hypervisors.items():
        assert hypervisors[name].dedicated_to in (None, asked[domain].account)
        assert asked[domain].hypervisor in (None, name)
    running = defaultdict(list)
    for domain, name in placed.hypervisors.items():
        if asked[domain].group:
            running[name].append(asked[domain].group)
    assert all(len(groups) == len(set(groups)) for groups in running.values())
    assert len(placed.hypervisors) + len(placed.problems) == len(requests)

    held = [
        Placement("z/p", domain, name, *asked[domain].needs, cloud="lab", since=1)
        for domain, name in placed.hypervisors.items()
    ]
    assert kept(hypervisors, limits, held)
    leaving = [placement for placement in before if placement.domain not in asked]
    if kept(hypervisors, limits, leaving):  # those that go may be on a hypervisor that shrank
        assert kept(hypervisors, limits, held + leaving)

    fitting = [asked[domain] for domain in placed.hypervisors]
    after = {(placement.domain, placement.hypervisor): placement for placement in before}
    after |= {(each.after.domain, each.after.hypervisor): each.after for each in placed.changes if each.after}
    again = place("z/p", hypervisors, limits, list(after.values()), fitting, "lab", 2)
    if not placed.problems:
        assert (again.hypervisors, again.changes, again.problems) == (placed.hypervisors, [], [])


FACTS = st.lists(st.tuples(NAMES, st.integers(1, 6)), unique_by=(lambda fact: fact[0], lambda fact: fact[1])).map(dict)


@given(st.lists(FACTS, max_size=6))
def test_whatever_is_noted_after_each_other_is_held_and_nothing_else(history: list[dict[str, int]]) -> None:
    pool = Pool("management_address", "z/p", {"devices": (range(1, 7),)}, "zones.z")
    leases: list[Lease] = []
    for facts in history:
        free = FreeValues(pool, free_values(pool, [lease.value for lease in leases]))
        requests = [Request(device, "management", value, ("devices",), is_fact=True) for device, value in facts.items()]

        granted = grant(pool, leases, free, requests, "lab", 0)

        assert not granted.problems
        for before, _ in granted.changes:
            if before is not None:
                leases.remove(before)
        leases += [after for _, after in granted.changes if after is not None]
        leases = [
            lease if lease.holder in facts or lease.state != "held" else lease._replace(state="releasing")
            for lease in leases
        ]
        assert {lease.holder: lease.value for lease in leases if lease.state == "held"} == facts
        assert len({lease.value for lease in leases}) == len(leases)
        assert len({(lease.holder, lease.superseded) for lease in leases}) == len(leases)
        left = {value for value in range(1, 7) if free.take(value)}
        assert left == set(range(1, 7)) - {lease.value for lease in leases}
