"""`make bench`: what planning, rendering and proving a cloud costs, by its size; no device, no Ansible.

Processor seconds and the most memory until then, each size in a process of its own,
so that one does not use what another left. A pod has 2 switches, a storage server
and 17 hypervisors; there is an account with two machines for every two devices.
`switches.py` renders switches alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from podwright.graph.drawing import draw
from podwright.graph.layout import lay_out
from podwright.plan import plan
from podwright.proof.cloud import prove
from podwright.rendering import render, rendered_files
from tests.bench.costs import Result, alone, cpu_s, heading, most_memory, row
from tests.unit.plan.clouds import Declaration, account, cloud_of, leases_for, made_declaration

SIZES = (500, 5_000)
DEVICES_OF_POD, PODS_OF_ZONE, HYPERVISORS = 20, 25, 17


def main() -> None:
    """Measure every size."""
    for devices in SIZES:
        alone(_cloud, devices)


def _cloud(devices: int) -> None:
    heading(f"A cloud of {devices:,} devices", "CPU s", "most memory")
    cloud = cloud_of(_declaration(devices))
    leases = leases_for(cloud)
    states = _step("plan", lambda: plan(cloud, leases))
    configurations = _step("render", lambda: {name: render(state) for name, state in states.items()})
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # a disk: /tmp may be memory
        target = Path(directory, "rendered")
        _step("write", lambda: rendered_files.write(target, configurations, ""))
        _step("write again, nothing differs", lambda: rendered_files.write(target, configurations, ""))
        _step("read", lambda: rendered_files.read(target))
    proof = _step("prove", lambda: prove(cloud, configurations))
    assert proof.holds, proof.findings[0]
    _step("draw", lambda: draw(lay_out(cloud, leases)))


def _declaration(devices: int) -> Declaration:
    pods = devices // DEVICES_OF_POD
    declaration = made_declaration(pods // PODS_OF_ZONE, PODS_OF_ZONE, HYPERVISORS, "openvswitch")
    declaration["accounts"] = {
        f"a{number}": account(f"z{number // PODS_OF_ZONE % (pods // PODS_OF_ZONE)}", f"p{number % PODS_OF_ZONE}", 2)
        for number in range(devices // 2)
    }
    return declaration


def _step(what: str, step: Callable[[], Result]) -> Result:
    took_s, result = cpu_s(step)
    row(what, f"{took_s:.2f}", most_memory())
    return result


if __name__ == "__main__":
    main()
