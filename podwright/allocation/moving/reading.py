"""Reading the file that leases are moved in: its records, and all that is wrong with it at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from podwright.allocation.grant import Lease
from podwright.allocation.history import VOLUME_POOL, Event, Run, size_gib_of
from podwright.allocation.moving.contents import Device, Key, Located, PastEvent, PastRun, Read, Record, Source
from podwright.allocation.moving.fields import (
    FORMAT,
    OF_DOMAINS,
    SECTIONS,
    Field,
    is_declaration,
    pool_of_text,
    time_text,
    value_of_text,
)
from podwright.allocation.moving.plain_yaml import Items, Keys, Node, read, shown
from podwright.allocation.placement import Placement
from podwright.allocation.pools import KINDS, DeclaredPool, PoolName, pool_name
from podwright.allocation.spoken import value_remedy
from podwright.allocation.volumes import Volume
from podwright.errors import InvalidInput, Mistake


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
        self._refuse_unknown(node, Source(self.file, node.line, ""), ("format", *SECTIONS))
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
            list(self._records(node, "volumes", self._volume)),
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
            fields = self._fields(item, source, SECTIONS[section])
            record = None if fields is None else made(fields, source)
            if record is not None:
                yield Located(record, source, bool(fields and fields.get("outside_pool")))

    def _fields(self, node: Node, source: Source, known: Mapping[str, Field]) -> dict[str, Any] | None:
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
            pool = pool_of_text(name, scope, fields["values"], fields["declared_at"])
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
            found = None if until is None else time_text(until)
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
            return value_of_text(pool, text)
        except ValueError:
            noun = KINDS[pool].noun
            expected = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
            self.mistakes.append(source.mistake("value", shown(text), expected, f"give {value_remedy(pool)}"))
            return None

    def _placement(self, fields: dict[str, Any], _source: Source) -> Placement:
        return Placement(**fields)

    def _volume(self, fields: dict[str, Any], _source: Source) -> Volume:
        return Volume(**fields)

    def _device(self, fields: dict[str, Any], _source: Source) -> Device:
        return Device(**fields)

    def _run(self, fields: dict[str, Any], _source: Source) -> PastRun:
        return PastRun(fields["run"], fields["at"], Run(*(fields[name] for name in Run._fields)))

    def _event(self, fields: dict[str, Any], source: Source) -> PastEvent | None:
        pool, text = fields["pool"], fields["value"]
        value = None
        if text is not None:
            if pool in OF_DOMAINS:
                remedy = "take it out: the device is the purpose"
                self.mistakes.append(source.mistake("value", shown(text), f"known of a {pool}", remedy))
                return None
            value = self._value(pool, text, source)
            if value is None:
                return None
        states = {name: fields[name] for name in ("before", "after")}
        for name, standing in states.items():
            if standing is not None:
                try:
                    states[name] = self._standing(pool, fields["purpose"], value, standing)
                except ValueError:
                    expected, remedy = _expected_standing(pool)
                    self.mistakes.append(source.mistake(name, shown(standing), expected, remedy))
                    return None
        holder = fields["holder"] or ""
        event = Event(fields["at"], pool, fields["scope"], value, holder, fields["purpose"], **states)
        return PastEvent(fields["run"], event)

    @staticmethod
    def _standing(pool: str, purpose: str, value: int | None, text: str) -> str:
        """What was so before or after a change, as the database has it; ValueError when it cannot be."""
        if pool == VOLUME_POOL:
            size_gib_of(text)
        elif is_declaration(pool, purpose, value):
            return pool_of_text(pool_name(pool), "", text, "").declared
        return text

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


def _expected_standing(pool: str) -> tuple[str, str]:
    """What the history says of a pool before and after a change, and what to give."""
    if pool == VOLUME_POOL:
        return "the state and size of a volume", "give one such as held 10 GiB"
    return "values of that pool, each once", f"give ranges; {value_remedy(pool_name(pool))} is one"
