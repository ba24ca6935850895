"""The lab's cloud as an operator handles it: an inventory to change, a command to run, devices to look at."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import sqlite3
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.lab import Lab

PODWRIGHT = str(Path(sys.executable).with_name("podwright"))

# A third account, as cloud.d/initech.yml declares it.
INITECH = """
accounts:
  initech:
    guest_networks:
      default: {zone: east, pod: p1}
    machines:
      web1: {guest_networks: [default], image: tiny, offering: tiny, hypervisor: east-p1-hv1}
"""


@dataclass(frozen=True)
class Cloud:
    """The lab's cloud, with an inventory that a test may change."""

    lab: Lab
    inventory: Path

    def podwright(self, command: str, *options: str, expect: int | set[int]) -> dict[str, Any]:
        """Run a podwright command with --json where the hosts can be reached; its report."""
        if command == "deploy" and "--diff" not in options:
            options = ("--diff", *options)  # what a run changed against all expectation shall be told
        done = self.lab.run(PODWRIGHT, command, "-i", str(self.inventory), "--json", *options, check=False)
        expected = {expect} if isinstance(expect, int) else expect
        assert done.returncode in expected, f"exit code {done.returncode}\n{_told(done.stdout)}\n{done.stderr[-3000:]}"
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def leases(self, state: str = "held") -> set[tuple[str, str, str, str, int]]:
        """Every lease in a state: (pool, scope, holder, purpose, value), read from the database itself."""
        with sqlite3.connect(self.lab.directory / "state/leases.db") as database:
            rows = database.execute("select pool, scope, holder, purpose, value from lease where state = ?", [state])
            return set(rows.fetchall())

    def volumes(self, state: str) -> set[tuple[str, str]]:
        """Every volume in a state: (domain, storage server), read from the database itself."""
        with sqlite3.connect(self.lab.directory / "state/leases.db") as database:
            return set(database.execute("select domain, server from volume where state = ?", [state]).fetchall())

    def declare(self, account: str, text: str | None) -> None:
        """Add an account to the inventory, or take it out."""
        file = self.inventory / "cloud.d" / f"{account}.yml"
        if text is None:
            file.unlink()
        else:
            file.write_text(text)

    def domains(self, hypervisor: str) -> set[str]:
        return set(self.lab.ssh(hypervisor, "virsh list --all --name").split())

    def in_machine(self, hypervisor: str, domain: str, *argv: str) -> str:
        """Run a command in a machine through its guest agent; what it printed."""
        run = {"path": argv[0], "arg": argv[1:], "capture-output": True}
        pid = self._agent(hypervisor, domain, "guest-exec", run)["pid"]
        for _ in range(40):
            status = self._agent(hypervisor, domain, "guest-exec-status", {"pid": pid})
            if status["exited"]:
                return base64.b64decode(status.get("out-data", "")).decode()
            time.sleep(0.5)
        raise AssertionError(f"{argv} did not end in {domain}")

    def _agent(self, hypervisor: str, domain: str, execute: str, arguments: dict[str, Any]) -> Any:
        request = shlex.quote(json.dumps({"execute": execute, "arguments": arguments}))
        return json.loads(self.lab.ssh(hypervisor, f"virsh qemu-agent-command {domain} {request}"))["return"]

    def bridges(self, hypervisor: str) -> set[str]:
        return set(self.lab.ssh(hypervisor, "ovs-vsctl list-br").split())


def declared(lab: Lab, directory: Path) -> Cloud:
    """The lab's cloud with a copy of its inventory below `directory`."""
    inventory = directory / "inventory"
    shutil.copytree(lab.cloud_file.parent, inventory)
    (inventory / "cloud.d").mkdir(exist_ok=True)
    return Cloud(lab, inventory)


def changed(report: dict[str, Any]) -> set[str]:
    """The devices of a report that changed; planning changes none."""
    plays = [play for play in report["plays"] if play["name"] not in ("Plan", "Release")]
    return {host for play in plays for host in play["changed"]}


def _told(output: str) -> str:
    """What a report says of failures, of what changed, and of statements that do not hold."""
    try:
        report = json.loads(output)
    except ValueError:
        return output[-3000:]
    told = {
        "failures": report.get("failures"),
        "changed": {play["name"]: play["changed"] for play in report.get("plays", ()) if play["changed"]},
        "differences": report.get("differences"),
        "refuted": [finding for finding in report.get("findings", ()) if not finding["holds"]],
    }
    return json.dumps(told, indent=2)
