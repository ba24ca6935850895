"""`podwright lease`, as an operator or a job calls it: what is said, and the exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.console import Console

from podwright import cli
from podwright.allocation import allocate, enquiry, history, settle, told
from podwright.allocation.database import Database, unix_time
from tests.unit.allocation.declaration import NOW, account, cloud

TODAY = NOW + timedelta(days=3)


class Said(NamedTuple):
    code: int
    out: str
    err: str = ""


Podwright = Callable[..., Said]


@pytest.fixture(autouse=True)
def somewhere_at_some_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SUDO_USER", "ada")
    for variable in ("PODWRIGHT_DATABASE", "PODWRIGHT_INVENTORY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(history.socket, "gethostname", lambda: "controller")
    set_clock(monkeypatch, TODAY)
    yield
    monkeypatch.undo()
    time.tzset()


def set_clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    for module in ("cli", "single_pool"):
        monkeypatch.setattr(f"podwright.allocation.{module}.unix_time", lambda moment: unix_time(moment or now))


@pytest.fixture
def podwright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Podwright:
    def call(*arguments: str) -> Said:
        monkeypatch.setenv("PODWRIGHT_DATABASE", str(tmp_path / "leases.db"))
        monkeypatch.setattr("sys.argv", ["podwright", "lease", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        lines = [line.rstrip() for line in printed.out.splitlines()]
        return Said(int(ended.value.code or 0), "\n".join(lines), printed.err.strip())

    return call


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """acme has a machine; globex had a network, which is being released."""
    allocate(cloud(tmp_path, {"acme": account("web1"), "globex": account()}), preview=False, now=NOW)
    allocate(cloud(tmp_path, {"acme": account("web1")}), preview=False, now=NOW + timedelta(days=1))
    return tmp_path


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


def test_a_value_is_explained_with_its_history_and_where_else_it_could_be(deployed: Path, podwright: Podwright) -> None:
    settle(
        cloud(deployed, {"acme": account("web1")}),
        planned_at=int(TODAY.timestamp()),
        now=TODAY - timedelta(hours=1),
        preview=False,
    )
    assert podwright("explain", "102") == Said(
        0,
        """VLAN id 102 of pod p1 in zone east (guest_vlan)
  in quarantine, given up by network default of account globex (globex/default) for guest_network, asked for by cloud lab
  since 2026-01-03T23:00:00+00:00, until 2026-01-04T23:00:00+00:00
  from run 3 by ada@controller: release lab
  history:
    2026-01-01T00:00:00+00:00 run 1 by ada@controller: plan lab
      guest_vlan east/p1 102 globex/default guest_network: free -> held
    2026-01-02T00:00:00+00:00 run 2 by ada@controller: plan lab
      guest_vlan east/p1 102 globex/default guest_network: held -> releasing
    2026-01-03T23:00:00+00:00 run 3 by ada@controller: release lab
      guest_vlan east/p1 102 globex/default guest_network: releasing -> quarantine
free: guest_vlan east/p2""",  # noqa: E501 (what is said is not wrapped)
    )
    [there, elsewhere] = json.loads(podwright("explain", "102", "--json").out)["values"]
    assert (there["in_pool"], there["dedicated_to"], there["lease"]["state"]) == (True, None, "quarantine")
    assert there["history"][-1] == {
        "at": "2026-01-03T23:00:00+00:00",
        "run": 3,
        "operator": "ada",
        "host": "controller",
        "command": "release lab",
        "pool": "guest_vlan",
        "scope": "east/p1",
        "value": 102,
        "holder": "globex/default",
        "purpose": "guest_network",
        "before": "releasing",
        "after": "quarantine",
    }
    assert (elsewhere["lease"], elsewhere["history"]) == (None, [])


@pytest.mark.usefixtures("deployed")
def test_what_nobody_has_is_free_kept_for_somebody_or_of_no_pool(podwright: Podwright) -> None:
    assert podwright("explain", "130").out == "free: guest_vlan east/p1, guest_vlan east/p2"
    assert podwright("explain", "115", "--scope", "*/p2").out == "not in the pool: guest_vlan east/p2"
    assert podwright("explain", "203.0.2.20", "--pool", "public_address").out == (
        "free, for p2 alone: public_address east"
    )
    assert podwright("explain", "172.16.1.0/24").out.splitlines() == [
        "free: guest_subnet east",
        "not in the pool: management_subnet east",
    ]
    assert podwright("explain", "02:70:77:00:00:20").out == "free: mac lab"


@pytest.mark.usefixtures("deployed")
def test_a_holder_is_explained_with_all_that_it_has_and_had(podwright: Podwright) -> None:
    assert podwright("explain", "--holder", "acme-web1") == Said(
        0,
        """address 10.1.1.2 of network default in account acme (guest_address)
  held by acme-web1 for eth0, asked for by cloud lab
  since 2026-01-01T00:00:00+00:00
  from run 1 by ada@controller: plan lab
MAC address 02:70:77:00:00:04 of cloud lab (mac)
  held by acme-web1 for eth0, asked for by cloud lab
  since 2026-01-01T00:00:00+00:00
  from run 1 by ada@controller: plan lab
hypervisor p1-hv2 of pod p1 in zone east (placement)
  held by acme-web1, asked for by cloud lab
  since 2026-01-01T00:00:00+00:00
  from run 1 by ada@controller: plan lab
1 GiB on storage server p1-n1 of pod p1 in zone east (volume)
  held by acme-web1, asked for by cloud lab
  since 2026-01-01T00:00:00+00:00
  from run 1 by ada@controller: plan lab
  history:
    2026-01-01T00:00:00+00:00 run 1 by ada@controller: plan lab
      mac lab 02:70:77:00:00:04 acme-web1 eth0: free -> held
      guest_address acme/default 10.1.1.2 acme-web1 eth0: free -> held
      placement east/p1 p1-hv2 acme-web1: nothing -> held
      volume east/p1 p1-n1 acme-web1: nothing -> held 1 GiB""",
    )
    data = json.loads(podwright("explain", "--holder", "globex*", "--json").out)
    assert {lease["state"] for lease in data["leases"]} == {"releasing"}
    assert {change["after"] for change in data["history"]} == {"held", "releasing", "held 1 GiB", "releasing 1 GiB"}


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


@pytest.mark.usefixtures("deployed")
def test_history_is_told_run_by_run(podwright: Podwright) -> None:
    assert podwright("history", "--pool", "guest_vlan") == Said(
        0,
        """2026-01-01T00:00:00+00:00 run 1 by ada@controller: plan lab
  guest_vlan east/p1 declared: nothing -> 101-110,120-160
  guest_vlan east/p2 declared: nothing -> 101-110,120-160
  guest_vlan east/p1 101 acme/default guest_network: free -> held
  guest_vlan east/p1 102 globex/default guest_network: free -> held
2026-01-02T00:00:00+00:00 run 2 by ada@controller: plan lab
  guest_vlan east/p1 102 globex/default guest_network: held -> releasing""",
    )
    for filters, changes in (
        (["--since", "2026-01-02"], 8),
        (["--since", "2026-01-02T00:00:00+0000", "--limit", "2"], 2),
        (["--run", "1", "--holder", "globex/"], 1),
        (["--scope", "east/p2", "--holder", "globex"], 0),
    ):
        assert len(json.loads(podwright("history", "--json", *filters).out)["history"]) == changes
    assert podwright("history", "--run", "9") == Said(0, "nothing was done that is like that")


@pytest.mark.usefixtures("deployed")
def test_pools_are_shown_as_they_were_declared(podwright: Podwright) -> None:
    assert podwright("pools", "--scope", "east*") == Said(
        0,
        """guest_subnet east: declared by cloud lab at zones.east.guest_subnets
  for all: 172.16.0.0/24-172.16.3.0/24 (4)
guest_vlan east/p1: declared by cloud lab at zones.east.pods.p1.guest_vlans
  for all: 101-110, 120-160 (51)
guest_vlan east/p2: declared by cloud lab at zones.east.pods.p2.guest_vlans
  for all: 101-110, 120-160 (51)
management_address east/p1: declared by cloud lab at zones.east.pods.p1.networks.management.lease_range
  for all: 192.168.1.101-192.168.1.199 (99)
  for devices: 192.168.1.2-192.168.1.100, 192.168.1.200-192.168.1.254 (154)
management_address east/p2: declared by cloud lab at zones.east.pods.p2.networks.management.lease_range
  for all: 192.168.2.101-192.168.2.199 (99)
  for devices: 192.168.2.2-192.168.2.100, 192.168.2.200-192.168.2.254 (154)
management_subnet east: declared by cloud lab at zones.east.management_network
  for all: 192.168.0.0/24-192.168.255.0/24 (256)
public_address east: declared by cloud lab at zones.east.pods.*.networks.public.lease_range
  for p1: 203.0.1.11-203.0.1.250 (240)
  for p2: 203.0.2.11-203.0.2.250 (240)""",
    )
    assert json.loads(podwright("pools", "--pool", "public_address", "--json").out) == {
        "pools": [
            {
                "pool": "public_address",
                "scope": "east",
                "cloud": "lab",
                "declared_at": "zones.east.pods.*.networks.public.lease_range",
                "sections": {"p1": ["203.0.1.11-203.0.1.250"], "p2": ["203.0.2.11-203.0.2.250"]},
            }
        ]
    }


def test_a_lease_by_hand_from_its_first_day_to_its_last(podwright: Podwright, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = ("vni", "east", "acme/default")
    ranges = ("--ranges", "5000-5009", "--ranges", "6000")
    reserved = "+vni east 5000 acme/default guest_network\n"
    assert podwright("reserve", *lease, *ranges, "--check") == Said(2, f"{reserved}acme/default would have 5000")
    assert podwright("reserve", *lease, *ranges) == Said(2, f"{reserved}acme/default has 5000")
    assert podwright("reserve", *lease) == Said(0, "acme/default has 5000")
    assert podwright("renumber", *lease, "--to", "6000") == Said(
        2,
        """-vni east 5000 acme/default guest_network
+vni east 5000 acme/default guest_network (quarantine)
+vni east 6000 acme/default guest_network
acme/default has 6000; 5000 rests until 2026-01-05T00:00:00+00:00""",
    )
    assert podwright("renumber", *lease, "--to", "6000") == Said(0, "acme/default has 6000 already")
    assert podwright("explain", "5000").out.splitlines()[:5] == [
        "VNI 5000 of zone east (vni)",
        (
            "  in quarantine, given up by network default of account acme (acme/default) for guest_network, "
            "asked for by a playbook or an operator"
        ),
        "  since 2026-01-04T00:00:00+00:00, until 2026-01-05T00:00:00+00:00",
        "  from run 2 by ada@controller: lease renumber",
        "  its holder was renumbered and has another value now",
    ]
    released = podwright("release", *lease, "--quarantine-hours", "1")
    assert released == Said(
        2,
        """-vni east 6000 acme/default guest_network
+vni east 6000 acme/default guest_network (quarantine)
6000 rests until 2026-01-04T01:00:00+00:00, unless acme/default asks for it before""",
    )
    assert podwright("release", *lease) == Said(0, "acme/default holds nothing there")
    set_clock(monkeypatch, TODAY + timedelta(days=2))
    assert podwright("list") == Said(0, "no lease is like that")
    assert podwright("explain", "6000").out.splitlines()[1] == "  free"


def test_a_cloud_s_holder_is_renumbered_within_its_part_until_a_deployment_has_seen_it(
    podwright: Podwright, deployed: Path
) -> None:
    said = podwright("renumber", "public_address", "east", "acme-east-router", "--check")
    assert said == Said(
        2,
        """-public_address east 203.0.1.11 acme-east-router source_nat
+public_address east 203.0.1.11 acme-east-router source_nat (releasing)
+public_address east 203.0.1.13 acme-east-router source_nat
acme-east-router would have 203.0.1.13; 203.0.1.11 stays taken until the next podwright deploy has seen every device without it""",  # noqa: E501
    )
    assert podwright("renumber", "guest_vlan", "east/p1", "acme/default", "--to", "160", "--json").code == 2
    allocated = allocate(cloud(deployed, {"acme": account("web1")}), preview=True, now=datetime.now(UTC))
    assert allocated.leases.guest_vlans == {("acme", "default", "p1"): 160}
    assert not allocated.changed


@pytest.mark.usefixtures("deployed")
def test_a_value_is_taken_from_the_part_that_is_asked_for(podwright: Podwright) -> None:
    said = podwright("reserve", "public_address", "east", "bastion", "--for", "p2", "--purpose", "ssh")
    assert said == Said(2, "+public_address east 203.0.2.11 bastion ssh\nbastion has 203.0.2.11")


def test_the_database_is_that_of_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "cloud"
    source = Path(__file__).parents[3] / "inventories/example"
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
