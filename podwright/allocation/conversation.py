"""What is said to a database in one transaction, in as few messages as its driver can do with.

Work asks for all that matters at once, and says what is to be written without waiting. How many messages that takes is
up to the driver: PostgreSQL writes in one, MariaDB takes each statement by itself, and SQLite needs none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from podwright.allocation.statement import Compiled, Parameters, Row, Rows, Statement

# An option of connections whose transactions write nothing and wait for nobody.
READS = "podwright_reads"

Question = tuple[Statement, Parameters]

# So many rows are written within a message; more are told by themselves, as the driver sends many.
_FEW = 8


Said = tuple[Compiled, Any, bool]
"""A statement, its parameters as the driver takes them, and False; or the rows of many executions, and True"""


class Conversation:
    """A transaction with the driver; it begins with what is said first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._say = _DRIVERS[self._dialect.name]
        self._to_tell: list[tuple[Statement, Rows]] = []
        self._driver: Any = None
        """The driver's connection, once the transaction has begun"""

    @property
    def dialect(self) -> str:
        """What SQLAlchemy calls the kind of database."""
        return self._dialect.name

    def ask(self, *questions: Question) -> list[list[Row]]:
        """The rows that each question is answered with, after all that was told before.

        Raises:
            DBAPIError: as SQLAlchemy would.
        """
        told = self._told() if self._to_tell else []
        said = told.copy()
        for statement, parameters in questions:
            compiled = statement.compiled(self._dialect)
            said.append((compiled, compiled.ordered(parameters), False))
        return self._said(said)[len(told) :]

    def tell(self, statement: Statement, rows: Rows) -> None:
        """Have a statement run for each of the rows, not before something is asked or all is committed."""
        self._to_tell.append((statement, rows))

    def send(self) -> None:
        """Say now what was told before, so that the database refuses now what it would refuse.

        Raises:
            DBAPIError: as SQLAlchemy would.
        """
        if self._to_tell:
            self._said(self._told())

    def aside(self) -> Connection:
        """The same transaction for SQLAlchemy, which knows all that was told before."""
        self.send()
        return self._connection

    def commit(self) -> None:
        """Keep all that was told.

        Raises:
            DBAPIError: as SQLAlchemy would; then nothing was kept, or the server was lost and it is not known.
        """
        self._said(self._told(), commit=True)
        self._driver = None
        if self._connection.in_transaction():
            self._connection.commit()

    def rollback(self) -> None:
        """Undo what was said since the last commit.

        Raises:
            DBAPIError: as SQLAlchemy would, for one that a node of a cluster has undone already.
        """
        self._to_tell.clear()
        driver, self._driver = self._driver, None
        if self._connection.in_transaction():
            self._connection.rollback()
        elif driver is not None and not self._connection.invalidated:
            try:
                driver.rollback()
            except self._dialect.loaded_dbapi.Error as error:
                raise self._as_sqlalchemy_tells(error, driver) from error

    def _told(self) -> list[Said]:
        said: list[Said] = []
        for statement, rows in self._to_tell:
            compiled = statement.compiled(self._dialect)
            if len(rows) <= _FEW:
                said += [(compiled, compiled.ordered(row), False) for row in rows]
            else:
                said.append((compiled, rows, True))
        self._to_tell.clear()
        return said

    def _said(self, said: Sequence[Said], commit: bool = False) -> list[list[Row]]:
        try:
            if self._driver is None:
                self._driver = self._connection.connection.driver_connection
                if self._dialect.name == "sqlite":
                    begin(self._connection)
            return self._say(self._driver, said, commit)
        except self._dialect.loaded_dbapi.Error as error:
            raise self._as_sqlalchemy_tells(error, self._driver) from error

    def _as_sqlalchemy_tells(self, error: Any, driver: Any) -> Any:
        lost = self._dialect.is_disconnect(error, driver, None)
        if lost:
            self._connection.invalidate(error)
        return DBAPIError.instance(
            None,
            None,
            error,
            self._dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=self._dialect,
        )


def begin(connection: Connection) -> None:
    """Begin a transaction with SQLite, if none has begun; one that may write waits for its turn now."""
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        if connection.get_execution_options().get(READS):
            driver.execute("BEGIN")
        else:
            driver.begin_writing()


def _say_to_sqlite(driver: Any, said: Sequence[Said], commit: bool) -> list[list[Row]]:
    answers: list[list[Row]] = []
    for statement, parameters, many in said:
        if many:
            driver.executemany(statement.text, statement.all_ordered(parameters))
            answers.append([])
        else:
            answers.append(driver.execute(statement.text, parameters).fetchall())
    if commit:
        driver.commit()
    return answers


def _say_to_postgresql(driver: Any, said: Sequence[Said], commit: bool) -> list[list[Row]]:
    """Neighbours that write a row to a table each in one statement, which the server knows after a few times.

    (A pipeline saves the same messages, but costs this driver more than they do.)
    """
    answers: list[list[Row]] = []
    for together in _of_different_tables(said):
        statement, parameters, many = together[0]
        cursor = driver.cursor()
        if many and statement.adds:
            with cursor.copy(_as_copy(statement.text)) as copy:
                for row in statement.all_in_order(parameters):
                    copy.write_row(row)
        elif many:
            cursor.executemany(statement.text, statement.all_ordered(parameters))
        elif len(together) == 1:
            cursor.execute(statement.text, parameters)
        else:
            texts = tuple(each.text for each, _, _ in together)
            of_all = enumerate(each for _, each, _ in together)
            cursor.execute(_as_one(texts), {f"{key}_{number}": each[key] for number, each in of_all for key in each})
        answers += [cursor.fetchall() if cursor.description else [], *([] for _ in together[1:])]
    if commit:
        driver.commit()
    return answers


def _of_different_tables(said: Sequence[Said]) -> Iterator[list[Said]]:
    """What can be one statement of PostgreSQL: its parts happen at one moment, where two of one table might clash.

    https://www.postgresql.org/docs/15/queries-with.html, 7.8.4
    """
    together: list[Said] = []
    tables: set[str | None] = set()
    for statement, parameters, many in said:
        alone = many or statement.writes is None
        if together and (alone or None in tables or statement.writes in tables):
            yield together
            together, tables = [], set()
        together.append((statement, parameters, many))
        tables.add(None if alone else statement.writes)
    if together:
        yield together


def _as_copy(insert: str) -> str:
    """What takes the rows of an INSERT in one go (https://www.postgresql.org/docs/15/sql-copy.html)."""
    return insert.partition(" VALUES ")[0].replace("INSERT INTO", "COPY") + " FROM STDIN"


@cache
def _as_one(texts: Sequence[str]) -> str:
    """Statements as one, with the parameters of each told apart by its number."""
    numbered = [re.sub(r"%\((\w+)\)s", rf"%(\1_{number})s", text) for number, text in enumerate(texts)]
    parts = ", ".join(f"part_{number} AS ({text})" for number, text in enumerate(numbered[:-1]))
    return f"WITH {parts} {numbered[-1]}"


def _say_to_mariadb(driver: Any, said: Sequence[Said], commit: bool) -> list[list[Row]]:
    """Every statement in a message of its own.

    Several in one are no transaction on a Galera cluster: when another node was faster, the server forgot the first
    ones and kept the others (seen with MariaDB 10.11: history was committed without its lease).
    """
    answers: list[list[Row]] = []
    cursor = driver.cursor()
    for statement, parameters, many in said:
        if many:
            cursor.executemany(statement.text, statement.all_ordered(parameters))
        else:
            cursor.execute(statement.text, parameters)
        answers.append(list(cursor.fetchall()) if cursor.description else [])
    if commit:
        driver.commit()
    return answers


_DRIVERS: Mapping[str, Callable[[Any, Sequence[Said], bool], list[list[Row]]]] = {
    "sqlite": _say_to_sqlite,
    "postgresql": _say_to_postgresql,
    "mariadb": _say_to_mariadb,
}
