"""Statements that go straight to the driver, for the way that thousands of leases take one by one.

SQLAlchemy compiles a statement, once for each dialect. What it does at every
execution (looking the statement up, converting parameters, making rows) takes
several times as long as SQLite takes for the statement itself, and our columns
are numbers and text, which need no conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import ClauseElement

Parameters = Mapping[str, Any]
Row = tuple[Any, ...]


class Statement:
    """A statement with named parameters, in the words of whichever dialect it is run in."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def run(self, connection: Connection, parameters: Parameters) -> list[Row]:
        """Run it once, in the transaction that the connection is in; its rows.

        Raises:
            DBAPIError: as SQLAlchemy would.
        """
        compiled = self._for(connection)
        cursor = _call(connection, "execute", compiled.text, compiled.ordered(parameters))
        rows: list[Row] = cursor.fetchall() if cursor.description else []
        cursor.close()
        return rows

    def run_for_each(self, connection: Connection, rows: Sequence[Parameters] | Sequence[Row]) -> None:
        """Run it for each row, in as few messages to the server as the driver can do with.

        A row of an INSERT may be a tuple with a value for each column.

        Raises:
            DBAPIError: as SQLAlchemy would.
        """
        compiled = self._for(connection)
        _call(connection, "executemany", compiled.text, compiled.all_ordered(rows)).close()

    def _for(self, connection: Connection) -> _Compiled:
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            compiled: Any = self._statement.compile(dialect=dialect)
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            self._compiled[dialect.name] = _Compiled(
                str(compiled), compiled.positiontup, list(compiled.params), constants
            )
        return self._compiled[dialect.name]


class _Compiled(NamedTuple):
    """What a driver is told."""

    text: str
    order: Sequence[str] | None
    """The parameters in order, for a driver that knows no names"""
    names: Sequence[str]
    """The parameters in the order of an INSERT's columns"""
    constants: Parameters
    """Parameters that SQLAlchemy added"""

    def ordered(self, parameters: Parameters) -> Any:
        if self.constants:
            parameters = {**self.constants, **parameters}
        return parameters if self.order is None else [parameters[name] for name in self.order]

    def all_ordered(self, rows: Sequence[Any]) -> Sequence[Any]:
        if isinstance(rows[0], Mapping):
            return [self.ordered(row) for row in rows]
        if self.order is None:
            return [dict(zip(self.names, row, strict=True)) for row in rows]
        return rows  # as they are, which is what makes a large run fast


def _call(connection: Connection, method: str, text: str, parameters: Any) -> Any:
    """Have the driver do something; its cursor. What goes wrong is told as SQLAlchemy tells it."""
    if not connection.in_transaction():
        connection.begin()
    driver = connection.connection
    cursor = driver.cursor()
    try:
        run: Callable[[str, Any], Any] = getattr(cursor, method)
        run(text, parameters)
    except connection.dialect.loaded_dbapi.Error as error:
        lost = connection.dialect.is_disconnect(error, driver, cursor)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            text,
            None,
            error,
            connection.dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=connection.dialect,
        ) from error
    return cursor
