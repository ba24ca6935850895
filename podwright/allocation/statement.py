"""Statements in the words of each database, compiled once.

SQLAlchemy compiles a statement, once for each dialect. What it does at every
execution (looking the statement up, converting parameters, making rows) takes
several times as long as SQLite takes for the statement itself, and our columns
are numbers and text, which need no conversion. So `conversation` gives them to the driver.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Insert, UpdateBase
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import ClauseElement

Parameters = dict[str, Any]
Row = tuple[Any, ...]
Rows = Sequence[Parameters] | Sequence[Row]
"""The parameters of each execution; of an INSERT a value for each column will do"""


class Statement:
    """A statement with named parameters."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        """The statement in a dialect's words."""
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        return compiled

    def _compile(self, dialect: Dialect) -> Compiled:
        compiled: Any = self._statement.compile(dialect=dialect)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        names = list(compiled.params)
        statement = self._statement
        writes = None
        if isinstance(statement, UpdateBase) and not statement.exported_columns:
            writes = str(statement.table)
        return Compiled(
            str(compiled), compiled.positiontup, names, constants, writes, isinstance(self._statement, Insert)
        )


class Compiled(NamedTuple):
    """What a driver is told."""

    text: str
    order: Sequence[str] | None
    """The parameters in order, for a driver that knows no names"""
    names: Sequence[str]
    """The parameters in the order of an INSERT's columns"""
    constants: Parameters
    """Parameters that SQLAlchemy added"""
    writes: str | None
    """The table that it writes to, if it does nothing else"""
    adds: bool
    """Whether it is an INSERT"""

    def ordered(self, parameters: Parameters | Row) -> Any:
        """The parameters as the driver takes them."""
        if isinstance(parameters, tuple):
            return parameters if self.order is not None else dict(zip(self.names, parameters, strict=True))
        if self.constants:
            parameters = {**self.constants, **parameters}
        return parameters if self.order is None else [parameters[name] for name in self.order]

    def all_ordered(self, rows: Rows) -> Iterator[Any]:
        """Rows as the driver takes them."""
        if self.order is not None and isinstance(rows[0], tuple):
            return iter(rows)  # as they are, which is what makes a large run fast
        return map(self.ordered, rows)

    def all_in_order(self, rows: Rows) -> Iterator[Row]:
        """Rows of an INSERT with a value for each column."""
        return (tuple(row[name] for name in self.names) if isinstance(row, dict) else row for row in rows)
