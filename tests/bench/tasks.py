"""What a task of vlan_allocation costs, for one account and for many."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
TASKS = 10
ROUNDS = 4
MANY = 100


def cpu_of_many_accounts(url: str) -> float:
    """How much more CPU a task for a hundred new accounts takes than one for one (s): the median of a few rounds."""
    differences = []
    for round_ in range(ROUNDS):
        one = _cpu_s(url, [[f"one-{round_}-{task}"] for task in range(TASKS)])
        many = _cpu_s(url, [[f"many-{round_}-{task}-{number}" for number in range(MANY)] for task in range(TASKS)])
        differences.append((many - one) / TASKS)
    return median(differences)


def _cpu_s(url: str, accounts_of_tasks: list[list[str]]) -> float:
    """The CPU that a playbook takes whose tasks lease for these accounts."""
    options = {"database": url, "zone": "east", "ranges": ["1-4094"]}
    tasks = [
        {"podwright.cloud.vlan_allocation": {**options, "pod": f"p-{accounts[0]}", "accounts": accounts}}
        for accounts in accounts_of_tasks
    ]
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    with tempfile.TemporaryDirectory() as directory:
        book = Path(directory) / "play.yml"
        book.write_text(json.dumps(play))  # which is YAML
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local", str(book)],
            cwd=ROOT,
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
