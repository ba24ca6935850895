"""What a transaction makes of an empty OVSDB database (RFC 7047)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]
Operation = Mapping[str, Any]

_encode = json.JSONEncoder(sort_keys=True).encode  # `json.dumps` would make an encoder for every value


def filled(operations: Iterable[Operation]) -> dict[str, list[Row]]:
    """Carry out the insertions of a transaction: {table: rows}, values as they are on the wire (section 5.1).

    A row's `_uuid` is the name that the transaction has for it (section 5.2.1): a server would draw one.
    """
    tables: dict[str, list[Row]] = {}
    for operation in operations:
        if operation["op"] == "insert":
            row = {column: _settled(value) for column, value in operation["row"].items()}
            tables.setdefault(operation["table"], []).append({**row, "_uuid": ["uuid", operation["uuid-name"]]})
        elif operation["op"] == "mutate":
            for column, mutator, value in operation["mutations"]:
                if mutator == "insert":
                    _insert(_matching(tables, operation), column, _settled(value))
    return tables


def reply_text(tables: Mapping[str, Sequence[Row]], order: Iterable[str]) -> str:
    """The JSON of the results of a transaction that selects all rows of each table (section 5.2.2).

    A line for each column, so that a line of a difference says what differs; rows by name.
    """
    results = (sorted(tables.get(table, ()), key=lambda row: str(row.get("name", row["_uuid"]))) for table in order)
    texts = [",\n".join(map(_row_text, rows)) for rows in results]
    return "[" + ",\n".join(f'{{"rows": [\n{text}\n]}}' for text in texts) + "]\n"


def _row_text(row: Row) -> str:
    columns = (f"  {json.dumps(column)}: {_encode(value)}" for column, value in sorted(row.items()))
    return " {\n" + ",\n".join(columns) + "\n }"


def _matching(tables: Mapping[str, list[Row]], operation: Operation) -> list[Row]:
    """The rows that an operation is about, whose conditions are all of `column == value` (section 5.1)."""
    rows = tables.get(operation["table"], [])
    return [row for row in rows if all(row.get(column) == value for column, _, value in operation["where"])]


def _insert(rows: Iterable[Row], column: str, value: Any) -> None:
    """Add to a set (section 5.1, mutation `insert`)."""
    for row in rows:
        row[column] = ["set", sorted([*_members(row.get(column, ["set", []])), *_members(value)])]


def _members(value: Any) -> list[Any]:
    """The members of a set; one member alone may stand for the set of it (section 5.1)."""
    return list(value[1]) if isinstance(value, list) and value[0] == "set" else [value]


def _settled(value: Any) -> Any:
    """Name rows by their `_uuid`, also those that the same transaction makes."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "named-uuid":
        return ["uuid", content]
    return [kind, [_settled(member) for member in content]] if kind == "set" else value
