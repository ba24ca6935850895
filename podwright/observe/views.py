"""What a plan says of machines and their NICs, for those who observe them. Pure, in a stable order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

State = Mapping[str, Any]
States = Mapping[str, State]
"""{device: its desired state}"""


@dataclass(frozen=True)
class Nic:
    """A NIC of a domain and the segment it is in."""

    hypervisor: str
    domain: str
    account: str
    role: str
    name: str
    device: str
    mac: str
    segment: tuple[str, int]
    """(pod, VLAN id), or (zone, VNI) of one that is in several pods"""


def nics(states: States) -> Iterator[Nic]:
    """Every NIC of every domain, by hypervisor, domain and order in the domain."""
    for name, state in sorted(states.items()):
        if state["kind"] != "hypervisor":
            continue
        for domain, machine in sorted(state["machines"].items()):
            for nic in machine["nics"]:
                segment = state["network"]["segments"][nic["bridge"]]
                yield Nic(
                    hypervisor=name,
                    domain=domain,
                    account=machine["account"],
                    role=machine["role"],
                    name=nic["name"],
                    device=nic["device"],
                    mac=nic["mac"],
                    segment=_broadcast_domain(state, segment),
                )


def _broadcast_domain(state: State, segment: Mapping[str, Any]) -> tuple[str, int]:
    if "tunnel" in segment:
        return state["zone"], segment["tunnel"]["vni"]
    return f"{state['zone']}/{state['pod']}", segment["vlan"]


def edges(states: States) -> dict[str, State]:
    """Those by which each zone is joined to its provider: its firewalls that route, or else its zone switches."""
    routed = {
        state["zone"]
        for state in states.values()
        if state["kind"] == "firewall" and "transparent_bridge" not in state["network"]
    }
    return {
        name: state
        for name, state in states.items()
        if state["kind"] == ("firewall" if state["zone"] in routed else "zone_switch")
    }


def appliances(states: States) -> dict[tuple[str, str], State]:
    """What each routing appliance does: {(account, zone): the appliance part of its state}."""
    return {
        (state["account"], state["zone"]): state["appliance"]
        for state in states.values()
        if state["kind"] == "routing_appliance"
    }
