"""A machine that moved starts only in a run in which its old hypervisor stopped it."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.runner import ExitCode, Order, run

INVENTORY = """
all:
  vars: {ansible_connection: local}
  hosts:
    hv1:
      hypervisor_machines_state: {}
      hypervisor_machines_kept: {deferred: []}
      fails: false
    hv2:
      hypervisor_machines_state: {moved_from: {acme-web1: [hv1], acme-web2: [hv1]}}
      hypervisor_machines_kept: {deferred: [acme-web1, acme-web3]}
      fails: false
"""

PLAYBOOK = """
- name: Start
  hosts: all
  gather_facts: false
  tasks:
    - name: Stop machines
      ansible.builtin.assert:
        that: not (fails | bool) or inventory_hostname != 'hv1'
    - name: See
      ansible.builtin.include_role:
        name: podwright.cloud.hypervisor_machines
        tasks_from: seen
      when: hypervisor_machines_state.moved_from is defined
"""


@pytest.mark.parametrize(
    ("limit", "fails"), [("hv2", False), (None, True)], ids=["left out of the run", "failed in the run"]
)
def test_it_does_not_start_when_its_old_hypervisor_was_not_seen(tmp_path: Path, limit: str | None, fails: bool) -> None:
    refused = run(order(tmp_path, limit, fails))
    assert refused.exit_code == ExitCode.FAILED, refused.to_json()
    [message] = [failure.message for failure in refused.failures if failure.host == "hv2"]
    assert message.startswith("nothing was started: acme-web1 moved here from hv1, which did not come through this run")


def test_it_starts_when_its_old_hypervisor_was_seen(tmp_path: Path) -> None:
    seen = run(order(tmp_path, None, False))
    assert seen.exit_code == ExitCode.IN_SYNC, seen.to_json()


def order(directory: Path, limit: str | None, fails: bool) -> Order:
    inventory, playbook = directory / "hosts.yml", directory / "playbook.yml"
    inventory.write_text(INVENTORY)
    playbook.write_text(PLAYBOOK)
    return Order(str(playbook), inventory, limit=limit, variables={"fails": fails})
