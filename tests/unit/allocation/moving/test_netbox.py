"""Leases from NetBox.

No file here is a recording. They were written by hand in the format that NetBox's documentation and source describe, at
https://github.com/netbox-community/netbox/blob/43fe81f9e833228c9869f7ddadb67e6c5f145060/ and there:
docs/integrations/rest-api.md (lists, pages, nested and brief objects), docs/features/customization.md (CSV exports: the
current view or all data), netbox/ipam/api/serializers_ (the keys of JSON), netbox/ipam/tables (the columns
of CSV exports and their titles), netbox/ipam/forms/bulk_import.py (the fields of CSV imports).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from podwright.allocation import allocate
from podwright.allocation.database import Database
from podwright.allocation.history import Run
from podwright.allocation.moving.netbox import NetBoxImport, import_netbox
from podwright.allocation.moving.netbox_file import slug
from podwright.allocation.pools import SHARED, Pool
from podwright.allocation.single_pool import ask
from podwright.cli import app
from podwright.errors import InvalidInput
from tests.unit.allocation.declaration import NOW, account, cloud, leases

VLANS = Pool("guest_vlan", "east/p1", {SHARED: (range(101, 150),), "acme": (range(150, 160),)}, "ranges")
SUBNETS = Pool("guest_subnet", "east", {SHARED: (range(0xAC1000, 0xAC1010),)}, "subnets")  # 172.16.0.0/20
SCOPES = {"dc1": "east/p1"}

EXPORTED_VLANS = """\
VID,Name,Site,Group,Prefixes,Tenant,Status,Role,Description
101,web,DC1,,172.16.3.0/24,Acme Corp.,Active,,
102,Old stuff,DC1,,,Globex,Active,,"of before, kept"
103,spare,DC1,,,—,Reserved,,
104,web,DC9,Rack 9,,Globex,Active,,
"""
EXPORTED_PREFIXES = """\
Prefix,Status,Children,VRF,Utilization,Tenant,Scope,VLAN,Role,Description
172.16.0.0/20,Container,2,,10,Acme Corp.,DC1,,,
172.16.3.0/24,Active,0,,10,Acme Corp.,DC1,web (101),,
172.16.4.0/24,Deprecated,0,,10,Globex,DC1,,,
172.16.5.0/24,Active,0,,10,Globex,DC1,,,
172.16.6.0/25,Active,0,,10,Globex,DC1,,,
172.16.7.0/24,Active,0,,10,,DC1,,,
2001:db8::/64,Active,0,,10,Globex,DC1,,,
"""


def vlan(vid: int, name: str, tenant: str | None, site: str | None = "dc1", **others: Any) -> dict[str, Any]:
    return {
        "id": vid,
        "url": f"https://netbox.example/api/ipam/vlans/{vid}/",
        "display": f"{name} ({vid})",
        "site": thing(site),
        "group": None,
        "vid": vid,
        "name": name,
        "tenant": thing(tenant),
        "status": {"value": "active", "label": "Active"},
        "role": None,
        "description": "",
    } | others


def prefix(network: str, tenant: str | None, of: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "url": "https://netbox.example/api/ipam/prefixes/1/",
        "display": network,
        "family": {"value": 4, "label": "IPv4"},
        "prefix": network,
        "vrf": None,
        "scope_type": "dcim.site",
        "scope_id": 1,
        "scope": thing("dc1"),
        "tenant": thing(tenant),
        "vlan": of and {key: of[key] for key in ("id", "url", "display", "vid", "name")},
        "status": {"value": "active", "label": "Active"},
        "is_pool": False,
    } | others


def thing(name: str | None) -> dict[str, Any] | None:
    return name and {"id": 1, "url": "https://netbox.example/api/", "name": name.title(), "slug": name}  # type: ignore[return-value]


def page(*objects: dict[str, Any], **others: Any) -> str:
    return json.dumps({"count": len(objects), "next": None, "previous": None, "results": list(objects)} | others)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """One with pools for VLANs and subnets, from which initech has something."""
    path = tmp_path / "leases.db"
    with Database(path, Run("alice", "host", "reserve")) as opened:
        for pool in (VLANS, SUBNETS):
            ask(
                opened,
                pool,
                ["initech/default"],
                purpose="guest_network",
                state="present",
                fixed={"initech/default": 120} if pool is VLANS else {},
                quarantine_hours=24,
                preview=False,
                now=NOW,
            )
    return path


def imported(database: Path, *, scopes: Any = SCOPES, preview: bool = False, **files: str) -> NetBoxImport:
    texts = {name.replace("_", "."): text for name, text in files.items()}
    with Database(database, Run("bob", "host", "import-netbox")) as opened:
        return import_netbox(opened, texts, scopes, preview=preview, now=NOW)


def conflicts(database: Path, *, scopes: Any = SCOPES, **files: str) -> list[str]:
    before = leases(database)
    found = imported(database, scopes=scopes, **files)
    assert leases(database) == before
    assert found.leases == []
    return list(map(str, found.conflicts))


def lines(found: NetBoxImport) -> list[str]:
    assert found.conflicts == []
    return [str(change.after) for change in found.leases]


def test_exported_csv_becomes_leases(database: Path) -> None:
    scopes = SCOPES | {"DC1": "east/p1"}
    found = imported(database, scopes=scopes, vlans_csv=EXPORTED_VLANS, prefixes_csv=EXPORTED_PREFIXES)
    assert lines(found) == [
        "guest_vlan east/p1 101 acme-corp/web guest_network",
        "guest_vlan east/p1 102 globex/default guest_network",
        "guest_subnet east 172.16.3.0/24 acme-corp/web guest_network",
        "guest_subnet east 172.16.5.0/24 globex/default guest_network",
    ]
    assert list(map(str, found.skipped)) == [
        "vlans.csv:4: VLAN 103 is skipped: it has no tenant",
        "vlans.csv:5: VLAN 104 is skipped: no --map says where rack-9 or dc9 is",
        "prefixes.csv:2: prefix 172.16.0.0/20 is skipped: its status is container",
        "prefixes.csv:4: prefix 172.16.4.0/24 is skipped: its status is deprecated",
        "prefixes.csv:6: prefix 172.16.6.0/25 is skipped: it is not an IPv4 network of prefix length 24",
        "prefixes.csv:7: prefix 172.16.7.0/24 is skipped: it has no tenant",
        "prefixes.csv:8: prefix 2001:db8::/64 is skipped: it is not an IPv4 network of prefix length 24",
    ]


def test_importing_again_changes_nothing_and_a_preview_says_the_same(database: Path) -> None:
    before = leases(database)
    previewed = imported(database, vlans_csv=EXPORTED_VLANS, preview=True)
    assert leases(database) == before
    assert imported(database, vlans_csv=EXPORTED_VLANS) == previewed
    again = imported(database, vlans_csv=EXPORTED_VLANS)
    assert (again.leases, again.conflicts) == ([], [])


def test_what_was_imported_is_not_given_to_others(database: Path) -> None:
    imported(database, vlans_csv=EXPORTED_VLANS)
    with Database(database, Run("alice", "host", "reserve")) as opened:
        asked = ask(
            opened,
            VLANS,
            ["hooli/default", "acme-corp/web"],
            purpose="guest_network",
            state="present",
            fixed={},
            quarantine_hours=24,
            preview=False,
            now=NOW,
        )
    assert {holder: lease.value for holder, lease in asked.leases.items()} == {
        "hooli/default": 103,
        "acme-corp/web": 101,
    }


def test_an_account_that_is_declared_later_keeps_what_was_imported(tmp_path: Path) -> None:
    allocate(cloud(tmp_path, {}), preview=False, now=NOW)
    web = vlan(130, "default", "acme")
    files = {"vlans_json": page(web), "prefixes_json": page(prefix("172.16.2.0/24", "acme", web))}
    assert len(imported(tmp_path / "leases.db", **files).leases) == 2
    declared = cloud(tmp_path, {"acme": account("web1", subnet="auto"), "aaa": account("web1", subnet="auto")})
    got = allocate(declared, preview=False, now=NOW).leases
    assert got.guest_vlans == {("aaa", "default", "p1"): 101, ("acme", "default", "p1"): 130}
    assert str(got.guest_subnets["acme", "default"]) == "172.16.2.0/24"


def test_csv_with_the_names_of_fields_and_another_delimiter_is_read(database: Path) -> None:
    vlans = "\ufeffvid;name;site;tenant;status\n101;web;dc1;acme;active\n"
    prefixes = "prefix;tenant;vlan;site;status\n172.16.3.0/24;acme;101;dc1;active\n"
    assert lines(imported(database, vlans_csv=vlans, prefixes_csv=prefixes)) == [
        "guest_vlan east/p1 101 acme/web guest_network",
        "guest_subnet east 172.16.3.0/24 acme/web guest_network",
    ]


def test_json_becomes_leases(database: Path) -> None:
    web = vlan(101, "web", "acme")
    group = vlan(102, "Über uns", "acme", "dc9", group=thing("racks"))
    vlans = page(web, group, vlan(103, "spare", None))
    prefixes = page(
        prefix("172.16.3.0/24", "acme", web),
        prefix("172.16.4.0/24", "acme", group, scope=None, site=thing("dc1")),
        prefix("172.16.5.0/24", "globex", scope=None),
    )
    found = imported(database, scopes=SCOPES | {"racks": "east/p1"}, vlans_json=vlans, prefixes_json=prefixes)
    assert lines(found) == [
        "guest_vlan east/p1 101 acme/web guest_network",
        "guest_vlan east/p1 102 acme/default guest_network",
        "guest_subnet east 172.16.3.0/24 acme/web guest_network",
        "guest_subnet east 172.16.4.0/24 acme/default guest_network",
    ]
    assert list(map(str, found.skipped)) == [
        "vlans.json: results[2]: VLAN 103 is skipped: it has no tenant",
        "prefixes.json: results[2]: prefix 172.16.5.0/24 is skipped: it has neither VLAN group nor site",
    ]


def test_a_list_without_a_page_around_it_is_read(database: Path) -> None:
    assert len(imported(database, vlans_json=json.dumps([vlan(101, "web", "acme")])).leases) == 1


def test_pages_are_read_together(database: Path) -> None:
    next_page = "https://netbox.example/api/ipam/vlans/?limit=1&offset=1"
    first = page(vlan(101, "web", "acme"), count=2, next=next_page)
    assert conflicts(database, vlans_json=first) == [
        (
            "vlans.json: results: 1 objects is not all 2 that NetBox has; "
            "ask NetBox with ?limit=0, or give the file of every page"
        )
    ]
    second = page(vlan(102, "web", "globex"), count=2)
    assert len(imported(database, one_json=first, two_json=second).leases) == 2


def test_every_conflict_is_listed_and_nothing_is_imported(database: Path) -> None:
    vlans = page(
        vlan(101, "web", "acme"),
        vlan(101, "web", "globex"),
        vlan(102, "web", "acme"),
        vlan(120, "web", "hooli"),
        vlan(130, "default", "initech"),
        vlan(200, "web", "umbrella"),
        vlan(150, "web", "cyberdyne"),
        vlan(9999, "web", "tyrell"),
        vlan(104, "web", "acme_corp"),
        vlan(105, "web", "soylent", "dc2"),
        vlan(106, "app", None) | {"tenant": {"id": 2, "name": "Acme of another group", "slug": "acme"}},
    )
    assert conflicts(database, scopes=SCOPES | {"dc2": "east/p2"}, vlans_json=vlans) == [
        (
            "vlans.json: results[1].value: 101 is not leased only once in guest_vlan of pod p1 in zone east; "
            "vlans.json: results[0] gives it to network web of account acme: take one of them out"
        ),
        (
            "vlans.json: results[2].holder: acme/web is not without another value in guest_vlan of pod p1 in "
            "zone east for guest_network; vlans.json: results[0] gives it 101: take one of them out"
        ),
        (
            "vlans.json: results[3].value: 120 is not free in guest_vlan of pod p1 in zone east, where network "
            "default of account initech has it for guest_network (held); take it out of the file, or let that "
            "lease go first"
        ),
        (
            "vlans.json: results[4].holder: initech/default is not without another value in guest_vlan of pod p1 "
            "in zone east, where it has 120 for guest_network (held); take it out of the file, or renumber the "
            "holder first"
        ),
        (
            "vlans.json: results[5].value: 200 is not in pool guest_vlan of pod p1 in zone east, which has "
            "101-149 acme=150-159; extend ranges, or take it out of the file"
        ),
        (
            "vlans.json: results[6]: 150 is not for cyberdyne in guest_vlan of pod p1 in zone east: it is kept "
            "for acme; change ranges, or take it out of the file"
        ),
        "vlans.json: results[7].vid: 9999 is not a VLAN id; give a number of 1 to 4094",
        (
            "vlans.json: results[8].tenant: acme_corp is not the name of an account; give the tenant a slug of "
            "lower-case letters, digits and hyphens"
        ),
        (
            "vlans.json: results[9].scope: guest_vlan east/p2 is not a pool that was declared; declare it first, "
            "or correct pool and scope"
        ),
        (
            "vlans.json: results[10].tenant: Acme of another group is not alone with slug acme; vlans.json: "
            "results[0] has Acme: give one of them another slug, and import JSON"
        ),
    ]


SAVE = "save what /api/ipam/vlans/ or /api/ipam/prefixes/ answers"
EXPORT = "a.txt:1: this is not an export of VLANs or prefixes; export VLANs or prefixes from NetBox, as CSV or JSON"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"count"',
            "a.txt:1: this is not JSON; Expecting ':' delimiter: save what NetBox answers once more",
        ),
        ('{"detail": "no"}', f"a.txt: results: nothing is not a list; {SAVE}"),
        ("[5]", f"a.txt: [0]: 5 is not a VLAN or a prefix; {SAVE}"),
        (
            '[{"vid": 1, "name": "web", "site": null, "group": null, "status": null}]',
            "a.txt: [0].tenant: a required key is missing; ask NetBox without brief, fields and omit",
        ),
        ("Name,Slug\n", EXPORT),
        ("", EXPORT),
        (
            "VID,Name,Tenant\n",
            "a.txt:1: group or site: a required column is missing; export all data, or show that column",
        ),
        ("VID,Name,Site,Tenant\nx,web,dc1,acme\n", "a.txt:2: vid: x is not a VLAN id; give a number of 1 to 4094"),
        (
            "Prefix,Status,Tenant,Scope,VLAN\n172.16.3.1/24,Active,acme,dc1,\n",
            "a.txt:2: prefix: 172.16.3.1/24 is not a subnet; give one such as 10.1.1.0/24",
        ),
        (
            "Prefix,Status,Tenant,Scope,VLAN\n172.16.3.0/24,Active,acme,dc1,101\n",
            (
                "a.txt:2: vlan: 101 is not the id of one VLAN of acme in these files; "
                "give the export of the VLANs, too, or one of prefixes that names them"
            ),
        ),
    ],
)
def test_what_is_wrong_in_a_file(database: Path, text: str, message: str) -> None:
    assert conflicts(database, a_txt=text) == [message]


def test_a_map_that_is_wrong_is_refused(database: Path) -> None:
    assert conflicts(database, scopes=SCOPES | {"dc2": "East/p1"}, vlans_csv=EXPORTED_VLANS) == [
        "--map: dc2=East/p1 is not a VLAN group or site and where it is; give one such as dc1=east/p1"
    ]


@pytest.mark.parametrize(
    ("name", "expected"), [("Acme Corp.", "acme-corp"), (" A & B  Ltd ", "a-b-ltd"), ("a_b.c", "a_b-c"), ("—", "")]
)
def test_slugs_are_those_of_netbox_s_forms(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_the_command_imports_and_refuses(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "vlans.csv"
    file.write_text(EXPORTED_VLANS)
    arguments = ["lease", "import-netbox", str(file), "--database", str(database), "--map", "dc1=east/p1"]
    printed = (
        "guest_vlan east/p1 101 acme-corp/web guest_network\nguest_vlan east/p1 102 globex/default guest_network\n"
    )
    for more, expected in ((["--check"], (2, printed)), ([], (2, printed)), ([], (0, ""))):
        result = CliRunner().invoke(app, [*arguments, *more], catch_exceptions=False)
        assert (result.exit_code, result.stdout) == expected
    file.write_text(EXPORTED_VLANS.replace("101,", "120,"))
    with pytest.raises(InvalidInput, match="120 is not free"):  # which podwright.cli.main makes exit code 4
        CliRunner().invoke(app, arguments, catch_exceptions=False)
