"""Firewalls and zone switches of a plan as they route: FRR, keepalived and nftables with their rendered files."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import ospf

from podwright.images.debian import build_root
from podwright.lab.image import HOST
from podwright.rendering.devices import render
from tests.devices.processes import eventually, running

SCRIPT = Path(__file__).with_name("routers.sh")
KEY = "0123456789abcdef"
BESIDE = ("etc/podwright/", "etc/keepalived/", "etc/frr/")


@dataclass(frozen=True)
class Routers:
    """Routers that run, and hosts beside them."""

    directory: Path
    pid: int
    """Of the process that all of them end with."""

    def run(self, *command: str) -> str:
        """What a command prints that runs where their namespaces are."""
        return subprocess.run(self.inside(*command), check=True, capture_output=True, text=True, timeout=60).stdout

    def at(self, name: str, *command: str) -> str:
        """What a command of its own prints on a router."""
        return self.run("ip", "netns", "exec", name, "chroot", f"{self.directory}/disks/{name}/root", *command)

    def inside(self, *command: str) -> list[str]:
        """The command line of a command that runs where their namespaces are."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--", *command]

    def kill(self, name: str) -> None:
        """End a router at once. Its neighbours do not see it by their ports, which bridges keep up."""
        self.run("sh", "-c", f"kill -KILL $(ip netns pids {name}); ip netns delete {name}")


@contextmanager
def routers(directory: Path, states: Mapping[str, Any], hosts: Mapping[str, tuple[str, str, str]]) -> Iterator[Routers]:
    """The devices of `states`, cabled by bridges, one for each name of an interface.

    Args:
        directory: Where their files are.
        states: Their desired states.
        hosts: Who else is there: {name: (interface of a router that it is beside, address, its routes)}.
    """
    for name, state in states.items():
        _write_files(directory / "files" / name, state)
    network = directory / "network.sh"
    network.write_text("".join(f"{line}\n" for line in _network(states, hosts)))
    image = build_root(HOST, lambda _: None)
    script = ["sh", SCRIPT, directory, image, network]
    world = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private", *script]
    with running(world, (directory / "ready").exists, directory / "routers.log") as process:
        (pid,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        try:
            yield Routers(directory, int(pid))
        finally:
            os.kill(int(pid), signal.SIGKILL)  # the first process of a namespace heeds no other (pid_namespaces(7))


def longest_silence_ms(there: Routers, host: str, address: str, victim: str) -> int:
    """How long at most a host that pings every 10 ms had no answer, while a router was killed, in ms."""
    ping = ["ip", "netns", "exec", host, "ping", "-i", "0.01", "-D", "-n", "-c", "350", address]
    with subprocess.Popen(there.inside(*ping), stdout=subprocess.PIPE, text=True) as process:
        time.sleep(1.5)
        there.kill(victim)
        printed = process.communicate(timeout=60)[0]
    times = [float(line[1 : line.index("]")]) for line in printed.splitlines() if " bytes from " in line]
    assert times, printed
    return round(1000 * max(later - earlier for earlier, later in pairwise(times)))


def await_shown(there: Routers, name: str, command: str, wanted: str) -> None:
    """Wait until a router shows something.

    Raises:
        AssertionError: it does not within 30 s.
    """
    seen = eventually(lambda: wanted in there.at(name, "sh", "-c", command), 30)
    assert seen, f"{name}: {there.at(name, 'sh', '-c', command)}"


def _write_files(directory: Path, state: Any) -> None:
    """Put down what the packet filter, keepalived and FRR read."""
    for path, text in render(state).items():
        if path.startswith(BESIDE):
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(text)
    routing = state["gateway" if state["kind"] == "zone_switch" else "firewall"]["routing"]
    (directory / ospf.FILE.lstrip("/")).write_text(ospf.configuration(routing, KEY))


def _network(states: Mapping[str, Any], hosts: Mapping[str, tuple[str, str, str]]) -> Iterator[str]:
    ports = {
        name: {"eth0": "192.0.2.1/24"}
        | {
            interface: declared["addresses"][0]
            for part in ("interfaces", "routed_ports")
            for interface, declared in state["network"][part].items()
        }
        for name, state in states.items()
    }
    bridges = {
        interface: f"b{number}" for number, interface in enumerate(sorted({i for p in ports.values() for i in p}))
    }
    yield from (f"ip link add {bridge} type bridge; ip link set {bridge} up" for bridge in bridges.values())
    for number, (name, addresses) in enumerate(ports.items()):
        yield f"ip netns add {name}; ip -netns {name} link set lo up"
        for interface, address in addresses.items():
            yield from _cable(f"r{number}{bridges[interface]}", bridges[interface], name, interface, address)
        for route in states[name]["network"]["routes"]:
            metric = f" metric {route['metric']}" if "metric" in route else ""
            yield f"ip -netns {name} route add {route['destination']} via {route['gateway']}{metric}"
    for name, (beside, address, route) in hosts.items():
        yield f"ip netns add {name}; ip -netns {name} link set lo up"
        yield from _cable(name, bridges[beside], name, "port", address)
        yield f"ip -netns {name} route add {route}"


def _cable(end: str, bridge: str, name: str, interface: str, address: str) -> Iterator[str]:
    yield f"ip link add {end} type veth peer name {interface} netns {name}; ip link set {end} master {bridge} up"
    yield f"ip -netns {name} addr add {address} dev {interface}; ip -netns {name} link set {interface} up"
