"""Every case of tests/cases/inventories: a change to a good declaration, and the exact lines it is refused with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(yaml.safe_load(path.read_text(encoding="utf-8")), id=path.stem)
        for path in sorted((CASES / kind).glob("*.yml"))
    ]


@pytest.mark.parametrize("case", cases("bad"))
def test_bad_inventory_is_refused_with_every_mistake(case: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        load(write(case, tmp_path), case.get("environment", {}))
    assert str(refused.value).replace(str(tmp_path), "<directory>").splitlines() == case["mistakes"]


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
            line=41,
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


def test_ten_thousand_machines_are_read_in_seconds(tmp_path: Path) -> None:
    accounts = {
        f"account{number}": {
            "guest_networks": {"default": {"zone": "west"}},
            "machines": {
                f"m{index}": {"guest_network": "default", "image": "debian", "offering": "small"} for index in range(10)
            },
        }
        for number in range(1000)
    }
    path = write({"files": {"cloud.d/accounts.yml": yaml.safe_dump({"accounts": accounts})}}, tmp_path)
    started = time.process_time()
    cloud = load(path)
    assert sum(len(account.machines) for account in cloud.accounts.values()) == 10_004
    assert time.process_time() - started < 10  # 2.2 s on the machine that this was written on
