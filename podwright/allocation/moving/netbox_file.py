"""What NetBox gives away: its VLANs and prefixes, as JSON of its REST API or as CSV. Pure.

CSV is read with the titles of the columns that the user interface exports (`VID`, `Site`), and with the names of the
fields that it imports (`vid`, `site`). It calls tenants, sites and groups by name only: their slugs are then taken to
be what NetBox's forms make of the names.

Sources, all in https://github.com/netbox-community/netbox at 43fe81f: docs/integrations/rest-api.md (lists in pages,
brief objects), docs/features/customization.md (CSV: the current view or all data), netbox/ipam/tables (the columns of
CSV), netbox/ipam/forms/bulk_import.py (the fields of imports), netbox/ipam/api/serializers_ (the keys of JSON),
netbox/project-static/src/buttons/reslug.ts (slugs).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from podwright.allocation.moving.contents import Source
from podwright.errors import Mistake

Kind = Literal["vlan", "prefix"]


class Thing(NamedTuple):
    """A tenant, a site or a VLAN group; that without a slug is none."""

    slug: str = ""
    name: str = ""


class Row(NamedTuple):
    """A VLAN or a prefix."""

    kind: Kind
    value: str
    """A VLAN id, or a network"""
    tenant: Thing
    places: Sequence[Thing]
    """VLAN group and site, the narrower first, as far as it has any"""
    status: str
    vlan_id: str
    """Of a prefix, the id of its VLAN; empty where it has none"""
    vlan_name: str
    """The name of the VLAN; empty where it is not told"""
    source: Source


class Rows(NamedTuple):
    """What is right in a file, and what is not."""

    rows: list[Row]
    mistakes: list[Mistake]


def rows_of(files: Mapping[str, str]) -> Rows:
    """The VLANs and prefixes of files {name for messages: text}."""
    found = Rows([], [])
    lists: list[tuple[str, Mapping[str, Any]]] = []
    for file, text in files.items():
        text = text.removeprefix("\ufeff")
        if text.lstrip().startswith(("{", "[")):
            _read_json(file, text, found, lists)
        else:
            _read_csv(file, text, found)
    found.mistakes.extend(_pages_missing(lists))
    return found


# JSON

_KEYS: Mapping[Kind, Sequence[str]] = {
    "vlan": ("vid", "name", "site", "group", "tenant", "status"),
    "prefix": ("prefix", "tenant", "vlan", "status"),
}


def _read_json(file: str, text: str, found: Rows, lists: list[tuple[str, Mapping[str, Any]]]) -> None:
    try:
        document = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        remedy = f"{getattr(error, 'msg', error)}: save what NetBox answers once more"
        found.mistakes.append(Mistake(file, line, "", "this", "JSON", remedy))
        return
    results, path = document, ""
    if isinstance(document, dict):
        lists.append((file, document))
        results, path = document.get("results"), "results"
    if not isinstance(results, list):
        remedy = "save what /api/ipam/vlans/ or /api/ipam/prefixes/ answers"
        found.mistakes.append(Mistake(file, None, path, _shown(results), "a list", remedy))
        return
    for index, each in enumerate(results):
        _read_object(each, Source(file, None, f"{path}[{index}]"), found)


def _read_object(each: Any, source: Source, found: Rows) -> None:
    kind = _kind(each) if isinstance(each, dict) else None
    if kind is None:
        remedy = "save what /api/ipam/vlans/ or /api/ipam/prefixes/ answers"
        found.mistakes.append(source.mistake("", _shown(each), "a VLAN or a prefix", remedy))
        return
    missing = [key for key in _KEYS[kind] if key not in each]
    remedy = "ask NetBox without brief, fields and omit"
    found.mistakes.extend(source.mistake(key, None, "a required key", remedy) for key in missing)
    if missing:
        return
    vlan = each["vlan"] if kind == "prefix" else each
    vlan = vlan if isinstance(vlan, dict) else {}
    status = each["status"]
    found.rows.append(
        Row(
            kind,
            str(each["vid" if kind == "vlan" else "prefix"]),
            _thing(each["tenant"]),
            # Before NetBox 4.2 a prefix had a site; since then its scope is a site or another kind of place.
            [_thing(each.get(key)) for key in ("group", "scope", "site") if each.get(key)],
            str(status.get("value") if isinstance(status, dict) else status).lower(),
            str(vlan.get("vid", "")),
            str(vlan.get("name", "")),
            source,
        )
    )


def _kind(fields: Collection[str]) -> Kind | None:
    return "vlan" if "vid" in fields else "prefix" if "prefix" in fields else None


def _thing(value: Any) -> Thing:
    if not isinstance(value, dict):
        return Thing()
    name = str(value.get("name", ""))
    return Thing(str(value.get("slug") or slug(name)), name)


def _pages_missing(lists: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Mistake]:
    """NetBox answers in pages; with one missing, VLANs that are taken would look free."""
    of_kind: dict[Kind | None, list[tuple[str, Mapping[str, Any]]]] = {}
    for file, document in lists:
        results = document.get("results")
        if isinstance(results, list) and results and isinstance(results[0], dict):
            of_kind.setdefault(_kind(results[0]), []).append((file, document))
    for pages in of_kind.values():
        got = sum(len(document["results"]) for _, document in pages)
        file, last = max(pages, key=lambda page: page[1].get("count") or 0)
        expected = last.get("count") or 0
        followed = sum(document.get("next") is not None for _, document in pages)
        if got < expected or followed == len(pages):
            remedy = "ask NetBox with ?limit=0, or give the file of every page"
            of_all = f"all {expected} that NetBox has" if got < expected else "all that NetBox has"
            yield Mistake(file, None, "results", f"{got} objects", of_all, remedy)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# CSV

_COLUMNS: Mapping[Kind, Sequence[tuple[str, ...]]] = {
    "vlan": (("name",), ("tenant",), ("group", "site")),
    "prefix": (("tenant",), ("status",), ("vlan",), ("scope", "site", "vlan_group")),
}
_PLACES: Mapping[Kind, Sequence[str]] = {"vlan": ("group", "site"), "prefix": ("vlan_group", "scope", "site")}

# The delimiters that a user of NetBox can choose (netbox/utilities/constants.py, CSV_DELIMITERS).
_DELIMITERS = ",;|\t"


def _read_csv(file: str, text: str, found: Rows) -> None:
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    names = [re.sub("[^a-z]+", "_", title.lower()).strip("_") for title in next(reader, [])]
    kind = _kind(names)
    if kind is None:
        remedy = "export VLANs or prefixes from NetBox, as CSV or JSON"
        found.mistakes.append(Mistake(file, 1, "", "this", "an export of VLANs or prefixes", remedy))
        return
    missing = [columns for columns in _COLUMNS[kind] if not set(columns) & set(names)]
    for columns in missing:
        remedy = "export all data, or show that column"
        found.mistakes.append(Mistake(file, 1, " or ".join(columns), None, "a required column", remedy))
    if missing:
        return
    line = reader.line_num + 1
    for cells in reader:
        if any(cells):
            fields = dict(zip(names, cells, strict=False))
            found.rows.append(_csv_row(kind, {name: _cell(text) for name, text in fields.items()}, file, line))
        line = reader.line_num + 1


def _csv_row(kind: Kind, fields: Mapping[str, str], file: str, line: int) -> Row:
    vlan_id, vlan_name = fields.get("vid", ""), fields.get("name", "")
    if kind == "prefix":
        vlan_id, vlan_name = _vlan_of(fields.get("vlan", ""))
    places = [fields.get(column, "") for column in _PLACES[kind]]
    return Row(
        kind,
        fields["vid" if kind == "vlan" else "prefix"],
        _named(fields.get("tenant", "")),
        [_named(place) for place in places if place],
        fields.get("status", "").lower(),
        vlan_id,
        vlan_name,
        Source(file, line, ""),
    )


def _cell(text: str) -> str:
    """A cell; what NetBox shows in empty ones is nothing."""
    return "" if text.strip() == "—" else text.strip()


def _vlan_of(text: str) -> tuple[str, str]:
    """(id, name) of the VLAN of a prefix: `web (101)` where it was exported, `101` where it can be imported."""
    found = re.fullmatch(r"(?:(.*) \()?([0-9]+)\)?", text)
    return (found[2], found[1] or "") if found else ("", text)


def _named(name: str) -> Thing:
    return Thing(slug(name), name)


def slug(name: str) -> str:
    """What NetBox's forms make of a name."""
    kept = re.sub(r"[^\-.\w\s]", "", name, flags=re.ASCII)
    return re.sub(r"[-.\s]+", "-", re.sub(r"^[\s.]+|[\s.]+$", "", kept)).lower()[:100]
