"""Bare lab hosts for a scenario; `hosts.py up` reads its platforms as JSON from standard input.

hosts.py up LAB < [{"name": ..., "address": ..., "cables": {port: network}}, ...]
hosts.py down LAB
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from podwright import lab
from podwright.images.debian import build_root
from podwright.lab import cabling, keys, power, requirements, world
from podwright.lab.image import HOST
from podwright.lab.topology import Bridge, Host, LabCable, Socket, Topology

# RFC 5737: the management network of all hosts, and the controller's address in it.
_CONTROLLER = IPv4Interface("192.0.2.254/24")
_MANAGEMENT = "management"


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    action, name = arguments
    if action == "up":
        up(name, json.load(sys.stdin))
    else:
        lab.down(name)


def up(name: str, platforms: Sequence[Mapping[str, Any]]) -> None:
    """Start the hosts in a new lab; they answer ssh a few seconds later."""
    requirements.check()
    root = build_root(HOST, lambda line: print(line, file=sys.stderr))  # noqa: T201 - a program speaks to its user
    lab.down(name)
    directory = world.directory(name)
    (directory / "consoles").mkdir(parents=True)
    topology = _topology(platforms)
    keys.make_administrator(directory / "ssh")
    keys.make_known(directory / "ssh", topology, {})

    process = world.start(name)
    image = f"{world.disks(name)}/.image"
    bind = [f"mkdir {image}", f"mount --bind {shlex.quote(str(root))} {image}"]
    world.run(process, [*bind, *cabling.lay(topology)])
    for host in topology.hosts:
        power.on(name, process, topology, host)
    _write_ssh(directory / "ssh" / "inside", process)


def _topology(platforms: Sequence[Mapping[str, Any]]) -> Topology:
    cables = tuple(_cables(platforms))
    networks = sorted({cable.b.place for cable in cables})
    return Topology(
        bridges=(Bridge(_MANAGEMENT, _CONTROLLER), *(Bridge(network, None) for network in networks)),
        hosts=tuple(_host(platform) for platform in platforms),
        cables=cables,
        providers=(),
    )


def _host(platform: Mapping[str, Any]) -> Host:
    address = IPv4Interface((platform["address"], _CONTROLLER.network.prefixlen))
    # The kind decides which services a device is sold with; a zone switch has the fewest.
    return Host(name=platform["name"], kind="zone_switch", address=address, bridge=_MANAGEMENT, ssh_ports=(22,))


def _cables(platforms: Iterable[Mapping[str, Any]]) -> Iterable[LabCable]:
    plugs = [(platform["name"], *cable) for platform in platforms for cable in platform["cables"].items()]
    for number, (host, port, network) in enumerate(plugs):
        yield LabCable(f"cable{number}", Socket(host, port), Socket(network, None))


def _write_ssh(path: Path, process: int) -> None:
    """Write an ssh that starts in the lab's network, for an Ansible that does not."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(["nsenter", f"--target={process}", "--net", "--", "ssh"])} "$@"\n')
    path.chmod(0o755)


if __name__ == "__main__":
    main(sys.argv[1:])
