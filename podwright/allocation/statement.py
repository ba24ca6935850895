"""Statements that are compiled once, for a way that thousands of leases take one by one.

SQLAlchemy's own execution looks a statement up in its cache, and converts every
parameter of every row, each time: that takes longer than SQLite takes for the
statement itself. Our columns are numbers and text, which need no conversion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.sql.expression import ClauseElement

Parameters = Mapping[str, Any]


class _Compiled(NamedTuple):
    """What a driver is told."""

    text: str
    order: Sequence[str] | None
    """The parameters in order, for a driver that knows no names"""
    constants: Parameters
    """Parameters that SQLAlchemy added"""


class Statement:
    """A statement with named parameters, in the words of whichever dialect it is run in."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, parameters: Parameters) -> Any:
        """Run it once; the rows that came of it, as a `CursorResult`."""
        compiled = self._for(connection)
        return connection.exec_driver_sql(compiled.text, _ordered(parameters, compiled))

    def run_for_each(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Run it for each row, in as few calls of the driver as it can."""
        compiled = self._for(connection)
        connection.exec_driver_sql(compiled.text, [_ordered(row, compiled) for row in rows])

    def _for(self, connection: Connection) -> _Compiled:
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            compiled: Any = self._statement.compile(dialect=dialect)
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            self._compiled[dialect.name] = _Compiled(str(compiled), compiled.positiontup, constants)
        return self._compiled[dialect.name]


def _ordered(parameters: Parameters, compiled: _Compiled) -> Any:
    if compiled.constants:
        parameters = {**compiled.constants, **parameters}
    return parameters if compiled.order is None else tuple([parameters[name] for name in compiled.order])
