"""`podwright lease`: what leases there are."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from podwright.allocation import enquiry, told
from podwright.allocation.database import Database
from tests.unit.allocation.lease_cli.said import Podwright, Said


def test_a_screen_gets_tables_that_say_what_lines_say(deployed: Path) -> None:
    with Database(deployed / "leases.db") as database:
        found = database.read(lambda repository: enquiry.records(repository, enquiry.Only(), 0))
    for listing in told.records_listings(found):
        screen = Console(file=StringIO(), width=200)
        screen.print(told.as_table(listing))
        assert isinstance(screen.file, StringIO)
        table = [line.rstrip() for line in screen.file.getvalue().splitlines()]
        assert table == [line.rstrip() for line in told.as_lines(listing)]


def test_a_name_is_whole_however_long_it_is(podwright: Podwright) -> None:
    holder = f"{'a' * 90}/default"
    podwright("reserve", "guest_vlan", "east/p1", holder, "--ranges", "101-109")
    lines = podwright("list").out.splitlines()
    assert [line.split()[2] for line in lines[3:]] == [holder]


@pytest.mark.usefixtures("deployed")
def test_leases_are_listed_pool_by_pool(podwright: Podwright) -> None:
    assert podwright("list") == Said(
        0,
        """guest_address
Scope         Value     Holder     Purpose  State  Since
──────────────────────────────────────────────────────────────
acme/default  10.1.1.2  acme-web1  eth0     held   2026-01-01

guest_vlan
Scope    Value  Holder          Purpose        State      Since
─────────────────────────────────────────────────────────────────────
east/p1  101    acme/default    guest_network  held       2026-01-01
east/p1  102    globex/default  guest_network  releasing  2026-01-02

mac
Scope  Value              Holder              Purpose  State      Since
─────────────────────────────────────────────────────────────────────────────
lab    02:70:77:00:00:01  acme-east-router    eth0     held       2026-01-01
lab    02:70:77:00:00:02  acme-east-router    eth1     held       2026-01-01
lab    02:70:77:00:00:03  acme-east-router    eth2     held       2026-01-01
lab    02:70:77:00:00:04  acme-web1           eth0     held       2026-01-01
lab    02:70:77:00:00:05  globex-east-router  eth0     releasing  2026-01-02
lab    02:70:77:00:00:06  globex-east-router  eth1     releasing  2026-01-02
lab    02:70:77:00:00:07  globex-east-router  eth2     releasing  2026-01-02

management_address
Scope    Value          Holder              Purpose     State      Since
──────────────────────────────────────────────────────────────────────────────
east/p1  192.168.1.21   p1-n1               management  held       2026-01-01
east/p1  192.168.1.31   p1-hv1              management  held       2026-01-01
east/p1  192.168.1.32   p1-hv2              management  held       2026-01-01
east/p1  192.168.1.101  acme-east-router    eth1        held       2026-01-01
east/p1  192.168.1.102  globex-east-router  eth1        releasing  2026-01-02
east/p2  192.168.2.21   p2-n1               management  held       2026-01-01
east/p2  192.168.2.31   p2-hv1              management  held       2026-01-01
east/p2  192.168.2.32   p2-hv2              management  held       2026-01-01

management_subnet
Scope  Value           Holder  Purpose     State  Since
─────────────────────────────────────────────────────────────
east   192.168.1.0/24  p1      management  held   2026-01-01
east   192.168.2.0/24  p2      management  held   2026-01-01

public_address
Scope  Value       Holder              Purpose     State      Since
─────────────────────────────────────────────────────────────────────────
east   203.0.1.11  acme-east-router    source_nat  held       2026-01-01
east   203.0.1.12  globex-east-router  source_nat  releasing  2026-01-02

placement
Pod      Hypervisor  Domain              vCPUs  MiB  State      Since
───────────────────────────────────────────────────────────────────────────
east/p1  p1-hv1      acme-east-router    1      128  held       2026-01-01
east/p1  p1-hv2      acme-web1           1      128  held       2026-01-01
east/p1  p1-hv1      globex-east-router  1      128  releasing  2026-01-02

volume
Pod      Storage server  Domain              GiB  IOPS  State      Since
──────────────────────────────────────────────────────────────────────────────
east/p1  p1-n1           acme-east-router    1    500   held       2026-01-01
east/p1  p1-n1           acme-web1           1    500   held       2026-01-01
east/p1  p1-n1           globex-east-router  1    500   releasing  2026-01-02""",
    )


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--pool", "guest_vlan"], [101, 102]),
        (["--pool", "guest_vlan", "--holder", "lobe"], [102]),
        (["--pool", "guest_vlan", "--holder", "a*"], [101]),
        (["--pool", "guest_vlan", "--state", "releasing"], [102]),
        (["--scope", "acme/*"], ["10.1.1.2"]),
        (["--scope", "east", "--state", "held"], ["192.168.1.0/24", "192.168.2.0/24", "203.0.1.11"]),
        (["--pool", "placement", "--holder", "web1"], ["p1-hv2"]),
        (["--pool", "volume", "--state", "releasing"], ["p1-n1"]),
        (["--pool", "lun"], []),
    ],
)
@pytest.mark.usefixtures("deployed")
def test_lists_are_filtered(podwright: Podwright, filters: list[str], found: list[int | str]) -> None:
    said = podwright("list", "--json", *filters)
    assert [lease["value"] for lease in json.loads(said.out)["leases"]] == found


@pytest.mark.usefixtures("deployed")
def test_machines_get_leases_as_data(podwright: Podwright) -> None:
    said = podwright("list", "--json", "--pool", "guest_vlan", "--state", "held")
    assert json.loads(said.out) == {
        "leases": [
            {
                "pool": "guest_vlan",
                "scope": "east/p1",
                "value": 101,
                "holder": "acme/default",
                "purpose": "guest_network",
                "state": "held",
                "since": "2026-01-01T00:00:00+00:00",
                "until": None,
                "cloud": "lab",
            }
        ]
    }
    assert podwright("list", "--pool", "lun") == Said(0, "no lease is like that")
