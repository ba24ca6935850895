from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.podwright.cloud.plugins.module_utils import rollback
from ansible_collections.podwright.cloud.plugins.module_utils.rollback import File


def test_files_are_put_back_new_ones_go_and_then_they_come_into_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback, "_SCRIPT", tmp_path / "rollback.sh")
    old, new = tmp_path / "old", tmp_path / "new"
    text = rollback.script({str(old): File("it's\n"), str(new): None}, [f"cat {old} >{tmp_path}/read"])
    old.write_text("changed")
    new.write_text("changed")
    (tmp_path / "rollback.sh").write_text(text)
    subprocess.run(["sh", tmp_path / "rollback.sh"], check=True)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old": "it's\n", "read": "it's\n"}
    assert old.stat().st_mode & 0o777 == 0o644


def test_at_boot_files_are_put_back_and_the_boot_itself_has_them_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback, "_SCRIPT", tmp_path / "rollback.sh")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/systemctl").write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\n')
    (tmp_path / "bin/systemctl").chmod(0o755)
    key, asked = tmp_path / "key", tmp_path / "asked"
    (tmp_path / "rollback.sh").write_text(
        rollback.script({str(key): File("secret", 0o600)}, [f"touch {tmp_path}/in-force"])
    )
    subprocess.run(["sh", tmp_path / "rollback.sh", "boot"], check=True)
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("secret", 0o600)
    assert asked.read_text() == "daemon-reload\n"
    assert {path.name for path in tmp_path.iterdir()} == {"key", "asked", "bin"}


def test_the_way_back_is_taken_when_its_time_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default, systemd takes up to a minute more to run timers together: systemd.timer(5), AccuracySec=."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(rollback, "run", lambda *command: ran.append(command))
    monkeypatch.setattr(rollback, "_SCRIPT", tmp_path / "rollback.sh")
    monkeypatch.setattr(rollback, "_BOOT_UNIT_FILE", tmp_path / "at-boot.service")
    rollback.arm({}, [], ["true"], 8)
    (timer,) = (command for command in ran if command[0] == "systemd-run")
    assert {"--on-active=8", "--timer-property=AccuracySec=100ms"} <= set(timer)
