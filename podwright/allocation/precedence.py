"""Coming first on a Galera cluster, for whoever lost too often.

Nobody waits between the nodes of a cluster: of two that change the same rows, the first one to commit is certified, and
the other one has to do its work again (https://galeracluster.com/library/documentation/certification-based-replication.html).
Where many commit all the time, a long piece of work never is the first one. So whoever has lost for a while stands in
line: it writes down since when, and others that read this before they write leave off and try again.

This is politeness: that no value is leased twice is what certification sees to. So another node may hear of it late,
who dies in the line is passed by after a while, and a clock that is wrong costs time alone.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

from sqlalchemy import Connection, delete, exists, func, insert, literal_column, select, update
from sqlalchemy.exc import DBAPIError

from podwright.allocation.schema import PRECEDENCE
from podwright.allocation.statement import Statement

# What a controller that died in the line keeps those behind it waiting, at most (s).
_LASTS_S: Final = 5

# What each of those before oneself takes, about: one looks again when they may have gone (s).
_EACH_TAKES_S: Final = 0.02

# Who it is: a session of a node.
_SESSION = func.concat_ws(":", literal_column("@@hostname"), literal_column("@@port"), func.connection_id())
_NOW = func.unix_timestamp()
_NOW_US = func.floor(func.unix_timestamp(func.now(6)) * 1_000_000)

_mine = PRECEDENCE.alias()
_my_since = select(_mine.c.since).where(_mine.c.session == _SESSION).scalar_subquery()
_AHEAD = select(func.count()).where(
    PRECEDENCE.c.until > _NOW,
    PRECEDENCE.c.session != _SESSION,
    PRECEDENCE.c.since < func.coalesce(_my_since, _NOW_US + 1),
)
_leave = delete(PRECEDENCE).where(PRECEDENCE.c.session == _SESSION)

# Nobody stands in line as a rule, which costs least to see.
IS_ANYBODY_IN_LINE = exists(select(PRECEDENCE.c.since).select_from(PRECEDENCE))
AHEAD = Statement(_AHEAD)
LEAVE = Statement(_leave)


class OutOfTurnError(Exception):
    """Another controller comes first; what was begun has to be undone, and tried again later."""


def stand_in_line(connection: Connection, at_most_s: float) -> None:
    """Wait for one's turn, which lasts until one leaves.

    Raises:
        OutOfTurnError: it did not come in time.
        DBAPIError: the server is lost.
    """
    ends = time.monotonic() + at_most_s
    connection.rollback()
    while time.monotonic() < ends:
        _say_that_one_is_there(connection)
        says_so_again = time.monotonic() + _LASTS_S / 3
        while time.monotonic() < min(ends, says_so_again):
            ahead = connection.scalar(_AHEAD)
            connection.rollback()
            if not ahead:
                return
            time.sleep(ahead * _EACH_TAKES_S)  # the longer the line, the less it is asked about
    raise OutOfTurnError


def leave(connection: Connection) -> None:
    """Let others go on."""
    with suppress(DBAPIError):  # they will, after a while
        connection.rollback()
        connection.execute(_leave)
        connection.commit()


def _say_that_one_is_there(connection: Connection) -> None:
    until = _NOW + _LASTS_S
    there = connection.execute(update(PRECEDENCE).where(PRECEDENCE.c.session == _SESSION).values(until=until))
    if there.rowcount == 0:
        connection.execute(delete(PRECEDENCE).where(PRECEDENCE.c.until <= _NOW))
        connection.execute(insert(PRECEDENCE).values(session=_SESSION, since=_NOW_US, until=until))
    connection.commit()
