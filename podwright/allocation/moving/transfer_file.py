"""The file that leases are moved in: all that a database holds, as YAML that a person can review. Pure.

Every record is one line that says all about itself, and records are sorted, so
that `grep`, `diff` and `git` are of use. Values are written as operators write
them, times in UTC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, Generic, NamedTuple, TypeVar, get_args

from sqlalchemy import Column

from podwright.allocation.grant import Lease, State
from podwright.allocation.history import DECLARED, PLACEMENT_POOL, Event, Run
from podwright.allocation.moving.plain_yaml import Items, Keys, Node, read, shown
from podwright.allocation.placement import Placement
from podwright.allocation.pools import KINDS, DeclaredPool, Pool, PoolName
from podwright.allocation.schema import DEVICE, HISTORY, LEASE, PLACEMENT, POOL, RUN
from podwright.allocation.spoken import value_remedy
from podwright.errors import InvalidInput, Mistake

FORMAT = 1

Record = TypeVar("Record")
Key = tuple[str, str]


class Device(NamedTuple):
    """A device that may carry a lease."""

    cloud: str
    name: str
    kind: str


class PastRun(NamedTuple):
    """A run that changed something."""

    number: int
    at: int
    """When (Unix time, s)"""
    by: Run


class PastEvent(NamedTuple):
    """What a run changed."""

    run: int
    event: Event


class Contents(NamedTuple):
    """All that a database holds."""

    pools: Sequence[DeclaredPool]
    leases: Sequence[Lease]
    placements: Sequence[Placement]
    devices: Sequence[Device]
    runs: Sequence[PastRun]
    history: Sequence[PastEvent]
    """In the order in which it happened"""


class Source(NamedTuple):
    """Where something stands in a file."""

    file: str
    line: int | None
    path: str

    def mistake(self, key: str, found: str | None, expected: str, remedy: str) -> Mistake:
        """What is wrong with a key of it; with it as a whole, where `key` is empty."""
        return Mistake(self.file, self.line, ".".join(filter(None, (self.path, key))), found, expected, remedy)

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Located(NamedTuple, Generic[Record]):
    """A record and where it stands."""

    record: Record
    source: Source
    outside: bool = False
    """Of a lease: that its value is no longer in its pool is known"""


class Read(NamedTuple):
    """What is right in a file, and what is not."""

    pools: Sequence[Located[DeclaredPool]]
    undeclared: Sequence[Key]
    """Pools (name, scope) that leases are from although nobody has declared them yet"""
    leases: Sequence[Located[Lease]]
    placements: Sequence[Located[Placement]]
    devices: Sequence[Located[Device]]
    runs: Sequence[Located[PastRun]]
    history: Sequence[Located[PastEvent]]
    mistakes: Sequence[Mistake]


# Writing


def rendered(contents: Contents) -> str:
    """The file: the same bytes for the same contents."""
    pools = {(pool.pool, pool.scope): pool.as_pool() for pool in contents.pools}
    leases = sorted(contents.leases, key=lambda lease: lease[:3])
    undeclared = sorted({(lease.pool, lease.scope) for lease in leases} - pools.keys())
    sections = {
        "pools": (_pool_fields(pool) for pool in sorted(contents.pools, key=lambda pool: pool[:2])),
        "undeclared_pools": ({"pool": pool, "scope": scope} for pool, scope in undeclared),
        "leases": (_lease_fields(lease, pools.get((lease.pool, lease.scope))) for lease in leases),
        "placements": (_placement_fields(each) for each in sorted(contents.placements, key=_of_placement)),
        "devices": (each._asdict() for each in sorted(contents.devices)),
        "runs": (_run_fields(each) for each in sorted(contents.runs)),
        "history": (_event_fields(each) for each in contents.history),
    }
    lines = ['# Leases of podwright; its docs/allocation.md says in "Moving leases" what is what.', f"format: {FORMAT}"]
    for name, records in sections.items():
        found = [_line(fields) for fields in records]
        lines += [f"{name}:", *found] if found else [f"{name}: []"]
    return "".join(f"{line}\n" for line in lines)


def _of_placement(placement: Placement) -> tuple[str, str, str]:
    return (placement.scope, placement.domain, placement.hypervisor)


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
        "since": _time_text(lease.since),
        "until": None if lease.until is None else _time_text(lease.until),
        "superseded": True if lease.superseded else None,
        "outside_pool": True if pool is not None and lease.value not in pool else None,
    }


def _placement_fields(placement: Placement) -> dict[str, Any]:
    return {**{name: getattr(placement, name) for name in _PLACEMENT_KEYS}, "since": _time_text(placement.since)}


def _run_fields(run: PastRun) -> dict[str, Any]:
    return {"run": run.number, "at": _time_text(run.at), **run.by._asdict()}


def _event_fields(past: PastEvent) -> dict[str, Any]:
    event = past.event
    fields = {"run": past.run, **event._asdict(), "at": _time_text(event.at), "holder": event.holder or None}
    if event.value is not None:
        fields["value"] = int(event.shown) if event.shown.isdecimal() else event.shown
    if _is_declaration(event.pool, event.purpose, event.value):
        for name in ("before", "after"):
            fields[name] = None if fields[name] is None else sections_text(event.pool, fields[name])
    return fields


def _is_declaration(pool: str, purpose: str, value: int | None) -> bool:
    return pool != PLACEMENT_POOL and purpose == DECLARED and value is None


def sections_text(pool: str, declared: str) -> str:
    """The values of a pool as operators write them: `101-149,160 acme=150-159`."""
    kind = KINDS[pool]  # type: ignore[index]
    texts = []
    for section, ranges in DeclaredPool(pool, "", declared, "", None).as_pool().sections.items():  # type: ignore[arg-type]
        each = (dict.fromkeys((kind.shown(values.start), kind.shown(values.stop - 1))) for values in ranges)
        texts.append((f"{section}=" if section else "") + ",".join("-".join(ends) for ends in each))
    return " ".join(texts)


@lru_cache(maxsize=4096)
def _time_text(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


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


# Reading


class _Field(NamedTuple):
    """A key of a record."""

    parsed: Callable[[str], Any]
    """ValueError when it is none"""
    expected: str
    example: str
    is_required: bool = True


def contents_of(text: str, file: str) -> Read:
    """What a file says; `file` is the name that mistakes give it.

    Raises:
        InvalidInput: it is no such file at all, or of a format that is not known yet.
    """
    node = read(text, file)
    if not isinstance(node, Keys):
        remedy = "give what podwright lease export writes"
        raise InvalidInput([Mistake(file, 1, "", shown(node), "a file of leases", remedy)])
    _check_format(node, file)
    return _Reader(file).contents(node)


def _check_format(node: Keys, file: str) -> None:
    found = node.entries.get("format")
    line = node.lines.get("format", node.line)
    if "format" not in node.entries:
        raise InvalidInput([Mistake(file, line, "format", None, "a required key", f"add format: {FORMAT}")])
    if not isinstance(found, str) or not re.fullmatch("[1-9][0-9]{0,8}", found):
        raise InvalidInput([Mistake(file, line, "format", shown(found), "a number", f"write format: {FORMAT}")])
    if int(found) > FORMAT:
        remedy = "use the podwright that wrote it, or a newer one"
        raise InvalidInput([Mistake(file, line, "format", found, f"a format up to {FORMAT}", remedy)])


class _Reader:
    """Collects records and, at once, all that is wrong with them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []

    def contents(self, node: Keys) -> Read:
        self._refuse_unknown(node, Source(self.file, node.line, ""), ("format", *_SECTIONS))
        pools = list(self._records(node, "pools", self._pool))
        undeclared = [each.record for each in self._records(node, "undeclared_pools", self._undeclared)]
        leases = list(self._records(node, "leases", self._lease))
        runs = list(self._records(node, "runs", self._run))
        history = list(self._records(node, "history", self._event))
        self._check_runs(runs, history)
        return Read(
            pools,
            undeclared,
            leases,
            list(self._records(node, "placements", self._placement)),
            list(self._records(node, "devices", self._device)),
            runs,
            history,
            self.mistakes,
        )

    def _records(
        self, node: Keys, section: str, made: Callable[[dict[str, Any], Source], Record | None]
    ) -> Iterator[Located[Record]]:
        records = node.entries.get(section)
        if records is None:
            return
        if not isinstance(records, Items):
            source = Source(self.file, node.lines[section], section)
            self.mistakes.append(source.mistake("", shown(records), "a list", "start each record with `- `"))
            return
        for index, (item, line) in enumerate(zip(records.items, records.lines, strict=True)):
            source = Source(self.file, line, f"{section}[{index}]")
            fields = self._fields(item, source, _SECTIONS[section])
            record = None if fields is None else made(fields, source)
            if record is not None:
                yield Located(record, source, bool(fields and fields.get("outside_pool")))

    def _fields(self, node: Node, source: Source, known: Mapping[str, _Field]) -> dict[str, Any] | None:
        """{key: value}, None for each that is left out; None for all when anything is wrong."""
        if not isinstance(node, Keys):
            remedy = f"write {{{', '.join(f'{name}: {each.example}' for name, each in known.items())}}}"
            self.mistakes.append(source.mistake("", shown(node), "a mapping", remedy))
            return None
        before = len(self.mistakes)
        fields: dict[str, Any] = {}
        for name, (parsed, expected, example, is_required) in known.items():
            text = node.entries.get(name)
            fields[name] = None
            if isinstance(text, str):
                try:
                    fields[name] = parsed(text)
                    continue
                except ValueError:
                    pass
            elif text is None and not is_required:
                continue
            where = source._replace(line=node.lines.get(name, source.line))
            if name in node.entries:
                where_mistake = where.mistake(name, shown(text), expected, f"give one such as {example}")
            else:
                where_mistake = where.mistake(name, None, "a required key", f"add {name}: {example}")
            self.mistakes.append(where_mistake)
        if node.entries.keys() - known.keys():
            self._refuse_unknown(node, source, known)
        return fields if len(self.mistakes) == before else None

    def _refuse_unknown(self, node: Keys, source: Source, known: Iterable[str]) -> None:
        for name in node.entries.keys() - set(known):
            where = source._replace(line=node.lines[name], path=".".join(filter(None, (source.path, name))))
            self.mistakes.append(where.mistake("", name, f"one of {', '.join(known)}", "take it out, or correct it"))

    def _pool(self, fields: dict[str, Any], source: Source) -> DeclaredPool | None:
        name, scope = fields["pool"], fields["scope"]
        try:
            pool = _pool_of_text(name, scope, fields["values"], fields["declared_at"])
        except ValueError:
            expected, remedy = "values of that pool, each once", f"give ranges; {value_remedy(name)} is one value"
            self.mistakes.append(source.mistake("values", shown(fields["values"]), expected, remedy))
            return None
        return DeclaredPool(name, scope, pool.declared, pool.declared_at, fields["cloud"])

    def _undeclared(self, fields: dict[str, Any], _source: Source) -> Key:
        return (fields["pool"], fields["scope"])

    def _lease(self, fields: dict[str, Any], source: Source) -> Lease | None:
        value = self._value(fields["pool"], fields["value"], source)
        state, until = fields["state"], fields["until"]
        if (state == "quarantine") != (until is not None):
            remedy = "say until when with state: quarantine, and in no other state"
            expected = "a required key" if until is None else "only for what is in quarantine"
            found = None if until is None else _time_text(until)
            self.mistakes.append(source.mistake("until", found, expected, remedy))
        elif state == "held" and fields["superseded"]:
            remedy = "say superseded of what a renumbered holder leaves"
            self.mistakes.append(source.mistake("superseded", "true", "right with state: held", remedy))
        elif value is not None:
            return Lease(
                fields["pool"],
                fields["scope"],
                value,
                fields["holder"],
                fields["purpose"],
                fields["cloud"],
                fields["since"],
                state,
                until,
                value if fields["superseded"] else 0,
            )
        return None

    def _value(self, pool: PoolName, text: str, source: Source) -> int | None:
        try:
            return _value_of_text(pool, text)
        except ValueError:
            noun = KINDS[pool].noun
            expected = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
            self.mistakes.append(source.mistake("value", shown(text), expected, f"give {value_remedy(pool)}"))
            return None

    def _placement(self, fields: dict[str, Any], _source: Source) -> Placement:
        return Placement(**fields)

    def _device(self, fields: dict[str, Any], _source: Source) -> Device:
        return Device(**fields)

    def _run(self, fields: dict[str, Any], _source: Source) -> PastRun:
        return PastRun(fields["run"], fields["at"], Run(*(fields[name] for name in Run._fields)))

    def _event(self, fields: dict[str, Any], source: Source) -> PastEvent | None:
        pool, text = fields["pool"], fields["value"]
        value = None
        if text is not None:
            if pool == PLACEMENT_POOL:
                remedy = "take it out: the hypervisor is the purpose"
                self.mistakes.append(source.mistake("value", shown(text), "known of a placement", remedy))
                return None
            value = self._value(pool, text, source)
            if value is None:
                return None
        states = {name: fields[name] for name in ("before", "after")}
        if _is_declaration(pool, fields["purpose"], value):
            for name, sections in states.items():
                try:
                    states[name] = None if sections is None else _pool_of_text(pool, "", sections, "").declared
                except ValueError:
                    expected, remedy = "values of that pool, each once", f"give ranges; {value_remedy(pool)} is one"
                    self.mistakes.append(source.mistake(name, shown(sections), expected, remedy))
                    return None
        holder = fields["holder"] or ""
        event = Event(fields["at"], pool, fields["scope"], value, holder, fields["purpose"], **states)
        return PastEvent(fields["run"], event)

    def _check_runs(self, runs: Iterable[Located[PastRun]], history: Iterable[Located[PastEvent]]) -> None:
        numbers: dict[int, Source] = {}
        for each in runs:
            first = numbers.setdefault(each.record.number, each.source)
            if first is not each.source:
                remedy = f"{first} has it, too: give another"
                self.mistakes.append(each.source.mistake("run", str(each.record.number), "a new number", remedy))
        for past in history:
            if past.record.run not in numbers:
                remedy = "add it under runs, or correct the number"
                self.mistakes.append(past.source.mistake("run", str(past.record.run), "one of the runs", remedy))


def _value_of_text(pool: PoolName, text: str) -> int:
    kind = KINDS[pool]
    value = kind.parsed(text)
    if value not in kind.values or kind.shown(value) != text:
        raise ValueError(text)
    return value


def _pool_of_text(name: PoolName, scope: str, text: str, declared_at: str) -> Pool:
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
    found = range(_value_of_text(pool, first), _value_of_text(pool, last or first) + 1)
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


def _words(column: Column[Any], example: str, *, is_required: bool = True) -> _Field:
    length = _length(column)
    expected = "text" if length == 1 << 24 else f"text of 1 to {length} characters"
    return _Field(partial(_words_up_to, length), expected, example, is_required)


def _times(*, is_required: bool = True) -> _Field:
    return _Field(_time, "a time in UTC", '"2026-01-01T00:00:00Z"', is_required)


def _numbers(first: int, example: str, last: int = (1 << 31) - 1) -> _Field:
    return _Field(partial(_number, first, last), f"a number of {first} to {last}", example)


def _names(expected: str, names: Sequence[str]) -> _Field:
    return _Field(partial(_one_of, names), f"{expected}: {', '.join(names)}", names[0])


_POOL_NAMES = get_args(PoolName)
_YES = _Field(partial(_one_of, ("true",)), "true", "true", is_required=False)
_TEXT = _Field(str, "text", "held", is_required=False)

_PLACEMENT_KEYS: Mapping[str, _Field] = {
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

_SECTIONS: Mapping[str, Mapping[str, _Field]] = {
    "pools": {
        "pool": _names("a pool", _POOL_NAMES),
        "scope": _words(POOL.c.scope, "east/p1"),
        "cloud": _words(POOL.c.cloud, "lab", is_required=False),
        "declared_at": _words(POOL.c.declared_at, "ranges"),
        "values": _Field(str, "ranges of values", "101-149,160"),
    },
    "undeclared_pools": {
        "pool": _names("a pool", _POOL_NAMES),
        "scope": _words(LEASE.c.scope, "east/p1"),
    },
    "leases": {
        "pool": _names("a pool", _POOL_NAMES),
        "scope": _words(LEASE.c.scope, "east/p1"),
        "value": _Field(str, "a value", "101"),
        "holder": _words(LEASE.c.holder, "acme/default"),
        "purpose": _words(LEASE.c.purpose, "guest_network"),
        "cloud": _words(LEASE.c.cloud, "lab", is_required=False),
        "state": _names("a state", get_args(State)),
        "since": _times(),
        "until": _times(is_required=False),
        "superseded": _YES,
        "outside_pool": _YES,
    },
    "placements": _PLACEMENT_KEYS,
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
        "pool": _names("a pool", (*_POOL_NAMES, PLACEMENT_POOL)),
        "scope": _words(HISTORY.c.scope, "east/p1"),
        "value": _Field(str, "a value", "101", is_required=False),
        "holder": _words(HISTORY.c.holder, "acme/default", is_required=False),
        "purpose": _words(HISTORY.c.purpose, "guest_network"),
        "before": _TEXT,
        "after": _TEXT,
    },
}
