"""`podwright lease` as tests call it: what it says, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from podwright.allocation.database import unix_time
from tests.unit.allocation.declaration import NOW

TODAY = NOW + timedelta(days=3)


class Said(NamedTuple):
    code: int
    out: str
    err: str = ""


Podwright = Callable[..., Said]


def set_clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    for module in ("cli", "single_pool"):
        monkeypatch.setattr(f"podwright.allocation.{module}.unix_time", lambda moment: unix_time(moment or now))
