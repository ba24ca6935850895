"""`make bench`: what planning, rendering and proving a cloud costs, by its size; no device, no Ansible.

Processor seconds and the most memory, each size in a process of its own, so that
one does not use what another left. A pod has 2 switches, a storage server and 17
hypervisors; there is an account with two machines for every two devices.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from rich.table import Table

from podwright.graph.drawing import draw
from podwright.graph.layout import lay_out
from podwright.plan import plan
from podwright.proof.cloud import prove
from podwright.rendering import render, rendered_files
from podwright.report import console, say
from podwright.switches.driver import find_platform
from podwright.switches.state import Port, SwitchState
from tests.unit.plan.clouds import Declaration, account, cloud_of, leases_for, made_declaration

SIZES = (500, 5_000)
DEVICES_OF_POD, PODS_OF_ZONE, HYPERVISORS = 20, 25, 17
SWITCHES, SWITCH_PORTS, SWITCH_VLANS = 5_000, 48, 100
SAMPLE = 50
"""Texts that are parsed again and again, instead of keeping those of all switches in memory"""
PLATFORMS = ("openconfig_netconf",)

Result = TypeVar("Result")


class Cost(NamedTuple):
    """What one step took."""

    what: str
    cpu_s: float
    memory_mib: float
    """the most that the process had until then"""


def main() -> None:
    """Measure every size, and the rendering of switches alone."""
    for devices in SIZES:
        console.print(_table(f"A cloud of {devices:,} devices", _alone(_cloud_costs, devices)))
    for platform in PLATFORMS:
        title = f"{SWITCHES:,} switches of platform {platform}, {SWITCH_PORTS} ports, {SWITCH_VLANS} VLANs"
        console.print(_table(title, _alone(_switch_costs, platform)))


def _alone(measure: Callable[[Result], list[Cost]], argument: Result) -> list[Cost]:
    """Measure in a new process, whose memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (argument,))


def _cloud_costs(devices: int) -> list[Cost]:
    say(f"making a cloud of {devices:,} devices")
    cloud = cloud_of(_declaration(devices))
    leases = leases_for(cloud)
    costs: list[Cost] = []
    states = _measured("plan", costs, lambda: plan(cloud, leases))
    configurations = _measured("render", costs, lambda: {name: render(state) for name, state in states.items()})
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # a disk: /tmp may be memory
        target = Path(directory, "rendered")
        _measured("write", costs, lambda: rendered_files.write(target, configurations, ""))
        _measured("write again, nothing differs", costs, lambda: rendered_files.write(target, configurations, ""))
        _measured("read", costs, lambda: rendered_files.read(target))
    proof = _measured("prove", costs, lambda: prove(cloud, configurations))
    assert proof.holds, proof.findings[0]
    _measured("draw", costs, lambda: draw(lay_out(cloud, leases)))
    return costs


def _declaration(devices: int) -> Declaration:
    pods = devices // DEVICES_OF_POD
    declaration = made_declaration(pods // PODS_OF_ZONE, PODS_OF_ZONE, HYPERVISORS, "openvswitch")
    declaration["accounts"] = {
        f"a{number}": account(f"z{number // PODS_OF_ZONE % (pods // PODS_OF_ZONE)}", f"p{number % PODS_OF_ZONE}", 2)
        for number in range(devices // 2)
    }
    return declaration


def _switch_costs(platform: str) -> list[Cost]:
    states = [_switch(number) for number in range(SWITCHES)]
    module = find_platform(platform)
    costs: list[Cost] = []
    _measured("render", costs, lambda: sum(len(module.configuration(state)) for state in states))
    texts = [module.configuration(state) for state in states[:SAMPLE]]
    _measured("parse", costs, lambda: [module.parse(texts[number % SAMPLE]) for number in range(SWITCHES)])
    return costs


def _switch(number: int) -> SwitchState:
    """A switch whose ports lead to hosts with other guest networks each."""
    vlans = range(100 + number % 2000, 100 + number % 2000 + SWITCH_VLANS)
    ports = {
        f"swp{port}": Port("trunk", frozenset({20, *vlans[port : port + 20]}), None, f"pod{number}-hv{port} eth1", True)
        for port in range(1, SWITCH_PORTS + 1)
    }
    return SwitchState({20: "storage"} | {vlan: f"account{vlan}-default" for vlan in vlans}, ports, 4096)


def _measured(what: str, costs: list[Cost], step: Callable[[], Result]) -> Result:
    started = time.process_time()
    result = step()
    # Linux counts the most memory in KiB (getrusage(2)).
    costs.append(Cost(what, time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    return result


def _table(title: str, costs: list[Cost]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("Step")
    table.add_column("CPU s", justify="right")
    table.add_column("Most memory so far, MiB", justify="right")
    for cost in costs:
        table.add_row(cost.what, f"{cost.cpu_s:.2f}", f"{cost.memory_mib:.0f}")
    return table


if __name__ == "__main__":
    main()
