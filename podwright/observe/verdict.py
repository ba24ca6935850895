"""What was seen, held against the plan: every statement about the cloud, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from podwright.observe.probes import expected_addresses, probes, watches
from podwright.observe.views import Nic, State, States, appliances, edges, nics

Frames = Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]
"""{device: {interface: {"macs": {source MAC: frames}, "addresses": {source address: packets}}}}"""
Answers = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""{hypervisor: {domain: {"addresses": [address], "results": {probe: exit code}}}}"""
Comparisons = Mapping[str, Sequence[Mapping[str, Any]]]
"""{device: results of the modules that compared it with its state, in check mode}"""


class Topic(StrEnum):
    """What a statement is about."""

    LEASE = "DHCP leases"
    REACHED = "reached, as they must be"
    UNREACHED = "out of reach, as they must be"
    HEARD = "heard by their neighbours"
    UNHEARD = "ports that no strange frame came to"
    SOURCE_NAT = "source addresses outside"
    CONFIGURED = "devices as planned"


@dataclass(frozen=True)
class Finding:
    """One statement about the cloud and whether what was seen bears it out."""

    topic: Topic
    subject: str
    statement: str
    holds: bool
    seen: str


def judge(states: States, frames: Frames, answers: Answers, comparisons: Comparisons) -> list[Finding]:
    """Everything that can be said, in a stable order; a thing not observed does not hold."""
    return [
        *_judge_devices(states, comparisons),
        *_judge_leases(states, answers),
        *_judge_answers(states, answers),
        *_judge_neighbours(states, frames),
        *_judge_leaks(states, frames),
        *_judge_source_nat(states, frames),
    ]


def _judge_devices(states: States, comparisons: Comparisons) -> Iterator[Finding]:
    """Trunks carry what the plan says, bridges and services are as the plan has them, as read from the devices."""
    for name, state in sorted(states.items()):
        results = comparisons.get(name, ())
        astray = {port: how for result in results for port, how in sorted(result.get("astray", {}).items())}
        observed = len(results) == _COMPARISONS[state["kind"]]
        holds = observed and not astray and not any(result.get("changed") for result in results)
        seen = "differs; podwright deploy --check --diff shows how" if observed else "not observed"
        seen = "; ".join(f"{port} {how}" for port, how in astray.items()) or seen
        yield Finding(Topic.CONFIGURED, name, _as_planned(state), holds, "just that" if holds else seen)


# How many modules compare a device of each kind with its state.
_COMPARISONS = {
    "firewall": 2,
    "zone_switch": 2,
    "pod_switch": 1,
    "storage_server": 2,
    "hypervisor": 2,
    "routing_appliance": 1,
}


def _as_planned(state: State) -> str:
    match state["kind"]:
        case "pod_switch":
            ports = sorted(state["switch"]["ports"].items())
            return "ports carry " + ", ".join(f"{name} {_carried(port)}" for name, port in ports)
        case "hypervisor":
            segments = ", ".join(sorted(state["network"]["segments"])) or "none"
            return f"has bridges {segments} and machines {', '.join(sorted(state['machines'])) or 'none'}"
        case "storage_server":
            return f"exports {state['storage']['export']} to {', '.join(state['storage']['clients'])} alone"
        case "firewall":
            return f"lets pass what its rules allow, and holds its addresses and VPNs{_neighbours(state['firewall'])}"
        case "zone_switch":
            held = "holds its addresses, its part of the virtual ones, and its packet filter"
            return held + _neighbours(state["gateway"])
        case _:
            return "serves DHCP, DNS and source NAT, and filters packets"


def _neighbours(part: Mapping[str, Any]) -> str:
    """What must be true of a device with OSPF, too; its module says who or what is astray."""
    routing = part["routing"]
    return f"; has routes by its neighbours {', '.join(routing['neighbours'])}" if routing else ""


def _carried(port: Mapping[str, Any]) -> str:
    tagged = "+".join(map(str, sorted(port["tagged"])))
    return tagged or ("nothing" if port["untagged"] is None else "untagged")


def _judge_leases(states: States, answers: Answers) -> Iterator[Finding]:
    seen = {domain: answer["addresses"] for host in answers.values() for domain, answer in host.items()}
    for domain, expected in sorted(expected_addresses(states).items()):
        addresses = seen.get(domain, [])
        told = ", ".join(addresses) or "none"
        for address in expected:
            yield Finding(Topic.LEASE, domain, f"holds the DHCP lease {address}", address in addresses, told)


def _judge_answers(states: States, answers: Answers) -> Iterator[Finding]:
    for hypervisor, domains in sorted(probes(states).items()):
        for domain, asked in sorted(domains.items()):
            results = answers.get(hypervisor, {}).get(domain, {}).get("results", {})
            for probe in asked:
                code = results.get(probe.statement)
                # ping(8): 0 is an answer, 1 is none; anything else is no observation.
                holds = code == (0 if probe.answered else 1)
                seen = {0: "answered", 1: "no answer", None: "not observed"}.get(code, f"ping failed ({code})")
                topic = Topic.REACHED if probe.answered else Topic.UNREACHED
                yield Finding(topic, domain, probe.statement, holds, seen)


def _judge_neighbours(states: States, frames: Frames) -> Iterator[Finding]:
    """The control of the leak test: frames that must arrive are counted by the same watch."""
    machines = [nic for nic in nics(states) if nic.role == "machine"]
    for nic in machines:
        for other in machines:
            if other.segment != nic.segment or other.hypervisor == nic.hypervisor:
                continue
            count = _count(frames, other, nic.mac)
            statement = f"{nic.name} is heard by {other.domain} on {other.hypervisor}"
            yield Finding(Topic.HEARD, nic.domain, statement, count > 0, f"{count} frames")


def _judge_leaks(states: States, frames: Frames) -> Iterator[Finding]:
    """No frame of a guest network outside its segment, no packet of a guest address unNATed, wherever we listened."""
    all_nics = list(nics(states))
    served = appliances(states)
    guests = {
        nic.mac: nic
        for nic in all_nics
        if nic.role == "machine" or nic.name in served[nic.account, states[nic.hypervisor]["zone"]]["guest_networks"]
    }
    subnets = {IPv4Network(each["subnet"]) for of_one in served.values() for each in of_one["guest_networks"].values()}
    at_device = {(nic.hypervisor, nic.device): nic for nic in all_nics}
    for device, interfaces in watches(states).items():
        for interface in interfaces:
            seen = frames.get(device, {}).get(interface)
            listener = at_device.get((device, interface))
            place = f"{device} {interface}" + (f" ({listener.domain} {listener.name})" if listener else "")
            statement = "hears no frame of another guest network" if listener else "hears no guest's frame"
            if seen is None:
                yield Finding(Topic.UNHEARD, place, statement, False, "not observed")
                continue
            strangers = sorted(
                f"{guests[mac].domain} ({count} frames)"
                for mac, count in seen["macs"].items()
                if mac in guests and (listener is None or guests[mac].segment != listener.segment)
            )
            if listener is None or listener.segment not in {guest.segment for guest in guests.values()}:
                strangers += sorted(
                    f"{address} ({count} packets)"
                    for address, count in seen["addresses"].items()
                    if any(IPv4Address(address) in subnet for subnet in subnets)
                )
            verdict = ", ".join(strangers) or f"{sum(seen['macs'].values())} frames, none of them"
            yield Finding(Topic.UNHEARD, place, statement, not strangers, verdict)


def _judge_source_nat(states: States, frames: Frames) -> Iterator[Finding]:
    speaking = {nic.account for nic in nics(states) if nic.role == "machine"}
    listening = {state["zone"] for state in edges(states).values()}
    for (account, zone), appliance in sorted(appliances(states).items()):
        if account not in speaking or zone not in listening:
            continue
        address = appliance["source_nat"]["address"]
        count = sum(
            frames.get(name, {}).get(port, {}).get("addresses", {}).get(address, 0)
            for name, state in edges(states).items()
            if state["zone"] == zone
            for port in state["network"]["routed_ports"]
        )
        yield Finding(Topic.SOURCE_NAT, account, f"leaves zone {zone} as {address}", count > 0, f"{count} packets")


def _count(frames: Frames, at: Nic, mac: str) -> int:
    return frames.get(at.hypervisor, {}).get(at.device, {}).get("macs", {}).get(mac, 0)
