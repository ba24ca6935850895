"""Leases from NetBox: what its VLANs and prefixes say that tenants have already."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Network
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from podwright.allocation.database import Database, unix_time
from podwright.allocation.demand import NETWORK_PURPOSE
from podwright.allocation.grant import Lease, LeaseChange
from podwright.allocation.moving.arrivals import Target, arrive
from podwright.allocation.moving.contents import Located, Source
from podwright.allocation.moving.netbox_file import Row, Thing, rows_of
from podwright.allocation.moving.transfer import note_taken
from podwright.allocation.pools import KINDS, SHARED, SUBNET_PREFIX, PoolName, scope_in_words, subnet_value
from podwright.allocation.repository import Repository
from podwright.allocation.spoken import value_remedy
from podwright.errors import InvalidInput, Mistake
from podwright.model.fields import Name

DEFAULT_NETWORK = "default"

_POOLS: Mapping[str, PoolName] = {"vlan": "guest_vlan", "prefix": "guest_subnet"}


class Skipped(NamedTuple):
    """What no lease was made of."""

    source: Source
    what: str
    """`VLAN 101` or `prefix 10.1.1.0/24`"""
    reason: str

    def __str__(self) -> str:
        return f"{_place(self.source)}: {self.what} is skipped: {self.reason}"


class NetBoxImport(NamedTuple):
    """What was imported, or would be; where there are conflicts, nothing."""

    leases: Sequence[LeaseChange]
    skipped: Sequence[Skipped]
    conflicts: Sequence[Mistake]


def import_netbox(
    database: Database,
    files: Mapping[str, str],
    scopes: Mapping[str, str],
    *,
    preview: bool,
    now: datetime | None = None,
) -> NetBoxImport:
    """Lease to tenants what NetBox says that they have, VLANs and /24 prefixes: all of it or nothing.

    A VLAN with a tenant is leased to `<tenant's slug>/<network>`, where the network is the VLAN's name if that is a
    valid one, else `default`; so is a prefix, by the name of its VLAN. To import the same again changes nothing.

    Args:
        database: where to; the pools have to be declared there.
        files: {name for messages: text}, as JSON or CSV; see `netbox_file`.
        scopes: {slug or name of a VLAN group or a site: `<zone>/<pod>` or `<zone>`}. The group goes before the site.
        preview: find out what would change, and write nothing.
        now: the time to go by.

    Raises:
        AllocationError: the database cannot be used.
    """
    moment = unix_time(now)
    leases, skipped, mistakes = _read(files, scopes, moment)

    def work(repository: Repository) -> list[LeaseChange]:
        repository.lock_all()
        repository.expire(moment)
        target = Target(repository.pools(), repository.leases())
        new, conflicts = arrive(leases, target)
        dedicated = [mistake for each in leases for mistake in _kept_for_others(each, target)]
        if mistakes or conflicts or dedicated:
            raise InvalidInput([*mistakes, *conflicts, *dedicated])  # which takes everything back
        changes = [LeaseChange(None, lease) for lease in new]
        repository.save(changes, [], moment)
        note_taken(repository, target, new)
        return changes

    try:
        changes = database.preview(work) if preview else database.write(work)
    except InvalidInput as error:
        return NetBoxImport([], skipped, sorted(error.mistakes, key=_order))
    return NetBoxImport(changes, skipped, [])


def _order(mistake: Mistake) -> tuple[str, int, int]:
    index = re.search(r"\[([0-9]+)\]", mistake.path)
    return (mistake.file, mistake.line or 0, int(index[1]) if index else -1)


def _place(source: Source) -> str:
    return ": ".join(part for part in (str(source), source.path) if part)


class _Found(NamedTuple):
    """What files say."""

    leases: list[Located[Lease]]
    skipped: list[Skipped]
    mistakes: list[Mistake]


def _read(files: Mapping[str, str], scopes: Mapping[str, str], now: int) -> _Found:
    rows, mistakes = rows_of(files)
    found = _Found([], [], [*_wrong_scopes(scopes), *mistakes, *_confused_tenants(rows)])
    vlans = defaultdict(set)
    for row in rows:
        if row.kind == "vlan":
            vlans[row.tenant.slug, row.vlan_id].add(row.vlan_name)
    for row in rows:
        scope = _scope(row, scopes)
        reason = _reason_to_skip(row, scope)
        if reason:
            what = f"VLAN {row.value}" if row.kind == "vlan" else f"prefix {row.value}"
            found.skipped.append(Skipped(row.source, what, reason))
            continue
        names = {row.vlan_name} if row.vlan_name or not row.vlan_id else vlans[row.tenant.slug, row.vlan_id]
        wrong = list(_mistakes(row, names))
        found.mistakes.extend(wrong)
        if not wrong:
            found.leases.append(Located(_lease(row, str(scope), next(iter(names)), now), row.source))
    return found


def _wrong_scopes(scopes: Mapping[str, str]) -> Iterator[Mistake]:
    for place, scope in scopes.items():
        parts = scope.split("/")
        if not place or len(parts) > len(KINDS["guest_vlan"].levels) or not all(map(_is_name, parts)):
            expected = "a VLAN group or site and where it is"
            yield Mistake("--map", None, "", f"{place}={scope}", expected, "give one such as dc1=east/p1")


def _confused_tenants(rows: Iterable[Row]) -> Iterator[Mistake]:
    first: dict[str, Row] = {}
    for row in rows:
        before = first.setdefault(row.tenant.slug, row)
        if row.tenant.name != before.tenant.name:
            remedy = f"{_place(before.source)} has {before.tenant.name}: give one of them another slug, and import JSON"
            yield row.source.mistake("tenant", row.tenant.name, f"alone with slug {row.tenant.slug}", remedy)


def _scope(row: Row, scopes: Mapping[str, str]) -> str | None:
    """Where a row's value is unique; None when nobody said so."""
    found = [scopes.get(name) for place in row.places for name in place]
    scope = next(filter(None, found), None)
    return scope.partition("/")[0] if scope and row.kind == "prefix" else scope


def _reason_to_skip(row: Row, scope: str | None) -> str | None:
    if row.tenant == Thing():
        return "it has no tenant"
    if row.kind == "prefix":
        if row.status in ("container", "deprecated"):
            return f"its status is {row.status}"
        address, _, length = row.value.partition("/")
        if ":" in address or (length.isdecimal() and int(length) != SUBNET_PREFIX):
            return f"it is not an IPv4 network of prefix length {SUBNET_PREFIX}"
    if scope is None:
        places = " or ".join(place.slug for place in row.places)
        return f"no --map says where {places} is" if places else "it has neither VLAN group nor site"
    return None


def _mistakes(row: Row, names: set[str]) -> Iterator[Mistake]:
    """What is wrong with a row that is wanted."""
    pool = _POOLS[row.kind]
    if _value(row) is None:
        key = "vid" if row.kind == "vlan" else "prefix"
        yield row.source.mistake(key, row.value or "nothing", f"a {KINDS[pool].noun}", f"give {value_remedy(pool)}")
    if not _is_name(row.tenant.slug):
        remedy = "give the tenant a slug of lower-case letters, digits and hyphens"
        yield row.source.mistake("tenant", row.tenant.slug, "the name of an account", remedy)
    if len(names) != 1:
        expected = f"the id of one VLAN of {row.tenant.name or row.tenant.slug} in these files"
        remedy = "give the export of the VLANs, too, or one of prefixes that names them"
        yield row.source.mistake("vlan", row.vlan_id, expected, remedy)


def _value(row: Row) -> int | None:
    pool = KINDS[_POOLS[row.kind]]
    try:
        value = subnet_value(IPv4Network(row.value)) if row.kind == "prefix" else int(row.value)
    except ValueError:
        return None
    return value if value in pool.values and pool.shown(value) == row.value else None


def _lease(row: Row, scope: str, name: str, now: int) -> Lease:
    value = _value(row)
    assert value is not None
    holder = f"{row.tenant.slug}/{name if _is_name(name) else DEFAULT_NETWORK}"
    return Lease(_POOLS[row.kind], scope, value, holder, NETWORK_PURPOSE, None, now)


def _kept_for_others(each: Located[Lease], target: Target) -> Iterator[Mistake]:
    lease = each.record
    pool = target.pools.get((lease.pool, lease.scope))
    section = pool.section_of(lease.value) if pool else None
    account = lease.holder.partition("/")[0]
    if pool and section not in (None, SHARED, account) and lease[:3] not in target.by_value:
        where = f"{lease.pool} of {scope_in_words(lease.pool, lease.scope)}"
        remedy = f"change {pool.declared_at}, or take it out of the file"
        yield each.source.mistake("", lease.shown, f"for {account} in {where}: it is kept for {section}", remedy)


_name: TypeAdapter[str] = TypeAdapter(Name)


def _is_name(text: str) -> bool:
    try:
        _name.validate_python(text)
    except ValidationError:
        return False
    return True
