"""`podwright lease` as an operator or a job calls it, at a certain time, where a cloud was deployed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from podwright import cli
from podwright.allocation import allocate, history
from tests.unit.allocation.declaration import NOW, account, cloud
from tests.unit.allocation.lease_cli.said import TODAY, Podwright, Said, set_clock


@pytest.fixture(autouse=True)
def somewhere_at_some_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SUDO_USER", "ada")
    for variable in ("PODWRIGHT_DATABASE", "PODWRIGHT_INVENTORY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(history.socket, "gethostname", lambda: "controller")
    set_clock(monkeypatch, TODAY)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def podwright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Podwright:
    def call(*arguments: str) -> Said:
        monkeypatch.setenv("PODWRIGHT_DATABASE", str(tmp_path / "leases.db"))
        monkeypatch.setattr("sys.argv", ["podwright", "lease", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        lines = [line.rstrip() for line in printed.out.splitlines()]
        return Said(int(ended.value.code or 0), "\n".join(lines), printed.err.strip())

    return call


@pytest.fixture
def deployed(tmp_path: Path) -> Path:
    """acme has a machine; globex had a network, which is being released."""
    allocate(cloud(tmp_path, {"acme": account("web1"), "globex": account()}), preview=False, now=NOW)
    allocate(cloud(tmp_path, {"acme": account("web1")}), preview=False, now=NOW + timedelta(days=1))
    return tmp_path
