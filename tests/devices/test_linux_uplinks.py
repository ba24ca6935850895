"""A hypervisor's uplinks of Linux's own bonds and bridges on a real kernel: one bond, two that are apart, and back."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.devices.linux_switch import SHARED, Switch
from tests.devices.processes import eventually

ROOT = Path(__file__).parents[2]
FRAMES = Path(__file__).with_name("frames.py")

NOTHING: dict[str, Any] = {"backend": "linux"}
SEGMENTS = {"guest101": {"vlan": 101, "description": "acme"}, "infra30": {"vlan": 30, "description": "public"}}
STORAGE = {"vlan20": {"vlan": 20, "addresses": ["203.0.113.31/24"], "description": "storage"}}
JOINED = NOTHING | {
    "segments": SEGMENTS,
    "interfaces": STORAGE,
    "uplinks": {"members": ["vec1", "vec2"], "tagged": [20, 30, 101]},
}
PARTED = JOINED | {
    "uplinks": {"members": ["vec1"], "tagged": [20, 101]},
    "public_uplinks": {"members": ["vec2"], "tagged": [30]},
}


COLLECTION = "ansible_collections/podwright/cloud/plugins"
BRING = f"""
cd {SHARED}
PYTHONPATH=collections python3 - <<'END'
import json
from {COLLECTION.replace("/", ".")}.module_utils import host_network
network = host_network.complete(json.loads('''%s'''))
host_network.apply(host_network.plan(host_network.read(network), network), network)
END
"""


@pytest.fixture
def host(linux_host: Switch) -> Iterator[Switch]:
    """A host without a network of podwright's, which has what the module runs; `vec3` is a machine's NIC."""
    there = linux_host.directory / "shared/collections" / COLLECTION / "module_utils"
    shutil.copytree(ROOT / "plugins/module_utils", there, ignore=shutil.ignore_patterns("__pycache__"))
    yield linux_host
    linux_host.on("ip link set vec3 nomaster")
    bring(linux_host, NOTHING)


def bring(host: Switch, network: dict[str, Any]) -> None:
    """Do on the host what the module does, which fails unless a second run would change nothing."""
    host.on(BRING % json.dumps(network))


def frames_go(host: Switch, segment: str, uplink: str, vlan: int) -> bool:
    """Whether a machine in a segment sends by an uplink's end and gets from it what is in a VLAN, and nothing else."""
    host.on(f"ip link set vec3 up master {segment}")
    sent = ["h3", *(f"{end}:{each}" for end in ("h1", "h2") for each in (30, 101))]
    wanted = [uplink, *("h3" if each == f"{uplink}:{vlan}" else "" for each in sent[1:])]
    command = [sys.executable, "-I", "-S", str(FRAMES), *sent]
    return eventually(lambda: host.inside(*command).splitlines() == wanted, 10)


def test_public_uplinks_part_and_join(host: Switch) -> None:
    bring(host, JOINED)
    active = host.on("cat /sys/class/net/bond0/bonding/active_slave").strip().replace("vec", "h")
    assert frames_go(host, "infra30", active, 30)

    bring(host, PARTED)
    assert frames_go(host, "infra30", "h2", 30)
    assert frames_go(host, "guest101", "h1", 101)

    bring(host, JOINED)
    assert frames_go(host, "infra30", "h1", 30)
    assert "bond1" not in host.on("ip -brief link")
