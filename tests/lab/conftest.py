"""The lab that the tests of this directory share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab cloud's hosts, bare: nothing is deployed on them but what earlier tests left."""
    shared = Lab(f"test-{os.getpid()}")
    try:
        shared.up()
        yield shared
    finally:
        shared.down()
