"""How a database of leases is reached: SQLAlchemy's engine for each kind of it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.engine import URL, Engine

from podwright.allocation.conversation import begin
from podwright.allocation.failures import BUSY_TIMEOUT_S
from podwright.allocation.turns import TurnTaking

CONNECT_TIMEOUT_S = 10


def engine_of(url: URL) -> Engine:
    """The engine of a database, which connects anew each time; of an SQLite file, the directory is made."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    # Every statement sees what was committed before it: what a pool's row was waited for is then read.
    return create_engine(
        url, poolclass=NullPool, isolation_level="READ COMMITTED", connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
    )


def _sqlite(url: URL) -> Engine:
    if url.database != ":memory:":
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    # The driver must not begin transactions by itself, which it does late and deferred: two controllers
    # could both read before either writes.
    connect_args = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "factory": TurnTaking}
    engine = create_engine(url, poolclass=NullPool, connect_args=connect_args)

    @event.listens_for(engine, "begin")
    def as_in_conversations(connection: Connection) -> None:
        begin(connection)

    return engine
