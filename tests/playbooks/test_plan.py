"""The plan stage as operators run it: in check mode, for good, again, and limited to some hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright import plan_files
from podwright.runner import ExitCode, Order, Run, run
from tests.unit.plan.clouds import declare, declare_lab, declared

# Every host holds the state that the lookup plugin finds against the file that the stage should have written.
COMPARE = """
- name: Plan
  ansible.builtin.import_playbook: podwright.cloud.plan
- name: Compare
  hosts: all
  gather_facts: false
  connection: ansible.builtin.local
  tasks:
    - name: Compare with what was written
      ansible.builtin.assert:
        that:
          - podwright_state == lookup('ansible.builtin.file', written ~ '/' ~ inventory_hostname ~ '.yml') | from_yaml
          - podwright_state == lookup('podwright.cloud.desired_states')[inventory_hostname]
          - podwright_state.management_address == ansible_host
"""

USE = """
- name: Use
  hosts: east-p1-sw1
  gather_facts: false
  connection: ansible.builtin.local
  tasks:
    - name: Use a state
      ansible.builtin.debug:
        var: podwright_state.kind
    - name: Fail if it has none
      ansible.builtin.assert:
        that: podwright_state.kind == 'pod_switch'
"""


@pytest.fixture
def cloud_file(tmp_path: Path) -> Path:
    return declare_lab(tmp_path)


def test_check_then_run_then_run_again(cloud_file: Path, tmp_path: Path) -> None:
    check = compare(cloud_file, written="preview", check=True)
    assert check.exit_code == ExitCode.CHANGED, check.to_json()
    assert not (tmp_path / "state/plan").exists()
    assert not (tmp_path / "state/leases.db").exists()
    first = compare(cloud_file, written="plan")
    assert first.exit_code == ExitCode.CHANGED, first.to_json()
    assert first.differences == check.differences
    assert first.results["plan"] == check.results["plan"]
    assert len(first.results["plan"]["changed"]) == first.results["plan"]["devices"] == 13
    again = compare(cloud_file, written="plan")
    assert again.exit_code == ExitCode.IN_SYNC, again.to_json()
    assert again.differences == []
    assert compare(cloud_file, written="plan", check=True).exit_code == ExitCode.IN_SYNC


@pytest.mark.parametrize("limit", ["east-p1-hv2", "acme-east-router"])
def test_limited_run_plans_the_whole_cloud(cloud_file: Path, tmp_path: Path, limit: str) -> None:
    limited = compare(cloud_file, written="plan", limit=limit)
    assert limited.exit_code == ExitCode.CHANGED, limited.to_json()
    assert len(plan_files.read_texts(tmp_path / "state/plan")) == 13
    assert compare(cloud_file, written="plan").exit_code == ExitCode.IN_SYNC


def test_empty_pool_is_invalid_input_and_names_every_account(cloud_file: Path) -> None:
    declaration = declared(cloud_file)
    declaration["zones"]["east"]["pods"]["p1"]["guest_vlans"] = ["101"]
    declaration["accounts"]["initech"] = {"guest_networks": {"default": {"zone": "east", "pod": "p1"}}}
    failed = compare(declare(cloud_file, declaration), written="plan")
    assert failed.exit_code == ExitCode.INVALID, failed.to_json()
    message = "\n".join(failure.message for failure in failed.failures)
    assert "Traceback" not in message
    assert "globex" in message
    assert "initech" in message
    assert "guest_vlans" in message


def test_plan_older_than_the_inventory_is_refused_with_the_remedy(cloud_file: Path, tmp_path: Path) -> None:
    assert (
        use(cloud_file).failures[0].message.endswith(f"{tmp_path}/state/plan: there is no plan; run playbooks/plan.yml")
    )
    compare(cloud_file, written="plan")
    assert use(cloud_file).exit_code == ExitCode.IN_SYNC
    declaration = declared(cloud_file)
    declaration["accounts"]["initech"] = {}
    stale = use(declare(cloud_file, declaration))
    assert stale.exit_code == ExitCode.FAILED
    assert "the plan was made before the inventory changed; run playbooks/plan.yml" in stale.failures[0].message


def compare(cloud_file: Path, written: str, check: bool = False, limit: str | None = None) -> Run:
    variables = {"written": str(cloud_file.parent / "state" / written)}
    return play(COMPARE, cloud_file, Order("", cloud_file, check=check, diff=True, limit=limit, variables=variables))


def use(cloud_file: Path) -> Run:
    return play(USE, cloud_file, Order("", cloud_file))


def play(playbook: str, cloud_file: Path, order: Order) -> Run:
    file = cloud_file.parent / "playbook.yml"
    file.write_text(playbook)
    return run(Order(str(file), order.inventory, order.check, order.diff, order.limit, order.variables))
