"""The line of those who lost for a while: who came first goes first, and who died in it is passed by."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import create_engine

from podwright.allocation import precedence
from podwright.allocation.precedence import OutOfTurnError
from tests.databases.servers import MariaDb
from tests.databases.workers import declare

SOON_S = 0.3
IN_THE_END_S = 30


def test_who_came_first_goes_first_and_who_died_is_passed_by(mariadb: MariaDb) -> None:
    url = mariadb.new_database()
    declare(url)
    engine = create_engine(url, isolation_level="READ COMMITTED")
    with engine.connect() as first, engine.connect() as second, engine.connect() as third:
        precedence.stand_in_line(first, IN_THE_END_S)
        for later in (second, third):
            with pytest.raises(OutOfTurnError):
                precedence.stand_in_line(later, SOON_S)
        precedence.stand_in_line(first, IN_THE_END_S)  # whose turn it is still
        precedence.leave(first)
        with pytest.raises(OutOfTurnError):
            precedence.stand_in_line(third, SOON_S)
        precedence.stand_in_line(second, IN_THE_END_S)
        second.invalidate()  # and nobody leaves
        began = time.monotonic()
        precedence.stand_in_line(third, IN_THE_END_S)
        assert time.monotonic() - began > 1
        precedence.leave(third)
        precedence.stand_in_line(first, IN_THE_END_S)
    engine.dispose()
