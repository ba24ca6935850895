"""Volumes on a server: in a table that an upgrade made, and out of it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from podwright.allocation import allocate, settle
from podwright.allocation.database import unix_time
from podwright.model.cloud import Cloud
from tests.databases.servers import MariaDb, PostgreSql, Server
from tests.unit.allocation.declaration import NOW, account, cloud, volumes


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Server:
    running: MariaDb | PostgreSql = request.getfixturevalue(request.param)
    return running


def test_disks_from_before_an_upgrade_are_noted_and_go(server: Server, tmp_path: Path) -> None:
    url = server.new_database()

    def declared(*machines: str) -> Cloud:
        return cloud(tmp_path, {"acme": account(*machines)}).model_copy(update={"database": url})

    before = allocate(declared("web1", "web2"), preview=False, now=NOW).leases
    engine = create_engine(url.replace("mariadb:", "mariadb+pymysql:").replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE volume")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    engine.dispose()

    upgraded = allocate(declared("web1", "web2"), preview=False, now=NOW)
    assert upgraded.leases == before
    assert len(upgraded.volume_changes) == 3
    assert not allocate(declared("web1", "web2"), preview=False, now=NOW).changed

    removed = declared("web1")
    allocate(removed, preview=False, now=NOW)
    settle(removed, planned_at=unix_time(NOW), left_behind={"p1-n1": []}, now=NOW)
    assert [volume.domain for volume in volumes(removed)] == ["acme-east-router", "acme-web1"]
