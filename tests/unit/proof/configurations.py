"""Clouds whose configurations the tests of the proof make wrong, and how they do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings

from podwright.allocation.leases import Leases
from podwright.model.cloud import Cloud
from podwright.proof.cloud import prove
from podwright.proof.segments import Finding
from podwright.rendering.stage import configurations_of
from podwright.switches.platforms.openconfig_netconf import configuration, parse
from podwright.switches.state import Port, SwitchState
from tests.unit.plan.clouds import (
    Declaration,
    account,
    cloud_of,
    lab_declaration,
    leases_for,
    made_declaration,
)

Files = dict[str, dict[str, str]]


DOMAIN = "etc/libvirt/qemu/{}.xml"


ROUNDS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rendered(declaration: Declaration) -> tuple[Cloud, Files]:
    """A cloud and what its devices would be told."""
    cloud = cloud_of(declaration)
    return cloud, files_of(cloud, leases_for(cloud))


def files_of(cloud: Cloud, leases: Leases) -> Files:
    return {device: dict(files) for device, files in configurations_of(cloud, leases).items()}


def two_pods() -> Declaration:
    """One zone, two pods of three hypervisors, all of Linux's own bridges, three accounts in each pod."""
    declaration = made_declaration(1, 2, 3)
    declaration["accounts"] = {f"a{number}": account("z0", f"p{number % 2}", machines=3) for number in range(6)}
    return declaration


def pinned() -> tuple[Cloud, Files]:
    """The lab with acme on hypervisor 1 alone and globex on hypervisor 2."""
    declaration = lab_declaration()
    declaration["accounts"]["acme"]["guest_networks"].pop("inner")
    hypervisors = {"acme": "east-p1-hv1", "globex": "east-p1-hv2"}
    for name, hypervisor in hypervisors.items():
        declaration["accounts"][name]["machines"] = {
            "web1": {
                "guest_networks": ["default"],
                "image": "tiny",
                "offering": "tiny",
                "hypervisor": hypervisor,
            }
        }
    cloud = cloud_of(declaration)
    leases = leases_for(cloud)
    routers = {f"{name}-east-router": hypervisor for name, hypervisor in hypervisors.items()}
    return cloud, files_of(cloud, replace(leases, placements={**leases.placements, **routers}))


def findings(cloud: Cloud, files: Files) -> list[Finding]:
    return list(prove(cloud, files).findings)


def edit(files: Files, device: str, path: str, *changes: tuple[str, str]) -> None:
    for old, new in changes:
        assert old in files[device][path]
        files[device][path] = files[device][path].replace(old, new)


def edit_switch(files: Files, device: str, change: Callable[[SwitchState], SwitchState]) -> None:
    files[device]["running-config"] = configuration(change(parse(files[device]["running-config"])))


def with_port(name: str, **changes: Any) -> Callable[[SwitchState], SwitchState]:
    """A switch's state with something else on a port."""

    def change(state: SwitchState) -> SwitchState:
        ports = dict(state.ports or {})
        ports[name] = replace(ports.get(name, Port("trunk")), **changes)
        return replace(state, ports=ports)

    return change


def carrying(state: SwitchState, port: str) -> frozenset[int]:
    return (state.ports or {})[port].tagged


def guest_bridge(files: Files, account_name: str) -> tuple[str, str]:
    """(hypervisor, bridge) of an account's first machine."""
    path = DOMAIN.format(f"{account_name}-m0")
    device = next(device for device, texts in files.items() if path in texts)
    return device, files[device][path].partition('<source bridge="')[2].partition('"')[0]


def add_ovs_port(files: Files, device: str, name: str, tag: int, **interface: str | list[Any]) -> None:
    """Put a port with one interface on br0, as a database that was collected has it."""
    bridges, ports, interfaces, queues = json.loads(files[device]["openvswitch.json"])
    bridges["rows"][0]["ports"][1].append(["uuid", f"port-{name}"])
    ports["rows"].append(
        {"_uuid": ["uuid", f"port-{name}"], "name": name, "tag": tag, "interfaces": ["uuid", f"interface-{name}"]}
    )
    interfaces["rows"].append({"_uuid": ["uuid", f"interface-{name}"], "name": name, **interface})
    files[device]["openvswitch.json"] = json.dumps([bridges, ports, interfaces, queues])
