"""Moving leases: out of a database as a file, and from a file into another one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from podwright.allocation import allocate, settle
from podwright.allocation.database import Database, unix_time
from podwright.allocation.free import FreeRange
from podwright.allocation.grant import Lease, Request
from podwright.allocation.history import Run
from podwright.allocation.moving.contents import Contents, PastRun
from podwright.allocation.moving.plain_yaml import read
from podwright.allocation.moving.reading import contents_of
from podwright.allocation.moving.transfer import Imported, export, import_
from podwright.allocation.moving.writing import rendered
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.single_pool import ask, opened, renumber
from podwright.cli import app
from podwright.errors import AllocationError, InvalidInput
from tests.unit.allocation.declaration import LATER, NOW, account, cloud, leases

NAMES = st.text("abcxyz", min_size=1, max_size=2)
ACCOUNTS = st.dictionaries(
    NAMES,
    st.builds(
        lambda machines, pod, subnet: account(*machines, pod=pod, subnet=subnet),
        st.sets(NAMES, max_size=3),
        st.sampled_from(["p1", "p2"]),
        st.sampled_from(["10.1.1.0/24", "172.16.3.0/24", "auto"]),
    ),
    max_size=4,
)
VLANS = Pool("guest_vlan", "east/p3", {SHARED: (range(101, 110),), "acme": (range(110, 120),)}, "ranges")
HEAD = """\
format: 2
pools:
- {pool: guest_vlan, scope: east/p3, declared_at: ranges, values: "101-109 acme=110-119"}
"""


def lease(value: int, holder: str, **others: Any) -> str:
    fields = {
        "pool": "guest_vlan",
        "scope": "east/p3",
        "value": value,
        "holder": holder,
        "purpose": "guest_network",
        "state": "held",
        "since": '"2026-01-01T00:00:00Z"',
    } | others
    return f"- {{{', '.join(f'{name}: {each}' for name, each in fields.items() if each is not None)}}}\n"


def placement(domain: str, hypervisor: str, state: str = "held") -> str:
    return (
        f"- {{scope: east/p1, domain: {domain}, hypervisor: {hypervisor}, vcpus: 1, memory_mib: 128, "
        f'network_mbit_s: 100, storage_iops: 500, cloud: lab, state: {state}, since: "2026-01-01T00:00:00Z"}}\n'
    )


def volume(domain: str, server: str, state: str = "held") -> str:
    return (
        f"- {{scope: east/p1, domain: {domain}, server: {server}, size_gib: 1, storage_iops: 500, account: acme, "
        f'cloud: lab, state: {state}, since: "2026-01-01T00:00:00Z"}}\n'
    )


def reserve(database: Path, *holders: str, pool: Pool = VLANS, state: Any = "present", **fixed: int) -> None:
    with Database(database, Run("alice", "host", "reserve")) as opened_:
        ask(
            opened_,
            pool,
            holders,
            purpose="guest_network",
            state=state,
            fixed={holder.replace("_", "/"): value for holder, value in fixed.items()},
            quarantine_hours=24,
            preview=False,
            now=NOW,
        )


def exported(database: Path) -> str:
    with Database(database) as opened_:
        return export(opened_)


def imported(database: Path, text: str, *, preview: bool = False) -> Imported:
    with Database(database, Run("bob", "host", "import leases.yml")) as opened_:
        return import_(opened_, text, preview=preview, now=NOW)


def refusal(database: Path, text: str) -> list[str]:
    before = exported(database)
    with pytest.raises(InvalidInput) as raised:
        imported(database, text)
    assert exported(database) == before
    return str(raised.value).splitlines()


def free(database: Path) -> dict[tuple[str, str], list[FreeRange]]:
    with Database(database) as opened_:
        ranges = opened_.preview(lambda repository: repository.free_ranges())
    return {key: sorted(those) for key, those in ranges.items()}


# Everything comes back


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(ACCOUNTS, st.booleans()), min_size=1, max_size=3),
    st.lists(st.tuples(NAMES, st.sampled_from(["present", "absent", "renumber"])), max_size=6),
)
def test_an_empty_database_becomes_the_one_that_was_exported(
    history: list[tuple[dict[str, Any], bool]], asked: list[tuple[str, Any]]
) -> None:
    with TemporaryDirectory() as name:
        one, two = Path(name) / "leases.db", Path(name) / "other/leases.db"
        for accounts, is_settled in history:
            declared = cloud(Path(name), accounts)
            with suppress(AllocationError):  # the pool of subnets is small
                allocate(declared, preview=False, now=NOW)
            if is_settled:
                settle(declared, planned_at=unix_time(NOW), now=NOW)
        reserve(one, "first/default")
        for holder, what in asked:
            if what == "renumber":
                _renumber_the_first(one)
            else:
                reserve(one, f"{holder}/default", state=what)
        text = exported(one)

        came = imported(two, text)

        assert (came.into_empty, exported(two), free(two)) == (True, text, free(one))
        assert not imported(two, text).changed
        for database in (one, two):
            reserve(database, "next/default", "acme/default")
        assert leases(one) == leases(two)


def _renumber_the_first(database: Path) -> None:
    with Database(database, Run("alice", "host", "renumber")) as opened_:

        def work(repository: Any) -> None:
            pool = opened(repository, VLANS, unix_time(NOW))
            request = Request("first/default", "guest_network")
            renumber(repository, pool, request, unix_time(NOW), unix_time(LATER))

        opened_.write(work)


@given(st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text), st.integers(0, 4_000_000_000))
def test_any_text_and_time_comes_back_and_every_reader_of_yaml_agrees(words: str, time: int) -> None:
    held = Lease("guest_vlan", "east/p3", 101, words, words, None, time, "quarantine", time)
    run = PastRun(1, time, Run(words, words, words))
    text = rendered(Contents([], [held], [], [], [], [run], []))
    found = contents_of(text, "leases.yml")
    assert [each.record for each in (*found.leases, *found.runs)] == [held, run]
    assert found.mistakes == []
    (record,) = yaml.safe_load(text)["leases"]
    assert (record["holder"], record["value"]) == (words, 101)


def test_a_file_is_for_people(tmp_path: Path) -> None:
    reserve(tmp_path / "a.db", "acme/default", "globex/default", globex_default=105)
    reserve(tmp_path / "a.db", "globex/default", state="absent")
    assert exported(tmp_path / "a.db") == (
        '# Leases of podwright; its docs/allocation.md says in "Moving leases" what is what.\n'
        "format: 2\n"
        "pools:\n"
        '- {pool: guest_vlan, scope: east/p3, declared_at: ranges, values: "101-109 acme=110-119"}\n'
        "undeclared_pools: []\n"
        "leases:\n"
        "- {pool: guest_vlan, scope: east/p3, value: 105, holder: globex/default, purpose: guest_network, "
        'state: quarantine, since: "2026-01-01T00:00:00Z", until: "2026-01-02T00:00:00Z"}\n'
        "- {pool: guest_vlan, scope: east/p3, value: 110, holder: acme/default, purpose: guest_network, "
        'state: held, since: "2026-01-01T00:00:00Z"}\n'
        "placements: []\n"
        "volumes: []\n"
        "devices: []\n"
        "runs:\n"
        '- {run: 1, at: "2026-01-01T00:00:00Z", operator: alice, host: host, command: reserve}\n'
        '- {run: 2, at: "2026-01-01T00:00:00Z", operator: alice, host: host, command: reserve}\n'
        "history:\n"
        '- {run: 1, at: "2026-01-01T00:00:00Z", pool: guest_vlan, scope: east/p3, purpose: declared, '
        'after: "101-109 acme=110-119"}\n'
        '- {run: 1, at: "2026-01-01T00:00:00Z", pool: guest_vlan, scope: east/p3, value: 105, '
        "holder: globex/default, purpose: guest_network, after: held}\n"
        '- {run: 1, at: "2026-01-01T00:00:00Z", pool: guest_vlan, scope: east/p3, value: 110, '
        "holder: acme/default, purpose: guest_network, after: held}\n"
        '- {run: 2, at: "2026-01-01T00:00:00Z", pool: guest_vlan, scope: east/p3, value: 105, '
        "holder: globex/default, purpose: guest_network, before: held, after: quarantine}\n"
    )


def test_leases_of_pools_that_nobody_declared_yet_come_back(tmp_path: Path) -> None:
    """An upgrade of an old database leaves such."""
    text = "format: 1\nundeclared_pools:\n- {pool: guest_vlan, scope: east/p3}\nleases:\n" + lease(101, "acme/default")
    imported(tmp_path / "a.db", text)
    again = exported(tmp_path / "a.db")
    assert "undeclared_pools:\n- {pool: guest_vlan, scope: east/p3}\n" in again
    imported(tmp_path / "b.db", again)
    assert exported(tmp_path / "b.db") == again


def test_a_value_that_left_its_pool_comes_back_where_the_file_says_so(tmp_path: Path) -> None:
    releasing = lease(999, "acme/default", state="releasing", outside_pool="true")
    imported(tmp_path / "a.db", f"{HEAD}leases:\n{releasing}")
    imported(tmp_path / "b.db", exported(tmp_path / "a.db"))
    assert exported(tmp_path / "a.db") == exported(tmp_path / "b.db")
    assert [each.value for each in leases(tmp_path / "b.db")] == [999]


def test_runs_keep_their_numbers_and_the_next_one_gets_a_new_one(tmp_path: Path) -> None:
    run = '- {run: 41, at: "2026-01-01T00:00:00Z", operator: alice, host: host, command: plan lab}\n'
    imported(tmp_path / "a.db", f"{HEAD}runs:\n{run}")
    reserve(tmp_path / "a.db", "acme/default")
    assert [each["run"] for each in yaml.safe_load(exported(tmp_path / "a.db"))["runs"]] == [41, 42]


# Into a database that holds something


def test_what_is_there_stays_and_the_rest_is_one_run(tmp_path: Path) -> None:
    reserve(tmp_path / "a.db", "acme/default", "globex/default")
    reserve(tmp_path / "b.db", "globex/default")
    came = imported(tmp_path / "b.db", exported(tmp_path / "a.db"))
    assert [str(change.after) for change in came.leases] == ["guest_vlan east/p3 110 acme/default guest_network"]
    assert (came.into_empty, came.history, came.history_left_out) == (False, 0, 3)
    document = yaml.safe_load(exported(tmp_path / "b.db"))
    assert document["runs"][1:] == [
        {"run": 2, "at": "2026-01-01T00:00:00Z", "operator": "bob", "host": "host", "command": "import leases.yml"}
    ]
    assert [each["value"] for each in document["history"] if each["run"] == 2] == [110]
    assert free(tmp_path / "b.db") == free(tmp_path / "a.db")
    assert not imported(tmp_path / "b.db", exported(tmp_path / "a.db")).changed


def test_a_preview_changes_nothing_and_says_the_same(tmp_path: Path) -> None:
    reserve(tmp_path / "a.db", "acme/default")
    text = exported(tmp_path / "a.db")
    previewed = imported(tmp_path / "b.db", text, preview=True)
    assert not (tmp_path / "b.db").exists()
    assert imported(tmp_path / "b.db", text) == previewed


def test_every_conflict_is_listed_and_nothing_is_imported(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {"acme": account("web1")}), preview=False, now=NOW)
    database = tmp_path / "leases.db"
    reserve(database, "acme/default", "globex/default")
    text = (
        HEAD
        + "leases:\n"
        + lease(102, "initech/default")
        + lease(101, "hooli/default")
        + lease(103, "globex/default")
        + lease(999, "umbrella/default")
        + lease(105, "acme/web", scope="east/p9")
        + lease(101, "acme/default", scope="east/p1", cloud="lab")
        + lease(130, "acme/web", scope="east/p1", cloud="other")
        + lease(102, "cyberdyne/default")
        + lease(104, "initech/default")
        + "placements:\n"
        + placement("acme-web1", "p1-hv1")
        + placement("globex-web1", "p1-hv1")
        + placement("globex-web1", "p1-hv2")
        + placement("globex-web1", "p1-hv2", "releasing")
        + "volumes:\n"
        + volume("acme-web1", "p1-n1")
        + volume("acme-east-router", "p1-n2")
        + volume("globex-web1", "p1-n1")
        + volume("globex-web1", "p1-n2", "releasing")
    )
    assert refusal(database, text) == [
        (
            "leases.yml:6: leases[1].value: 101 is not free in guest_vlan of pod p3 in zone east, where network "
            "default of account globex has it for guest_network (held); take it out of the file, "
            "or let that lease go first"
        ),
        (
            "leases.yml:7: leases[2].holder: globex/default is not without another value in guest_vlan of pod p3 "
            "in zone east, where it has 101 for guest_network (held); take it out of the file, "
            "or renumber the holder first"
        ),
        (
            "leases.yml:8: leases[3].value: 999 is not in pool guest_vlan of pod p3 in zone east, which has "
            "101-109 acme=110-119; extend ranges, or take it out of the file"
        ),
        (
            "leases.yml:9: leases[4].scope: guest_vlan east/p9 is not a pool that was declared; "
            "declare it first, or correct pool and scope"
        ),
        (
            "leases.yml:11: leases[6].cloud: other is not the cloud of that pool: lab declares it at "
            "zones.east.pods.p1.guest_vlans; give each cloud its own database"
        ),
        (
            "leases.yml:12: leases[7].value: 102 is not leased only once in guest_vlan of pod p3 in zone east; "
            "leases.yml:5 gives it to network default of account initech: take one of them out"
        ),
        (
            "leases.yml:13: leases[8].holder: initech/default is not without another value in guest_vlan of pod p3 in "
            "zone east for guest_network; leases.yml:5 gives it 102: take one of them out"
        ),
        (
            "leases.yml:15: placements[0].hypervisor: p1-hv1 is not where acme-web1 in pod p1 in zone east is: that is "
            "held on p1-hv2; take it out of the file, or move the domain first"
        ),
        (
            "leases.yml:17: placements[2].domain: globex-web1 is not only once in its pod; "
            "leases.yml:16 has it on p1-hv1: take one of them out"
        ),
        (
            "leases.yml:18: placements[3].domain: globex-web1 is not only once in its pod; "
            "leases.yml:17 has it on p1-hv2: take one of them out"
        ),
        (
            "leases.yml:21: volumes[1].server: p1-n2 is not where the volume of acme-east-router in pod p1 in zone "
            "east is: that is on p1-n1 (held); take it out of the file"
        ),
        (
            "leases.yml:23: volumes[3].domain: globex-web1 is not only once in its pod; "
            "leases.yml:22 has it on p1-n1: take one of them out"
        ),
    ]


VOLUME_EVENT = '- {{run: 1, at: "2026-01-01T00:00:00Z", pool: volume, scope: east/p1, holder: a, purpose: p1-n1, {}}}\n'
STATES = "held, releasing, quarantine"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("- 1\n", ["leases.yml:1: a list is not a file of leases; give what podwright lease export writes"]),
        ("pools: []\n", ["leases.yml:1: format: a required key is missing; add format: 2"]),
        ("format: one\n", ["leases.yml:1: format: one is not a number; write format: 2"]),
        (
            "# A note.\nformat: 3\npools: what then?\n",
            ["leases.yml:2: format: 3 is not a format up to 2; use the podwright that wrote it, or a newer one"],
        ),
        (
            "format: 1\nleases: [\n",
            [
                (
                    "leases.yml:3: this is not YAML; did not find expected node content: "
                    "correct the line or the one before it"
                )
            ],
        ),
        (
            "format: 1\nformat: 1\n",
            ["leases.yml:2: this is not YAML; format is there twice: correct the line or the one before it"],
        ),
        (
            "format: 1\nleases: 5\nlease: []\n",
            [
                "leases.yml:2: leases: 5 is not a list; start each record with `- `",
                (
                    "leases.yml:3: lease: lease is not one of format, pools, undeclared_pools, leases, placements, "
                    "volumes, devices, runs, history; take it out, or correct it"
                ),
            ],
        ),
        (
            HEAD
            + "leases:\n"
            + lease(101, "acme/default", since="yesterday")
            + lease(102, "globex/default", purpose=None, stat="held")
            + lease(9999, "initech/default")
            + lease(103, "hooli/default", state="gone")
            + lease(104, "umbrella/default", state="quarantine")
            + lease(105, "cyberdyne/default", superseded="true")
            + lease(106, '""'),
            [
                (
                    "leases.yml:5: leases[0].since: yesterday is not a time in UTC; "
                    'give one such as "2026-01-01T00:00:00Z"'
                ),
                "leases.yml:6: leases[1].purpose: a required key is missing; add purpose: guest_network",
                (
                    "leases.yml:6: leases[1].stat: stat is not one of pool, scope, value, holder, purpose, cloud, "
                    "state, since, until, superseded, outside_pool; take it out, or correct it"
                ),
                "leases.yml:7: leases[2].value: 9999 is not a VLAN id; give a number of 1 to 4094",
                f"leases.yml:8: leases[3].state: gone is not a state: {STATES}; give one such as held",
                (
                    "leases.yml:9: leases[4].until: a required key is missing; "
                    "say until when with state: quarantine, and in no other state"
                ),
                (
                    "leases.yml:10: leases[5].superseded: true is not right with state: held; "
                    "say superseded of what a renumbered holder leaves"
                ),
                "leases.yml:11: leases[6].holder: '' is not text of 1 to 191 characters; give one such as acme/default",
            ],
        ),
        (
            "format: 1\npools:\n"
            '- {pool: guest_vlan, scope: east/p1, declared_at: ranges, values: "101-109,105"}\n'
            '- {pool: guest_vlan, scope: east/p2, declared_at: ranges, values: "101"}\n'
            '- {pool: guest_vlan, scope: east/p2, declared_at: ranges, values: "102"}\n'
            "leases:\n" + lease(101, "acme/default", scope="east/p1"),
            [
                (
                    "leases.yml:3: pools[0].values: 101-109,105 is not values of that pool, each once; "
                    "give ranges; a number of 1 to 4094 is one value"
                ),
                (
                    "leases.yml:5: pools[2].scope: east/p2 is not only once the scope of a pool guest_vlan; "
                    "leases.yml:4 has it, too: take one of them out"
                ),
            ],
        ),
        (
            'format: 1\nhistory:\n- {run: 3, at: "2026-01-01T00:00:00Z", pool: mac, scope: lab, purpose: eth0}\n',
            ["leases.yml:3: history[0].run: 3 is not one of the runs; add it under runs, or correct the number"],
        ),
        (
            'format: 2\nruns:\n- {run: 1, at: "2026-01-01T00:00:00Z", operator: ada, host: here, command: plan lab}\n'
            "history:\n" + VOLUME_EVENT.format("value: 1, after: held 1 GiB") + VOLUME_EVENT.format("after: held"),
            [
                "leases.yml:5: history[0].value: 1 is not known of a volume; take it out: the device is the purpose",
                (
                    "leases.yml:6: history[1].after: held is not the state and size of a volume; give one such as held "
                    "10 GiB"
                ),
            ],
        ),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path: Path, text: str, messages: list[str]) -> None:
    assert refusal(tmp_path / "a.db", text) == messages
    reserve(tmp_path / "b.db", "there/default", pool=VLANS)
    assert refusal(tmp_path / "b.db", text)[:1] == messages[:1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x 1\nb: *x\n", "a.yml:1: this is not YAML; anchors and aliases are not understood here"),
        ("[" * 40 + "]" * 40, "a.yml:1: this is not YAML; more than 16 levels"),
        ("{[a]: 1}", "a.yml:1: this is not YAML; a key is text, neither a list nor a mapping"),
        ("a: 1\n---\nb: 1\n", "a.yml:2: this is not YAML; there is a second document"),
    ],
)
def test_yaml_that_is_not_plain_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(text, "a.yml")
    assert str(raised.value) == f"{problem}: correct the line or the one before it"


# The commands


def test_the_commands_move_a_database(tmp_path: Path) -> None:
    reserve(tmp_path / "a.db", "acme/default")
    file = tmp_path / "leases.yml"
    assert _run("export", "--database", str(tmp_path / "a.db"), "--to", str(file)) == (0, "")
    assert _run("export", "--database", str(tmp_path / "a.db")) == (0, file.read_text())
    line = "guest_vlan east/p3 110 acme/default guest_network\n"
    to = ("import", str(file), "--database", str(tmp_path / "b.db"))
    assert _run(*to, "--check") == (2, line)
    assert _run(*to) == (2, line)
    assert _run(*to) == (0, "")
    file.write_text("format: 1\nleases: 5\n")
    with pytest.raises(InvalidInput):  # which podwright.cli.main makes exit code 4
        CliRunner().invoke(app, ["lease", *to], catch_exceptions=False)


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lease", *arguments], catch_exceptions=False)
    return result.exit_code, result.stdout
