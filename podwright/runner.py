"""Run a playbook of podwright's and tell what came of it.

A run has a private directory of its own, gone afterwards, so that runs never see
each other and nothing of a run stays readable. Events become a `Run` as they
arrive; whoever wants to show progress listens with `on_progress`.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import ansible_runner

from podwright import tree
from podwright.errors import InvalidInput


class ExitCode(IntEnum):
    """What a run says to the shell or the CI job that started it."""

    IN_SYNC = 0
    CHANGED = 2
    FAILED = 3
    INVALID = 4


@dataclass(frozen=True)
class Order:
    """What to run: a playbook of the collection, against an inventory."""

    playbook: str
    inventory: Path
    check: bool = False
    diff: bool = False
    limit: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Play:
    """One play of a run and its wall time."""

    name: str
    seconds: float = 0.0
    tasks: int = 0
    changed: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Failure:
    """A task that failed on a host."""

    host: str
    task: str
    message: str


@dataclass
class Run:
    """All that came of a run."""

    plays: list[Play] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    hosts: dict[str, dict[str, int]] = field(default_factory=dict)
    """{host: {"ok": tasks, "changed": tasks, "failed": tasks, "unreachable": tasks}}"""
    results: dict[str, Any] = field(default_factory=dict)
    """What tasks said that people have to know: {"plan": summary, "findings": list of statements,
    "left_behind": {storage server: volumes}, "restart_needed": {hypervisor: machines},
    "collection": directory, "collected": {device: files}}"""
    differences: list[dict[str, str]] = field(default_factory=list)
    """[{"host": host, "task": task, "before": text, "after": text}], as `--diff` shows them"""
    warnings: list[str] = field(default_factory=list)
    check: bool = False
    invalid: bool = False
    completed: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The worst that happened."""
        if self.invalid:
            return ExitCode.INVALID
        if self.failures or not self.completed:
            return ExitCode.FAILED
        return ExitCode.CHANGED if any(host["changed"] for host in self.hosts.values()) else ExitCode.IN_SYNC

    @property
    def states(self) -> dict[str, list[str]]:
        """{what came of it: the devices}, worst first; one that failed runs no later task, the others go on."""
        found: dict[str, list[str]] = {}
        for host, counts in sorted(self.hosts.items()):
            is_collected = host in self.results.get("collected", ())
            found.setdefault("collected" if is_collected else _state(counts, check=self.check), []).append(host)
        return {state: found[state] for state in _STATES if state in found}

    def to_json(self) -> str:
        """The machine-readable report."""
        return json.dumps(
            {
                "exit_code": int(self.exit_code),
                "status": self.exit_code.name.lower(),
                "hosts": self.hosts,
                "states": self.states,
                "plays": [
                    {"name": p.name, "seconds": round(p.seconds, 2), "tasks": p.tasks, "changed": sorted(p.changed)}
                    for p in self.plays
                ],
                "failures": [vars(failure) for failure in self.failures],
                "warnings": self.warnings,
                "differences": self.differences,
                **self.results,
            },
            indent=2,
        )


_STATES = ("not reached", "failed after changes", "failed", "changed", "would change", "as planned", "collected")


def _state(counts: Mapping[str, int], *, check: bool) -> str:
    """What came of a device, by how its tasks ended."""
    if counts["unreachable"]:
        return "not reached"
    if counts["failed"]:
        return "failed after changes" if counts["changed"] and not check else "failed"
    if counts["changed"]:
        return "would change" if check else "changed"
    return "as planned"


def run(order: Order, on_progress: Callable[[Run], None] = lambda _: None) -> Run:
    """Run the playbook to its end; a run that Ansible could not even start is a failed one."""
    result = Run(check=order.check)
    clock = _Clock(result)

    def on_event(event: dict[str, Any]) -> bool:
        clock.tick()
        _HANDLERS.get(event["event"], _ignore)(result, event.get("event_data", {}))
        on_progress(result)
        return False

    with tempfile.TemporaryDirectory(prefix="podwright-run-") as private:
        runner = ansible_runner.run(
            private_data_dir=private,
            playbook=order.playbook,
            inventory=str(order.inventory.resolve()),
            cmdline=command_line(order),
            envvars=_environment(),
            event_handler=on_event,
            quiet=True,
        )
        for event in _missed(Path(runner.config.artifact_dir)):
            on_event(event)
        result.completed = runner.status == "successful"
        if not result.completed and not result.failures:
            with runner.stdout as stdout:
                result.failures.append(Failure("controller", "start", stdout.read().strip()))
    return result


def invalid_report(error: InvalidInput) -> str:
    """The machine-readable report of a run that never began: every mistake of the declaration."""
    return json.dumps(
        {
            "exit_code": int(ExitCode.INVALID),
            "status": ExitCode.INVALID.name.lower(),
            "mistakes": [asdict(mistake) for mistake in error.mistakes],
        },
        indent=2,
    )


def command_line(order: Order) -> str | None:
    """Arguments of ansible-playbook beyond the playbook and the inventory, as one shell line."""
    words = []
    if order.check:
        words.append("--check")
    if order.diff:
        words.append("--diff")
    if order.limit:
        words += ["--limit", shlex.quote(order.limit)]
    if order.variables:
        words += ["--extra-vars", shlex.quote(json.dumps(dict(order.variables), sort_keys=True))]
    return " ".join(words) or None


def _environment() -> dict[str, str]:
    """The environment of the run: our ansible.cfg, and the Ansible that we are installed with.

    ansible-runner leaves the result of a task out of its event when it is longer than `MAX_EVENT_RES` characters
    (awx_display.py), 700,000 unless it is told otherwise: what is found in a large cloud is longer.
    """
    return {
        "MAX_EVENT_RES": str(2**31),
        "ANSIBLE_CONFIG": str(tree.ansible_configuration()),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def _missed(artifacts: Path) -> list[dict[str, Any]]:
    """The events that ansible-runner has not told of, oldest first.

    It looks in what Ansible prints for marks that say when an event has come, and takes what came from a file. Whoever
    prints at the same time may spoil a mark; the file is there still.
    """
    files = (artifacts / "job_events").glob("*-partial.json")
    events: list[dict[str, Any]] = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return sorted(events, key=lambda event: event["created"])


class _Clock:
    """Gives the time between two events to the play that it belongs to."""

    def __init__(self, result: Run) -> None:
        self._result = result
        self._last = time.monotonic()

    def tick(self) -> None:
        now = time.monotonic()
        if self._result.plays:
            self._result.plays[-1].seconds += now - self._last
        self._last = now


def _play_started(result: Run, data: dict[str, Any]) -> None:
    name = data.get("name") or data.get("play", "")
    if not result.plays or result.plays[-1].name != name:
        result.plays.append(Play(name))


def _play_of(result: Run, data: dict[str, Any]) -> Play:
    """The play that a task is in, which need not be the last one: an event may come late."""
    name = data.get("play", "")
    if name not in (play.name for play in result.plays):
        result.plays.append(Play(name))
    return next(play for play in reversed(result.plays) if play.name == name)


def _task_ended(result: Run, data: dict[str, Any]) -> None:
    res = data.get("res", {})
    play = _play_of(result, data)
    play.tasks += 1
    if res.get("changed"):
        play.changed.add(data["host"])
    for warning in map(str, res.get("warnings", ())):
        if warning not in result.warnings:
            result.warnings.append(warning)
    for key in ("plan", "findings", "collection"):
        if key in res:
            result.results[key] = res[key]
    for key in ("left_behind", "restart_needed", "collected"):
        if key in res:
            _keep(result.results.setdefault(key, {}), data["host"], res[key])
    diff = res.get("diff")
    for part in diff if isinstance(diff, list) else [diff] if diff else []:
        if part.get("before") != part.get("after"):
            texts = {side: str(part.get(side, "")) for side in ("before", "after")}
            result.differences.append({"host": data["host"], "task": data["task"], **texts})


def _keep(by_host: dict[str, list[str]], host: str, names: list[str]) -> None:
    """What the last task of a host said counts; a host with nothing to say has no entry."""
    by_host.pop(host, None)
    if names:
        by_host[host] = names


def _task_failed(result: Run, data: dict[str, Any]) -> None:
    _task_ended(result, data)
    if data.get("ignore_errors"):
        return
    res = data.get("res", {})
    result.invalid = result.invalid or bool(res.get("invalid_input"))
    result.failures.append(Failure(data["host"], data["task"], str(res.get("msg", res))))


def _run_ended(result: Run, data: dict[str, Any]) -> None:
    columns = {"ok": "ok", "changed": "changed", "failed": "failures", "unreachable": "dark"}
    hosts = sorted({host for column in columns.values() for host in data.get(column, {})})
    result.hosts = {
        host: {name: data.get(column, {}).get(host, 0) for name, column in columns.items()} for host in hosts
    }


def _ignore(result: Run, data: dict[str, Any]) -> None:
    """Nothing to learn from this event."""


_HANDLERS: dict[str, Callable[[Run, dict[str, Any]], None]] = {
    "playbook_on_play_start": _play_started,
    "runner_on_ok": _task_ended,
    "runner_on_failed": _task_failed,
    "runner_on_unreachable": _task_failed,
    "playbook_on_stats": _run_ended,
}
