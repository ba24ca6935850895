"""How the tables came to be what they are: a revision in `versions` for each change since the first."""

from __future__ import annotations

from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the tables up to date, or to a revision, in the transaction that the connection is in, or in a new one.

    Where another controller was faster, this goes on from there: a transaction of MariaDB's does not keep others away.
    """
    if not connection.in_transaction():
        connection.begin()  # Alembic would otherwise begin one of its own, and commit it
    config = Config()
    config.set_main_option("script_location", "podwright.allocation:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    def steps(revision: Any, _: Any) -> Any:
        return scripts._upgrade_revs(to, revision)

    with EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(connection=connection)
        context = environment.get_context()
        while True:
            before = context.get_current_heads()
            try:
                return environment.run_migrations()
            except CommandError:  # the version is not `before` any more
                if context.get_current_heads() == before:
                    raise
