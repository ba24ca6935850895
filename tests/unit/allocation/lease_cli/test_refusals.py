"""`podwright lease`: what is refused, and with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.allocation.lease_cli.said import Podwright, Said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["explain", "p1"],
            (
                "VALUE: p1 is not a value of any pool; give one such as 214 (a VLAN id), 192.0.2.1, 10.1.1.0/24 or "
                "02:70:77:00:00:01"
            ),
        ),
        (["explain", "5000", "--pool", "guest_vlan"], "VALUE: 5000 is not a VLAN id; give a number of 1 to 4094"),
        (
            ["explain", "101", "--scope", "east/p7"],
            "VALUE: there is no pool at all in east/p7 that could hold 101; podwright lease pools shows all",
        ),
        (
            ["explain", "--holder", "initech"],
            (
                "--holder: initech has nothing and never had; podwright lease list --holder with a part of its name "
                "shows whom there is"
            ),
        ),
        (["explain"], "Invalid value: give a VALUE or --holder NAME, and not both Try: podwright --help"),
        (
            ["explain", "--holder", "x", "--pool", "mac"],
            "Invalid value: --holder looks in every pool; leave --pool and --scope out Try: podwright --help",
        ),
        (
            ["reserve", "guest_vlan", "east/p1/rack1", "x"],
            "SCOPE: east/p1/rack1 is not a place of pool guest_vlan; give <zone>/<pod>",
        ),
        (
            ["reserve", "vni", "east", "acme/default"],
            "--ranges: pool vni of zone east was never declared; say what it holds",
        ),
        (
            ["reserve", "vni", "east", "acme/default", "--ranges", "20-10"],
            "--ranges: 20-10 is not a range of VNIs; write 10-20",
        ),
        (
            ["reserve", "guest_vlan", "east/p1", "initech/default", "--ranges", "101-110"],
            (
                "--ranges: pool guest_vlan of pod p1 in zone east is declared by cloud lab at "
                "zones.east.pods.p1.guest_vlans; change it there, and leave --ranges out here"
            ),
        ),
        (
            ["reserve", "guest_vlan", "east/p1", "initech/default", "--value", "102"],
            (
                "zones.east.pods.p1.guest_vlans: 102, which network default of account initech asks for, belongs to "
                "network default of account globex (releasing); ask for another"
            ),
        ),
        (
            ["reserve", "public_address", "east", "bastion"],
            (
                "zones.east.pods.*.networks.public.lease_range: pool public_address of zone east is divided among p1, "
                "p2 and has nothing for bastion; say whose part to take from, or extend it"
            ),
        ),
        (
            ["release", "guest_vlan", "east/p1", "acme/default"],
            (
                "HOLDER: 101 of network default of account acme belongs to cloud lab; "
                "take the guest network out of its inventory instead"
            ),
        ),
        (
            ["release", "mac", "lab", "acme-web1"],
            "HOLDER: 02:70:77:00:00:04 of acme-web1 belongs to cloud lab; take that out of its inventory instead",
        ),
        (
            ["renumber", "guest_vlan", "east/p1", "initech/default"],
            "guest_vlan east/p1: initech/default guest_network holds nothing; podwright lease list shows who does",
        ),
        (
            ["renumber", "guest_vlan", "west/p1", "acme/default"],
            "SCOPE: pool guest_vlan of pod p1 in zone west was never declared; podwright lease pools shows which were",
        ),
    ],
)
@pytest.mark.usefixtures("deployed")
def test_what_cannot_be_had_is_refused_with_a_remedy(podwright: Podwright, arguments: list[str], message: str) -> None:
    assert podwright(*arguments) == Said(4, "", message)


def test_a_database_that_cannot_be_used_is_another_failure(
    podwright: Podwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "leases.db"
    assert podwright("list") == Said(
        3, "", f"database {path}: holds no leases yet; deploy its cloud first, or give another path"
    )
    path.write_text("what is this? " * 100)
    message = f"database {path}: is not an SQLite database; give another path, or restore it from a backup"
    for command in (["usage"], ["reserve", "guest_vlan", "east/p1", "x"]):
        said = podwright(*command)
        assert (said.code, said.err) == (3, f"{message} (file is not a database)")
    monkeypatch.chdir(tmp_path)
    assert podwright("list", "--database", "").err.endswith(
        "does not exist; give --inventory or --database Try: podwright --help"
    )
