"""`podwright lease`: how full pools, hypervisors and storage servers are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwright import cli
from podwright.allocation import allocate
from tests.unit.allocation.lease_cli.said import Podwright, Said


def test_usage_tells_when_pools_are_empty(podwright: Podwright, deployed: Path) -> None:
    said = podwright("usage", "--pool", "public_address")
    assert said == Said(
        0,
        """public_address
Scope  For  Size  Held  Releasing  Quarantine  Free  Used  Empty on
──────────────────────────────────────────────────────────────────────
east   p1    240     1          1           0   238    0%  2026-12-27
east   p2    240     0          0           0   240    0%  -

Empty on: at last month's rate (of what history there is); -: not at that rate.""",
    )


def test_usage_counts_promises_of_hypervisors(podwright: Podwright, deployed: Path) -> None:
    assert podwright("usage", "--scope", "*/p1", "--warn", "5").out.splitlines()[-12:] == [
        "Empty on: at last month's rate (of what history there is); -: not at that rate.",
        "",
        "hypervisors: what is promised",
        "Pod      Hypervisor  Domains  vCPUs  Memory MiB",
        "────────────────────────────────────────────────",
        "east/p1  p1-hv1            2      2         256",
        "east/p1  p1-hv2            1      1         128",
        "",
        "storage servers: what is leased",
        "Pod      Storage server  Volumes  GiB  Left behind GiB  IOPS  Empty on",
        "───────────────────────────────────────────────────────────────────────",
        "east/p1  p1-n1                 3    3                1  1500  -",
    ]
    data = json.loads(podwright("usage", "--json", "--scope", "east/p1").out)
    assert data["pools"][0] == {
        "pool": "guest_vlan",
        "scope": "east/p1",
        "section": "",
        "size": 51,
        "held": 1,
        "releasing": 1,
        "quarantine": 0,
        "empty_at": "2026-03-18T12:00:00+00:00",
        "free": 49,
        "percent": 3.9,
        "forecast": "at last month's rate it is empty on 2026-03-18",
    }
    assert data["hypervisors"][0] == {
        "scope": "east/p1",
        "hypervisor": "p1-hv1",
        "domains": 2,
        "vcpus": 2,
        "memory_mib": 256,
        "vcpus_of": None,
        "memory_mib_of": None,
    }
    assert data["storage_servers"] == [
        {
            "scope": "east/p1",
            "server": "p1-n1",
            "volumes": 3,
            "size_gib": 3,
            "left_behind_gib": 1,
            "storage_iops": 1500,
            "size_gib_of": None,
            "storage_iops_of": None,
            "empty_at": None,
        }
    ]


@pytest.mark.usefixtures("deployed")
def test_usage_warns_of_what_is_fuller(podwright: Podwright) -> None:
    said = podwright("usage", "--pool", "guest_vlan", "--warn", "3")
    assert (said.code, said.out.splitlines()[-1]) == (
        2,
        "pool guest_vlan of pod p1 in zone east: 2 of 51 are used (3%)",
    )
    assert podwright("usage", "--pool", "guest_vlan", "--warn", "4").code == 0


def test_the_database_is_that_of_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "cloud"
    source = Path(__file__).parents[4] / "inventories/example"
    for file in source.rglob("*"):
        if file.is_file():
            target = directory / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())

    def usage(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["podwright", "lease", "usage", "-i", str(directory), *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    assert usage() == (
        3,
        (
            f"database {directory}/.podwright/leases.db: holds no leases yet; deploy its cloud first, or give another "
            "path\n"
        ),
    )
    allocate(cli.load(directory / "cloud.yml"), preview=False)
    code, out = usage("--json", "--warn", "3")
    data = json.loads(out)
    assert code == 2
    assert data["hypervisors"][2]["memory_mib_of"] > data["hypervisors"][2]["memory_mib"] > 0
    assert data["storage_servers"][0]["size_gib_of"] > data["storage_servers"][0]["size_gib"] > 0
    assert "T" in data["storage_servers"][0]["empty_at"]
