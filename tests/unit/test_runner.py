from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from podwright.runner import ExitCode, Order, Run, command_line, run

PLAY = """
- name: One play
  hosts: all
  gather_facts: false
  tasks:
    - name: One task
      {task}
"""


MakeOrder = Callable[..., Order]


@pytest.fixture
def order(tmp_path: Path) -> MakeOrder:
    """An order for a play of one task on two hosts that are the controller itself."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        "all: {hosts: {a: {}, b: {}}, vars: {ansible_connection: local, "
        "ansible_python_interpreter: '{{ ansible_playbook_python }}'}}"
    )

    def make(task: str, **options: bool) -> Order:
        playbook = tmp_path / "play.yml"
        playbook.write_text(PLAY.format(task=task))
        return Order(str(playbook), inventory, **options)

    return make


@pytest.mark.parametrize(
    "task, code",
    [
        ("ansible.builtin.debug: {msg: hello}", ExitCode.IN_SYNC),
        ("ansible.builtin.command: {argv: ['true']}", ExitCode.CHANGED),
        ("ansible.builtin.fail: {msg: broken}", ExitCode.FAILED),
    ],
)
def test_exit_code_says_what_happened(order: MakeOrder, task: str, code: ExitCode):
    assert run(order(task)).exit_code == code


def test_failure_names_host_task_and_message(order: MakeOrder):
    result = run(order("ansible.builtin.fail: {msg: broken}"))
    assert sorted((f.host, f.task, f.message) for f in result.failures) == [
        ("a", "One task", "broken"),
        ("b", "One task", "broken"),
    ]


# What somebody else writes where ansible-runner looks for events: it begins as one does.
NOISE = """
import os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "notification", "noise"

    def v2_runner_on_start(self, host, task):
        os.write(1, b"\\x1b[KQUJD\\x1b[4D")
"""


def test_event_that_is_garbled_on_the_terminal_is_not_lost(order: MakeOrder, tmp_path: Path):
    (tmp_path / "callback_plugins").mkdir()
    (tmp_path / "callback_plugins/noise.py").write_text(NOISE)
    result = run(order("ansible.builtin.fail: {msg: broken}"))
    assert sorted((f.host, f.message) for f in result.failures) == [("a", "broken"), ("b", "broken")]
    assert [(play.name, play.tasks) for play in result.plays] == [("One play", 2)]
    assert {*result.hosts} == {"a", "b"}


def test_what_a_task_says_is_kept_however_long_it_is(order: MakeOrder):
    result = run(order("ansible.builtin.fail: {msg: '{{ \"x\" * 800000 }}'}"))
    assert [len(failure.message) for failure in result.failures] == [800_000] * 2


def test_run_that_ansible_cannot_start_is_failed(order: MakeOrder):
    result = run(order("no.such.module: {}"))
    assert result.exit_code == ExitCode.FAILED
    assert "no.such.module" in result.failures[0].message


def test_warning_of_two_hosts_is_told_once(order: MakeOrder):
    result = run(order("ansible.builtin.find: {paths: [/nonexistent]}"))
    assert len(result.warnings) == 1
    assert "/nonexistent" in result.warnings[0]


def test_diff_is_reported_and_check_changes_nothing(order: MakeOrder, tmp_path: Path):
    target = tmp_path / "target"
    task = f"ansible.builtin.copy: {{content: new, dest: {target}, mode: '0600'}}"
    result = run(order(task, check=True, diff=True))
    assert [d["after"] for d in result.differences] == ["new", "new"]
    assert result.exit_code == ExitCode.CHANGED
    assert not target.exists()


def test_progress_sees_the_play_before_it_ends(order: MakeOrder):
    seen: list[list[str]] = []
    run(order("ansible.builtin.debug: {msg: hello}"), lambda r: seen.append([p.name for p in r.plays]))
    assert seen[0] == []
    assert ["One play"] in seen


def test_report_is_json_and_counts_hosts(order: MakeOrder):
    report = json.loads(run(order("ansible.builtin.command: {argv: ['true']}")).to_json())
    assert report["exit_code"] == 2
    assert report["hosts"]["a"] == {"ok": 1, "changed": 1, "failed": 0, "unreachable": 0}
    assert report["plays"][0]["name"] == "One play"


def test_private_directory_is_gone(order: MakeOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run(order("ansible.builtin.debug: {msg: hello}"))
    assert not list(tmp_path.glob("podwright-run-*"))


def test_command_line_quotes_what_an_operator_types():
    order = Order("site", Path("cloud.yml"), check=True, diff=True, limit="a:!b c", variables={"x": "it's"})
    assert command_line(order) == "--check --diff --limit 'a:!b c' --extra-vars '{\"x\": \"it'\"'\"'s\"}'"
    assert command_line(Order("site", Path("cloud.yml"))) is None


def test_invalid_input_outweighs_failure():
    assert Run(invalid=True).exit_code == ExitCode.INVALID


def test_one_that_fails_stops_no_other(order: MakeOrder):
    task = "ansible.builtin.command: {argv: ['test', '{{ inventory_hostname }}', '=', 'b']}"
    result = run(order(task))
    assert result.exit_code == ExitCode.FAILED
    assert result.states == {"failed": ["a"], "changed": ["b"]}
    assert json.loads(result.to_json())["states"] == result.states
