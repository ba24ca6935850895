"""Writing the file that leases are moved in: YAML that a person can review. Pure.

Every record is one line that says all about itself, and records are sorted, so
that `grep`, `diff` and `git` are of use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from podwright.allocation.grant import Lease
from podwright.allocation.moving.contents import Contents, PastEvent, PastRun
from podwright.allocation.moving.fields import (
    FORMAT,
    PLACEMENT_KEYS,
    VOLUME_KEYS,
    is_declaration,
    sections_text,
    time_text,
)
from podwright.allocation.placement import Placement
from podwright.allocation.pools import DeclaredPool, Pool
from podwright.allocation.volumes import Volume


def rendered(contents: Contents) -> str:
    """The file: the same bytes for the same contents."""
    pools = {(pool.pool, pool.scope): pool.as_pool() for pool in contents.pools}
    leases = sorted(contents.leases, key=lambda lease: lease[:3])
    undeclared = sorted({(lease.pool, lease.scope) for lease in leases} - pools.keys())
    sections = {
        "pools": (_pool_fields(pool) for pool in sorted(contents.pools, key=lambda pool: pool[:2])),
        "undeclared_pools": ({"pool": pool, "scope": scope} for pool, scope in undeclared),
        "leases": (_lease_fields(lease, pools.get((lease.pool, lease.scope))) for lease in leases),
        "placements": (_fields(each, PLACEMENT_KEYS) for each in sorted(contents.placements, key=_of_domain)),
        "volumes": (_fields(each, VOLUME_KEYS) for each in sorted(contents.volumes, key=_of_domain)),
        "devices": (each._asdict() for each in sorted(contents.devices)),
        "runs": (_run_fields(each) for each in sorted(contents.runs)),
        "history": (_event_fields(each) for each in contents.history),
    }
    lines = ['# Leases of podwright; its docs/allocation.md says in "Moving leases" what is what.', f"format: {FORMAT}"]
    for name, records in sections.items():
        found = [_line(fields) for fields in records]
        lines += [f"{name}:", *found] if found else [f"{name}: []"]
    return "".join(f"{line}\n" for line in lines)


def _of_domain(record: Placement | Volume) -> tuple[str, str, str]:
    return (record.scope, record.domain, record.where)


def _pool_fields(pool: DeclaredPool) -> dict[str, Any]:
    return {
        "pool": pool.pool,
        "scope": pool.scope,
        "cloud": pool.cloud,
        "declared_at": pool.declared_at,
        "values": sections_text(pool.pool, pool.declared),
    }


def _lease_fields(lease: Lease, pool: Pool | None) -> dict[str, Any]:
    return {
        "pool": lease.pool,
        "scope": lease.scope,
        "value": lease.as_data,
        "holder": lease.holder,
        "purpose": lease.purpose,
        "cloud": lease.cloud,
        "state": lease.state,
        "since": time_text(lease.since),
        "until": None if lease.until is None else time_text(lease.until),
        "superseded": True if lease.superseded else None,
        "outside_pool": True if pool is not None and lease.value not in pool else None,
    }


def _fields(record: Placement | Volume, names: Iterable[str]) -> dict[str, Any]:
    return {**{name: getattr(record, name) for name in names}, "since": time_text(record.since)}


def _run_fields(run: PastRun) -> dict[str, Any]:
    return {"run": run.number, "at": time_text(run.at), **run.by._asdict()}


def _event_fields(past: PastEvent) -> dict[str, Any]:
    event = past.event
    fields = {"run": past.run, **event._asdict(), "at": time_text(event.at), "holder": event.holder or None}
    if event.value is not None:
        fields["value"] = int(event.shown) if event.shown.isdecimal() else event.shown
    if is_declaration(event.pool, event.purpose, event.value):
        for name in ("before", "after"):
            fields[name] = None if fields[name] is None else sections_text(event.pool, fields[name])
    return fields


def _line(fields: Mapping[str, Any]) -> str:
    return f"- {{{', '.join(f'{name}: {_scalar(value)}' for name, value in fields.items() if value is not None)}}}"


# What no reader of YAML takes for anything but text, in a flow mapping too.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/_.*@-]*|[0-9]+(\.[0-9]+){3}(/[0-9]+)?")
_WORDS_OF_YAML = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))


@lru_cache(maxsize=65536, typed=True)
def _scalar(value: str | int | bool) -> str:
    if isinstance(value, int):
        return str(value).lower()
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return "".join(map(_printable, json.dumps(value, ensure_ascii=False)))


def _printable(character: str) -> str:
    """A character as double-quoted YAML may have it (YAML 1.2, 5.7)."""
    return character if character.isprintable() else f"\\U{ord(character):08X}"
