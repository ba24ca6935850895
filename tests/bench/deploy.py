"""`make bench`: what deploying the lab's cloud costs, and how soon a new customer's machine has an address.

Figures for comparison between versions on one machine; no test depends on them.
Processor seconds are split between the controller (ansible-playbook and what it
waits for) and the lab's hosts (their control group), for a machine in production
has one but not the other.
"""

from __future__ import annotations

import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from podwright.report import console
from tests.lab.cloud import INITECH, Cloud, declared
from tests.lab.lab import Lab

HYPERVISOR = "east-p1-hv1"
CONSOLE = "/var/log/libvirt/qemu/initech-web1-console.log"
LEASE = "podwright: lease"
TIMEOUT_S = 600


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds, and the tasks it ran on each host."""

    what: str
    wall_s: float
    controller_s: float
    hosts_s: float
    tasks: dict[str, int]


def main() -> None:
    """Deploy a fresh lab, again, to one host alone and with one account more; print what each cost."""
    lab = Lab(f"bench-{os.getpid()}")
    with tempfile.TemporaryDirectory() as directory:
        try:
            lab.up()
            cloud = declared(lab, Path(directory))
            costs = [
                _cost(cloud, "first deployment", expect=2),
                _cost(cloud, "second run, nothing to change", expect=0),
                _cost(cloud, f"second run, --limit {HYPERVISOR}", "--limit", HYPERVISOR, expect=0),
            ]
            lease_s, with_account = _first_lease(cloud)
            console.print(_table([*costs, with_account]))
            console.print(f"A new account's machine holds its first DHCP lease {lease_s:.1f} s after the run started.")
            first, second, limited = costs
            console.print(
                f"Second run / first deployment, controller and hosts: {_cpu_s(second) / _cpu_s(first):.2f}; "
                f"limited / whole second run: {_cpu_s(limited) / _cpu_s(second):.2f}"
            )
        finally:
            lab.down()


def _cost(cloud: Cloud, what: str, *options: str, expect: int) -> Cost:
    hosts_s, controller_s, started = _hosts_s(cloud.lab), _children_s(), time.monotonic()
    report = cloud.podwright("deploy", *options, expect=expect)
    return Cost(
        what,
        time.monotonic() - started,
        _children_s() - controller_s,
        _hosts_s(cloud.lab) - hosts_s,
        {host: counts["ok"] for host, counts in report["hosts"].items()},
    )


def _first_lease(cloud: Cloud) -> tuple[float, Cost]:
    """Seconds from the start of the run that adds an account to its machine's first lease, and that run's cost."""
    cloud.declare("initech", INITECH)
    leased: list[float] = []
    started = time.monotonic()

    def watch() -> None:
        while not leased and time.monotonic() < started + TIMEOUT_S:
            if LEASE in cloud.lab.ssh(HYPERVISOR, f"cat {CONSOLE} 2>/dev/null || true"):
                leased.append(time.monotonic() - started)
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    cost = _cost(cloud, "one account more", expect=2)
    watcher.join()
    return leased[0], cost


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _hosts_s(lab: Lab) -> float:
    """Processor seconds of all hosts of a lab so far (cpu.stat of cgroup v2, in microseconds)."""
    stat = lab.run("cat", f"/sys/fs/cgroup/podwright-{lab.name}/cpu.stat").stdout
    return int(dict(line.split() for line in stat.splitlines())["usage_usec"]) / 1e6


def _cpu_s(cost: Cost) -> float:
    return cost.controller_s + cost.hosts_s


def _table(costs: list[Cost]) -> Table:
    table = Table(title="What deploying the lab's cloud costs (seconds)", title_justify="left")
    table.add_column("Run")
    columns: dict[str, Callable[[Cost], Any]] = {
        "Wall": lambda cost: f"{cost.wall_s:.1f}",
        "CPU, controller": lambda cost: f"{cost.controller_s:.1f}",
        "CPU, hosts": lambda cost: f"{cost.hosts_s:.1f}",
        "Tasks": lambda cost: sum(cost.tasks.values()),
        "Tasks per host": lambda cost: f"{sum(cost.tasks.values()) / len(cost.tasks):.1f}",
    }
    for name in columns:
        table.add_column(name, justify="right")
    for cost in costs:
        table.add_row(cost.what, *(str(column(cost)) for column in columns.values()))
    return table


if __name__ == "__main__":
    main()
