"""Coming first on a Galera cluster, for whoever lost too often.

Nobody waits between the nodes of a cluster: of two that change the same rows, the first one to commit is certified, and
the other one has to do its work again (https://galeracluster.com/library/documentation/certification-based-replication.html).
Where many commit all the time, a long piece of work never is the first one. So whoever has lost several times writes
down that it comes first; others that read this before they write leave off and try again later.

This is politeness: that no value is leased twice is what certification sees to. So it may be late on another node, it
ends by itself when a controller dies, and a clock that is wrong costs time alone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from sqlalchemy import Connection, column, delete, exists, func, insert, literal_column, select
from sqlalchemy.exc import DBAPIError

from podwright.allocation.schema import PRECEDENCE
from podwright.allocation.statement import Statement

# What a controller that died while it came first keeps others waiting (s).
LASTS_S: Final = 10

# Who it is: a session of a node.
_THIS_SESSION = func.concat_ws(":", literal_column("@@hostname"), literal_column("@@port"), func.connection_id())
_NOW = func.unix_timestamp()

_ANOTHERS = (PRECEDENCE.c.until > _NOW, PRECEDENCE.c.session != _THIS_SESSION)
ANOTHER_COMES_FIRST = exists(select(column("id")).select_from(PRECEDENCE).where(*_ANOTHERS))
_give_back = delete(PRECEDENCE).where(PRECEDENCE.c.session == _THIS_SESSION)
GIVE_BACK = Statement(_give_back)


class OutOfTurnError(Exception):
    """Another controller comes first; what was begun has to be undone, and tried again later."""


def claimed(connection: Connection) -> bool:
    """Come first from now on, unless somebody does already.

    Returns:
        Whether it does, until it gives that back.
    """
    try:
        connection.rollback()  # of what was lost
        # Asked first, without a lock: those who wait are many, and would wait for each other here, too.
        if connection.scalar(select(ANOTHER_COMES_FIRST)):
            return False
        connection.execute(delete(PRECEDENCE).where(PRECEDENCE.c.until <= _NOW))
        connection.execute(insert(PRECEDENCE).values(id=1, session=_THIS_SESSION, until=_NOW + LASTS_S))
        connection.commit()
    except DBAPIError:  # somebody was faster, or the server is lost, which the next attempt will tell
        return False
    finally:
        with suppress(DBAPIError):
            connection.rollback()
    return True


def give_back(connection: Connection) -> None:
    """Let others go on."""
    with suppress(DBAPIError):  # it ends by itself
        connection.rollback()
        connection.execute(_give_back)
        connection.commit()
