"""The keys of each kind of record in a file of leases, and which texts are right for them. Pure.

Values are written as operators write them, times in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, NamedTuple, get_args

from sqlalchemy import Column

from podwright.allocation.grant import State
from podwright.allocation.history import DECLARED, PLACEMENT_POOL, VOLUME_POOL
from podwright.allocation.pools import KINDS, DeclaredPool, Pool, PoolName, pool_name
from podwright.allocation.schema import DEVICE, HISTORY, LEASE, PLACEMENT, POOL, RUN, VOLUME

# Format 1 had no volumes.
FORMAT = 2

# Pools whose records have no value.
OF_DOMAINS = (PLACEMENT_POOL, VOLUME_POOL)


class Field(NamedTuple):
    """A key of a record."""

    parsed: Callable[[str], Any]
    """ValueError when it is none"""
    expected: str
    example: str
    is_required: bool = True


def is_declaration(pool: str, purpose: str, value: int | None) -> bool:
    """Whether an entry of the history says what a pool was declared to hold."""
    return pool not in OF_DOMAINS and purpose == DECLARED and value is None


def sections_text(pool: str, declared: str) -> str:
    """The values of a pool as operators write them: `101-149,160 acme=150-159`."""
    name = pool_name(pool)
    kind = KINDS[name]
    texts = []
    for section, ranges in DeclaredPool(name, "", declared, "", None).as_pool().sections.items():
        each = (dict.fromkeys((kind.shown(values.start), kind.shown(values.stop - 1))) for values in ranges)
        texts.append((f"{section}=" if section else "") + ",".join("-".join(ends) for ends in each))
    return " ".join(texts)


@lru_cache(maxsize=4096)
def time_text(time: int) -> str:
    """A moment (Unix time, s) as the file has it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def value_of_text(pool: PoolName, text: str) -> int:
    """A value of a pool; ValueError when it is none, or written otherwise than we do."""
    kind = KINDS[pool]
    value = kind.parsed(text)
    if value not in kind.values or kind.shown(value) != text:
        raise ValueError(text)
    return value


def pool_of_text(name: PoolName, scope: str, text: str, declared_at: str) -> Pool:
    """A pool of which `sections_text` says what it holds; ValueError when that is wrong."""
    sections: dict[str, tuple[range, ...]] = {}
    for each in text.split():
        section, _, ranges = each.rpartition("=")
        if section in sections or len(section) > _length(_SECTION):
            raise ValueError(each)
        sections[section] = tuple(_range_of_text(name, ends) for ends in ranges.split(","))
    bounds = sorted((each.start, each.stop) for ranges in sections.values() for each in ranges)
    if any(start < stop for (_, stop), (start, _) in pairwise(bounds)):
        raise ValueError(text)
    return Pool(name, scope, sections, declared_at)


def _range_of_text(pool: PoolName, text: str) -> range:
    first, _, last = text.partition("-")
    found = range(value_of_text(pool, first), value_of_text(pool, last or first) + 1)
    if not found:
        raise ValueError(text)
    return found


def _one_of(names: Iterable[str], text: str) -> str:
    if text not in names:
        raise ValueError(text)
    return text


def _words_up_to(length: int | None, text: str) -> str:
    if not text or (length is not None and len(text) > length) or "\0" in text:
        raise ValueError(text)
    return text


def _number(first: int, last: int, text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not first <= value <= last:
        raise ValueError(text)
    return value


@lru_cache(maxsize=4096)
def _time(text: str) -> int:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text):
        raise ValueError(text)
    return int(datetime.fromisoformat(text).timestamp())


def _length(column: Column[Any]) -> int:
    length: int | None = getattr(column.type, "length", None)
    return length or 1 << 24


_SECTION = POOL.metadata.tables["free_range"].c.section


def _words(column: Column[Any], example: str, *, is_required: bool = True) -> Field:
    length = _length(column)
    expected = "text" if length == 1 << 24 else f"text of 1 to {length} characters"
    return Field(partial(_words_up_to, length), expected, example, is_required)


def _times(*, is_required: bool = True) -> Field:
    return Field(_time, "a time in UTC", '"2026-01-01T00:00:00Z"', is_required)


def _numbers(first: int, example: str, last: int = (1 << 31) - 1) -> Field:
    return Field(partial(_number, first, last), f"a number of {first} to {last}", example)


def _names(expected: str, names: Sequence[str]) -> Field:
    return Field(partial(_one_of, names), f"{expected}: {', '.join(names)}", names[0])


_POOL_NAMES = get_args(PoolName)
_YES = Field(partial(_one_of, ("true",)), "true", "true", is_required=False)
_TEXT = Field(str, "text", "held", is_required=False)

PLACEMENT_KEYS: Mapping[str, Field] = {
    "scope": _words(PLACEMENT.c.scope, "east/p1"),
    "domain": _words(PLACEMENT.c.domain, "acme-web1"),
    "hypervisor": _words(PLACEMENT.c.hypervisor, "p1-hv1"),
    "vcpus": _numbers(0, "1"),
    "memory_mib": _numbers(0, "128"),
    "network_mbit_s": _numbers(0, "100"),
    "storage_iops": _numbers(0, "500"),
    "cloud": _words(PLACEMENT.c.cloud, "lab"),
    "state": _names("a state", ("held", "releasing")),
    "since": _times(),
}

VOLUME_KEYS: Mapping[str, Field] = {
    "scope": _words(VOLUME.c.scope, "east/p1"),
    "domain": _words(VOLUME.c.domain, "acme-web1"),
    "server": _words(VOLUME.c.server, "p1-nfs1"),
    "size_gib": _numbers(1, "10"),
    "storage_iops": _numbers(0, "500"),
    "account": _words(VOLUME.c.account, "acme"),
    "cloud": _words(VOLUME.c.cloud, "lab"),
    "state": _names("a state", ("held", "releasing")),
    "since": _times(),
}

SECTIONS: Mapping[str, Mapping[str, Field]] = {
    "pools": {
        "pool": _names("a pool", _POOL_NAMES),
        "scope": _words(POOL.c.scope, "east/p1"),
        "cloud": _words(POOL.c.cloud, "lab", is_required=False),
        "declared_at": _words(POOL.c.declared_at, "ranges"),
        "values": Field(str, "ranges of values", "101-149,160"),
    },
    "undeclared_pools": {
        "pool": _names("a pool", _POOL_NAMES),
        "scope": _words(LEASE.c.scope, "east/p1"),
    },
    "leases": {
        "pool": _names("a pool", _POOL_NAMES),
        "scope": _words(LEASE.c.scope, "east/p1"),
        "value": Field(str, "a value", "101"),
        "holder": _words(LEASE.c.holder, "acme/default"),
        "purpose": _words(LEASE.c.purpose, "guest_network"),
        "cloud": _words(LEASE.c.cloud, "lab", is_required=False),
        "state": _names("a state", get_args(State)),
        "since": _times(),
        "until": _times(is_required=False),
        "superseded": _YES,
        "outside_pool": _YES,
    },
    "placements": PLACEMENT_KEYS,
    "volumes": VOLUME_KEYS,
    "devices": {
        "cloud": _words(DEVICE.c.cloud, "lab"),
        "name": _words(DEVICE.c.name, "p1-hv1"),
        "kind": _words(DEVICE.c.kind, "hypervisor"),
    },
    "runs": {
        "run": _numbers(1, "1", (1 << 63) - 1),
        "at": _times(),
        "operator": _words(RUN.c.operator, "alice"),
        "host": _words(RUN.c.host, "controller.example"),
        "command": _words(RUN.c.command, "plan lab"),
    },
    "history": {
        "run": _numbers(1, "1", (1 << 63) - 1),
        "at": _times(),
        "pool": _names("a pool", (*_POOL_NAMES, *OF_DOMAINS)),
        "scope": _words(HISTORY.c.scope, "east/p1"),
        "value": Field(str, "a value", "101", is_required=False),
        "holder": _words(HISTORY.c.holder, "acme/default", is_required=False),
        "purpose": _words(HISTORY.c.purpose, "guest_network"),
        "before": _TEXT,
        "after": _TEXT,
    },
}
