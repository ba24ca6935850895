"""The ledger of the unit tests on servers, whose drivers are told things in other ways."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.databases.servers import Server
from tests.unit.allocation.test_ledger import Ledger


@pytest.mark.parametrize("kind", ["mariadb", "postgresql"])
def test_a_server_keeps_the_ledger_too(kind: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(kind)

    class OnServer(Ledger):
        def url(self) -> str:
            return server.new_database()

    run_state_machine_as_test(OnServer, settings=settings(max_examples=12, stateful_step_count=20, deadline=None))
