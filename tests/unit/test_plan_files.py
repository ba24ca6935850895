from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from podwright import plan_files
from podwright.errors import PlanError

STATES = {"hv1": "device: hv1\n", "sw1": "device: sw1\nvlans:\n  10: management\n"}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    plan_files.write(tmp_path / "plan", STATES, "sources")
    assert plan_files.read_state(tmp_path / "plan", "sw1", "sources") == {"device": "sw1", "vlans": {10: "management"}}
    assert list(plan_files.read_states(tmp_path / "plan", "sources")) == ["hv1", "sw1"]
    assert plan_files.read_texts(tmp_path / "plan") == STATES


def test_nobody_else_reads_a_plan(tmp_path: Path) -> None:
    plan_files.write(tmp_path / "state" / "plan", STATES, "sources")
    assert (tmp_path / "state" / "plan").stat().st_mode & 0o077 == 0


def test_file_of_a_state_that_stays_is_left_alone(tmp_path: Path) -> None:
    plan_files.write(tmp_path, STATES, "sources")
    before = (tmp_path / "sw1.yml").stat()
    plan_files.write(tmp_path, STATES | {"hv1": "device: hv1\npod: p1\n"}, "sources")
    assert (tmp_path / "sw1.yml").stat() == before


def test_file_of_a_device_that_is_gone_goes_and_so_does_what_a_killed_run_left(tmp_path: Path) -> None:
    plan_files.write(tmp_path, STATES, "sources")
    (tmp_path / ".hv1.yml.new").write_text("half a sta")
    plan_files.write(tmp_path, {"sw1": STATES["sw1"]}, "sources")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["index.json", "sw1.yml"]


def test_without_a_plan_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as error:
        plan_files.read_state(tmp_path, "sw1", "sources")
    assert str(error.value) == f"{tmp_path}: there is no plan; run playbooks/plan.yml"


def test_plan_of_other_sources_is_refused(tmp_path: Path) -> None:
    plan_files.write(tmp_path, STATES, "old")
    with pytest.raises(PlanError) as error:
        plan_files.read_state(tmp_path, "sw1", "new")
    assert str(error.value) == f"{tmp_path}: the plan was made before the inventory changed; run playbooks/plan.yml"


def test_device_that_is_not_planned_is_named(tmp_path: Path) -> None:
    plan_files.write(tmp_path, STATES, "sources")
    with pytest.raises(PlanError) as error:
        plan_files.read_state(tmp_path, "sw9", "sources")
    assert str(error.value) == f"{tmp_path}: sw9 is not a device of the plan; name one of its 2 devices"


@pytest.mark.parametrize("content", ["device: sw2\n", "device: [", ""])
def test_state_that_is_not_what_was_planned_is_refused(tmp_path: Path, content: str) -> None:
    plan_files.write(tmp_path, STATES, "sources")
    (tmp_path / "sw1.yml").write_text(content)
    with pytest.raises(PlanError) as error:
        plan_files.read_state(tmp_path, "sw1", "sources")
    assert str(error.value) == f"{tmp_path}/sw1.yml: is missing or not what was planned; run playbooks/plan.yml"


def test_writing_again_mends_what_was_changed_by_hand(tmp_path: Path) -> None:
    plan_files.write(tmp_path, STATES, "sources")
    (tmp_path / "sw1.yml").write_text("device: sw2\n")
    (tmp_path / "hv1.yml").unlink()
    plan_files.write(tmp_path, STATES, "sources")
    assert plan_files.read_texts(tmp_path) == STATES


@pytest.mark.parametrize(
    "content", ["", '{"devices": ', '{"devices": 3, "sources": "sources"}', '{"sources": "sources"}']
)
def test_torn_index_is_refused(tmp_path: Path, content: str) -> None:
    plan_files.write(tmp_path, STATES, "sources")
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(PlanError) as error:
        plan_files.read_state(tmp_path, "sw1", "sources")
    assert str(error.value) == f"{tmp_path}/index.json: is not an index of a plan; run playbooks/plan.yml"


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from podwright import plan_files

replaces = int(sys.argv[2])

def replace(self, target, real=Path.replace):
    global replaces
    if replaces == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replaces -= 1
    return real(self, target)

Path.replace = replace
plan_files.write(Path(sys.argv[1]), {"hv1": "device: new\\n", "sw1": "device: new\\n", "sw2": "device: new\\n"}, "new")
"""


@pytest.mark.parametrize("replaces", range(4))
def test_reader_never_takes_the_leavings_of_a_killed_run_for_a_plan(tmp_path: Path, replaces: int) -> None:
    plan_files.write(tmp_path, STATES, "old")
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, tmp_path, str(replaces)], check=False)
    assert killed.returncode == -signal.SIGKILL
    for device in STATES:
        with pytest.raises(PlanError):
            plan_files.read_state(tmp_path, device, "new")
        try:
            assert plan_files.read_state(tmp_path, device, "old")["device"] == device
        except PlanError as error:
            assert str(error).endswith("is missing or not what was planned; run playbooks/plan.yml")  # noqa: PT017
    plan_files.write(tmp_path, STATES, "old")
    assert list(plan_files.read_states(tmp_path, "old")) == ["hv1", "sw1"]


def test_digest_of_sources_sees_every_file_and_variable(tmp_path: Path) -> None:
    cloud_file = tmp_path / "cloud.yml"
    cloud_file.write_text("administrator_key_file: ${KEYS}/key.pub\n")
    digests = [plan_files.sources_digest(cloud_file, {"KEYS": "/a", "OTHER": "1"})]
    assert plan_files.sources_digest(cloud_file, {"KEYS": "/a", "OTHER": "2"}) == digests[0]
    digests.append(plan_files.sources_digest(cloud_file, {"KEYS": "/b"}))
    (tmp_path / "cloud.d").mkdir()
    (tmp_path / "cloud.d" / "acme.yml").write_text("accounts: {acme: {}}\n")
    digests.append(plan_files.sources_digest(cloud_file, {"KEYS": "/b"}))
    (tmp_path / "cloud.d" / "acme.yml").write_text("accounts: {acne: {}}\n")
    digests.append(plan_files.sources_digest(cloud_file, {"KEYS": "/b"}))
    assert len(set(digests)) == 4


def test_a_password_of_a_database_is_no_source(tmp_path: Path) -> None:
    cloud_file = tmp_path / "cloud.yml"
    cloud_file.write_text("database: mariadb://podwright:${PASSWORD}@${HOST}/leases\n")
    passwords = [plan_files.sources_digest(cloud_file, {"PASSWORD": each, "HOST": "db1"}) for each in ("a", "b")]
    assert passwords[0] == passwords[1]
    assert plan_files.sources_digest(cloud_file, {"PASSWORD": "a", "HOST": "db2"}) != passwords[0]


def test_check_mode_reads_the_preview_until_the_plan_is_made(tmp_path: Path) -> None:
    plan, preview = plan_files.plan_directory(tmp_path), plan_files.preview_directory(tmp_path)
    plan_files.write(plan, STATES, "sources")
    assert plan_files.current_directory(tmp_path, check_mode=True) == plan
    plan_files.write(preview, STATES, "sources")
    assert plan_files.current_directory(tmp_path, check_mode=True) == preview
    assert plan_files.current_directory(tmp_path, check_mode=False) == plan
    plan_files.discard(preview)
    assert plan_files.current_directory(tmp_path, check_mode=True) == plan


def test_one_run_at_a_time_plans(tmp_path: Path) -> None:
    waiting = "from pathlib import Path; from podwright import plan_files\nwith plan_files.exclusive(Path({!r})): pass"
    with plan_files.exclusive(tmp_path):
        other = subprocess.Popen([sys.executable, "-c", waiting.format(os.fspath(tmp_path))])
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=1)
    assert other.wait(timeout=20) == 0
