"""The release stage as site.yml runs it, after a plan of the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright import plan_files
from podwright.allocation.database import Database
from podwright.runner import ExitCode, Order, Run, run
from tests.unit.plan.clouds import declare, declare_lab, declared

PLAN = """
- name: Plan
  ansible.builtin.import_playbook: podwright.cloud.plan
"""

RELEASE = """
- name: Release
  hosts: all
  gather_facts: false
  connection: ansible.builtin.local
  tasks:
    - name: Release
      podwright.cloud.release:
        confirm_lost_devices: "{{ podwright_confirm_lost_devices | default(false) | bool }}"
      delegate_to: localhost
"""


STORAGE = """
- name: Storage servers, as the storage stage leaves them
  hosts: storage_servers
  gather_facts: false
  connection: ansible.builtin.local
  tasks:
    - name: Say what is left behind
      ansible.builtin.set_fact:
        podwright_left_behind: {}
        cacheable: true
"""


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    return declare_lab(tmp_path)


def test_what_was_given_up_is_released_and_only_by_a_run_over_all_hosts(cloud_file: Path) -> None:
    play(cloud_file, PLAN + RELEASE)
    declaration = declared(cloud_file)
    del declaration["accounts"]["globex"]
    declare(cloud_file, declaration)
    play(cloud_file, PLAN + RELEASE, limit="east-p1-sw1")
    assert states(cloud_file) == {"held", "releasing"}
    assert play(cloud_file, PLAN + RELEASE, check=True).exit_code == ExitCode.CHANGED
    assert states(cloud_file) == {"held", "releasing"}
    assert play(cloud_file, PLAN + RELEASE).exit_code == ExitCode.CHANGED
    assert states(cloud_file) == {"held", "quarantine"}
    assert play(cloud_file, PLAN + RELEASE).exit_code == ExitCode.IN_SYNC


def test_a_volume_is_released_when_its_storage_server_was_seen_without_it(cloud_file: Path) -> None:
    play(cloud_file, PLAN)
    declaration = declared(cloud_file)
    del declaration["accounts"]["globex"]["machines"]["web2"]
    declare(cloud_file, declaration)
    there, gone = (PLAN + STORAGE.format(files) + RELEASE for files in (["globex-web2.raw"], []))
    assert play(cloud_file, there).exit_code == ExitCode.CHANGED
    assert left_volumes(cloud_file) == {"globex-web2": 0}
    [difference] = play(cloud_file, gone).differences
    assert difference["before"] == "volume east/p1 east-p1-nfs1 globex-web2 1 GiB (releasing)\n"
    assert left_volumes(cloud_file) == {}


def test_a_run_without_a_plan_releases_nothing(cloud_file: Path) -> None:
    play(cloud_file, PLAN)
    refused = play(cloud_file, RELEASE)
    assert refused.exit_code == ExitCode.FAILED
    assert refused.failures[0].message.endswith("this run made no plan; run playbooks/site.yml")


def test_after_the_release_of_a_move_the_plan_is_that_of_the_next_run(cloud_file: Path) -> None:
    for hypervisor in ("east-p1-hv1", "east-p1-hv2"):
        declaration = declared(cloud_file)
        acme = declaration["accounts"]["acme"]
        acme["machines"] = {"web1": acme["machines"]["web1"] | {"hypervisor": hypervisor}}
        declare(cloud_file, declaration)
        play(cloud_file, PLAN)
    moved = plan_files.read_texts(cloud_file.parent / "state/plan")["east-p1-hv2"]
    assert "moved_from:\n  acme-web1:\n  - east-p1-hv1\n" in moved
    play(cloud_file, PLAN + RELEASE)
    assert "moved_from" not in plan_files.read_texts(cloud_file.parent / "state/plan")["east-p1-hv2"]
    assert play(cloud_file, PLAN + RELEASE).exit_code == ExitCode.IN_SYNC


def states(cloud_file: Path) -> set[str]:
    """The states of all leases."""
    with Database(cloud_file.parent / "state/leases.db") as database:
        return {lease.state for lease in database.preview(lambda repository: repository.leases())}


def left_volumes(cloud_file: Path) -> dict[str, int]:
    """The domains whose volumes are left, with the operations a second that they are still promised."""
    with Database(cloud_file.parent / "state/leases.db") as database:
        volumes = database.preview(lambda repository: repository.volumes())
    return {volume.domain: volume.storage_iops for volume in volumes if volume.state == "releasing"}


def play(cloud_file: Path, playbook: str, limit: str | None = None, check: bool = False) -> Run:
    file = cloud_file.parent / "playbook.yml"
    file.write_text(playbook)
    return run(Order(str(file), cloud_file, check=check, diff=True, limit=limit))
