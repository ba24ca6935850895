"""Every case of tests/cases/inventories: a change to a good declaration, and the exact lines it is refused with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.errors import InvalidInput, Mistake
from podwright.model import load

CASES = Path(__file__).parents[2] / "cases" / "inventories"
BASE = (CASES / "bases" / "cloud.yml").read_text(encoding="utf-8")
PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGKyv7g8bW2Z0pDCzFZ9nQ3F5cLrO9u8m1hJ2k3l4mN administrator@case.example"
)


def write(case: dict[str, Any], directory: Path) -> Path:
    """Write the declaration of a case: the base, changed line by line; see tests/cases/inventories/README.md."""
    text = case.get("text", BASE)
    for change in case.get("replace", []):
        assert text.count(change["old"]) == 1, f"{change['old']!r} is {text.count(change['old'])} times in the base"
        text = text.replace(change["old"], change["new"])
    files = {"administrator.pub": PUBLIC_KEY, "cloud.yml": text, **case.get("files", {})}
    for name, content in files.items():
        if content is not None:
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
    return directory / "cloud.yml"


def mistakes_of(path: Path) -> tuple[Mistake, ...]:
    try:
        load(path, {})
    except InvalidInput as refused:
        return refused.mistakes
    return ()


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(yaml.safe_load(path.read_text(encoding="utf-8")), id=path.stem)
        for path in sorted((CASES / kind).glob("*.yml"))
    ]


@pytest.mark.parametrize("case", cases("bad"))
def test_bad_inventory_is_refused_with_every_mistake(case: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(write(case, tmp_path), case.get("environment", {}))
    assert str(refused.value).replace(str(tmp_path), "<directory>").splitlines() == case["mistakes"].splitlines()


@pytest.mark.parametrize("case", cases("good"))
def test_good_inventory_is_read(case: dict[str, Any], tmp_path: Path) -> None:
    cloud = load(write(case, tmp_path), case.get("environment", {}))
    for path, expected in case["expect"].items():
        value: Any = cloud
        for key in path.split("."):
            value = value[key] if isinstance(value, dict) else getattr(value, key)
        assert str(value).replace(str(tmp_path), "<directory>") == expected, path


def test_a_mistake_is_data_and_a_line(tmp_path: Path) -> None:
    path = write({"replace": [{"old": "10.65.2.0/24", "new": "10.65.2.0/33"}]}, tmp_path)
    with pytest.raises(InvalidInput) as refused:
        load(path)
    assert refused.value.mistakes == (
        Mistake(
            file="cloud.yml",
            line=42,
            path="zones.east.pods.p2.networks.storage.subnet",
            found="10.65.2.0/33",
            expected="a network",
            remedy="give a prefix length of 0 to 32",
        ),
    )


def test_administrators_are_those_declared_and_those_of_the_file(tmp_path: Path) -> None:
    declared = "ssh-ed25519 AAAA= second"
    path = write(
        {
            "files": {"administrator.pub": f"# the key\n\n{PUBLIC_KEY}\n"},
            "replace": [
                {"old": "domain: case.example", "new": f"domain: case.example\nadministrator_keys: [{declared}]"}
            ],
        },
        tmp_path,
    )
    assert load(path).administrator_keys == (declared, PUBLIC_KEY)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write({}, tmp_path)
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(InvalidInput, match=r"cloud\.yml is not a readable file; it is not UTF-8"):
        load(path)


def test_a_password_of_the_database_is_not_shown_with_the_cloud(tmp_path: Path) -> None:
    path = write(
        {
            "replace": [
                {
                    "old": "domain: case.example",
                    "new": "domain: case.example\ndatabase: mariadb://podwright:${PASSWORD}@db.example/leases",
                }
            ]
        },
        tmp_path,
    )
    cloud = load(path, {"PASSWORD": "hush-hush"})
    assert cloud.database == "mariadb://podwright:hush-hush@db.example/leases"
    assert "hush-hush" not in repr(cloud) + str(cloud)


def test_ten_thousand_machines_are_read_in_seconds(tmp_path: Path) -> None:
    accounts = {
        f"account{number}": {
            "guest_networks": {"default": {"zone": "west"}},
            "machines": {
                f"m{index}": {"guest_networks": ["default"], "image": "debian", "offering": "small"}
                for index in range(10)
            },
        }
        for number in range(1000)
    }
    files = {"cloud.d/accounts.yml": yaml.safe_dump({"accounts": accounts})}
    path = write({"text": BASE.replace("capacity_gib: 1000", "capacity_gib: 200000"), "files": files}, tmp_path)
    started = time.process_time()
    cloud = load(path)
    assert sum(len(account.machines) for account in cloud.accounts.values()) == 10_004
    assert time.process_time() - started < 10  # 2.2 s on the machine that this was written on


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        4095,
        2.5,
        "",
        "x",
        "auto",
        "upstream",
        "10.64.1.31",
        "255.255.255.255",
        "0.0.0.0/0",
        "0.0.0.0/31",
        "10.0.0.0/8",
        [],
        {},
    ]
)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything in a declaration."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*path, key)
        yield from paths(below, (*path, key))


def damaged(damage: list[tuple[tuple[str | int, ...], Any]]) -> Any:
    """The base with other values at some paths."""
    declaration = yaml.safe_load(BASE)
    for path, junk in damage:
        if path in set(paths(declaration)):  # else it went with an earlier one
            holder = declaration
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = junk
    return declaration


@pytest.mark.parametrize("part", ["images", "offerings", "data_centers", "zones", "accounts"])
def test_whatever_is_of_the_wrong_kind_is_one_mistake(part: str, tmp_path: Path) -> None:
    for path in paths(yaml.safe_load(BASE)[part], (part,)):
        text = yaml.safe_dump(damaged([(path, [{}])]))  # neither text, a number, an address, a cable nor a mapping
        mistakes = mistakes_of(write({"text": text}, tmp_path))
        assert len(mistakes) == 1, f"{path}: {mistakes}"


@given(damage=st.lists(st.tuples(st.sampled_from(sorted(paths(yaml.safe_load(BASE)), key=str)), JUNK), max_size=6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_is_damaged_the_answer_is_a_list_of_mistakes(
    damage: list[tuple[tuple[str | int, ...], Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = write({"text": yaml.safe_dump(damaged(damage))}, tmp_path_factory.mktemp("damaged"))
    mistakes = mistakes_of(file)
    assert len(mistakes) == len(set(mistakes))


def test_the_example_is_right() -> None:
    cloud = load(Path(__file__).parents[3] / "inventories" / "example" / "cloud.yml", {})
    assert (len(cloud.data_centers), len(cloud.zones), sum(len(zone.pods) for zone in cloud.zones.values())) == (
        2,
        2,
        4,
    )


@pytest.mark.parametrize(("name", "pods"), [("lab", [2]), ("two-zones", [2, 2])])
def test_clouds_of_labs_are_right(name: str, pods: list[int], tmp_path: Path) -> None:
    (tmp_path / "ssh").mkdir()
    (tmp_path / "ssh" / "id_ed25519.pub").write_text(PUBLIC_KEY, encoding="utf-8")
    cloud = load(Path(__file__).parents[3] / "inventories" / name / "cloud.yml", {"PODWRIGHT_LAB": str(tmp_path)})
    assert cloud.administrator_keys == (PUBLIC_KEY,)
    assert [len(zone.pods) for zone in cloud.zones.values()] == pods
