"""Proof of isolation with packets: what to send, where to listen, and what that says.

Every machine talks to whom it must reach and to whom it must not; meanwhile every
host counts the frames on its ports by source. `probes` and `watches` are worked
out from the plan; `judge` holds what was seen against it. All of it is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_interface
from typing import Any

State = Mapping[str, Any]
Frames = Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]
"""{device: {interface: {"macs": {source MAC: frames}, "addresses": {source address: packets}}}}"""
Answers = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""{hypervisor: {domain: {"addresses": [address], "results": {probe: exit code}}}}"""

MANAGEMENT_PORT = "eth0"


@dataclass(frozen=True)
class Probe:
    """One question a machine asks the network; `answered` is what must come of it."""

    name: str
    address: str
    answered: bool

    @property
    def argv(self) -> list[str]:
        """Three echo requests, or two where silence is expected (ping(8): -w is a deadline in seconds)."""
        count, deadline_s = ("3", "10") if self.answered else ("2", "3")
        return ["ping", "-c", count, "-w", deadline_s, self.address]


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


@dataclass(frozen=True)
class _Nic:
    """A NIC of a domain and the segment it is in."""

    hypervisor: str
    domain: str
    account: str
    role: str
    name: str
    device: str
    mac: str
    segment: tuple[str, int]
    """(pod, VLAN id)"""


def watches(states: Mapping[str, State]) -> dict[str, list[str]]:
    """Where to count frames: {device: interfaces}, each NIC's host end and each network's own port."""
    return {name: sorted(_listening_posts(state)) for name, state in sorted(states.items()) if "network" in state}


def probes(states: Mapping[str, State]) -> dict[str, dict[str, list[Probe]]]:
    """What each machine asks: {hypervisor: {domain: probes}}."""
    appliances = _appliances(states)
    forbidden = _forbidden_addresses(states)
    outside = _upstream_gateways(states)
    result: dict[str, dict[str, list[Probe]]] = {}
    for nic in _nics(states):
        if nic.role != "machine":
            continue
        appliance = appliances[nic.account, states[nic.hypervisor]["zone"]]
        neighbours = {host["name"]: host["address"] for host in appliance["dhcp"]["hosts"] if host["mac"] != nic.mac}
        asks = [Probe(f"reaches {name}", address, True) for name, address in sorted(neighbours.items())]
        asks.append(Probe("reaches its gateway", appliance["dhcp"]["router"], True))
        zone = states[nic.hypervisor]["zone"]
        asks += [Probe("reaches the outside", address, True) for address in outside.get(zone, ())]
        asks += [
            Probe(f"does not reach {what}", address, False)
            for what, address in forbidden[zone]
            if IPv4Address(address) not in IPv4Network(appliance["dhcp"]["subnet"])
        ]
        # Nobody in this account holds this address: its ARP broadcast is what the other accounts must not hear.
        asks.append(Probe("hears nobody at a free address", _free_address(appliance), False))
        result.setdefault(nic.hypervisor, {})[nic.domain] = asks
    return result


def expected_addresses(states: Mapping[str, State]) -> dict[str, str]:
    """{machine's domain: the address that DHCP must have given it}."""
    by_mac = {
        host["mac"]: host["address"]
        for appliance in _appliances(states).values()
        for host in appliance["dhcp"]["hosts"]
    }
    return {nic.domain: by_mac[nic.mac] for nic in _nics(states) if nic.role == "machine"}


def judge(
    states: Mapping[str, State], frames: Frames, answers: Answers, comparisons: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    """Everything that can be said, in a stable order; a thing not observed does not hold.

    `comparisons` are the results of the modules that compared each device with its state: {device: result}.
    """
    return [
        *_judge_devices(states, comparisons),
        *_judge_leases(states, answers),
        *_judge_answers(states, answers),
        *_judge_neighbours(states, frames),
        *_judge_leaks(states, frames),
        *_judge_source_nat(states, frames),
    ]


def _judge_devices(states: Mapping[str, State], comparisons: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Trunks carry what the plan says and bridges are where the plan has them, as read from the devices."""
    for name, state in sorted(states.items()):
        if "switch" not in state and "network" not in state:
            continue
        result = comparisons.get(name)
        astray = (result or {}).get("astray", {})
        holds = result is not None and not result.get("changed") and not astray
        if "switch" in state:
            trunks = {port: entry["tagged"] for port, entry in sorted(state["switch"]["ports"].items())}
            statement = "ports carry " + ", ".join(f"{port} {_ids(ids)}" for port, ids in trunks.items())
        else:
            statement = "has bridges " + (", ".join(sorted(state["network"]["segments"])) or "none")
        seen = "not observed" if result is None else "differs; podwright deploy --check --diff shows how"
        seen = "; ".join(f"{port} {how}" for port, how in sorted(astray.items())) or seen
        yield Finding(Topic.CONFIGURED, name, statement, holds, "just that" if holds else seen)


def _ids(vlans: Iterable[int]) -> str:
    return "+".join(map(str, sorted(vlans))) or "untagged"


def _judge_leases(states: Mapping[str, State], answers: Answers) -> Iterator[Finding]:
    seen = {domain: answer["addresses"] for host in answers.values() for domain, answer in host.items()}
    for domain, address in sorted(expected_addresses(states).items()):
        addresses = seen.get(domain, [])
        yield Finding(
            Topic.LEASE, domain, f"holds the DHCP lease {address}", address in addresses, ", ".join(addresses) or "none"
        )


def _judge_answers(states: Mapping[str, State], answers: Answers) -> Iterator[Finding]:
    for hypervisor, domains in sorted(probes(states).items()):
        for domain, asked in sorted(domains.items()):
            results = answers.get(hypervisor, {}).get(domain, {}).get("results", {})
            for probe in asked:
                code = results.get(probe.name)
                # ping(8): 0 is an answer, 1 is none; anything else is no observation.
                holds = code == (0 if probe.answered else 1)
                seen = {0: "answered", 1: "no answer", None: "not observed"}.get(code, f"ping failed ({code})")
                topic = Topic.REACHED if probe.answered else Topic.UNREACHED
                yield Finding(topic, domain, f"{probe.name} ({probe.address})", holds, seen)


def _judge_neighbours(states: Mapping[str, State], frames: Frames) -> Iterator[Finding]:
    """The control of the leak test: frames that must arrive are counted by the same watch."""
    machines = [nic for nic in _nics(states) if nic.role == "machine"]
    for nic in machines:
        for other in machines:
            if other.segment != nic.segment or other.hypervisor == nic.hypervisor:
                continue
            count = _count(frames, other, nic.mac)
            statement = f"is heard by {other.domain} on {other.hypervisor}"
            yield Finding(Topic.HEARD, nic.domain, statement, count > 0, f"{count} frames")


def _judge_leaks(states: Mapping[str, State], frames: Frames) -> Iterator[Finding]:
    """No frame of a guest network outside its segment, no packet of a guest address unNATed, wherever we listened."""
    nics = list(_nics(states))
    guests = {nic.mac: nic for nic in nics if nic.role == "machine" or nic.name == "eth0"}
    subnets = {IPv4Network(appliance["dhcp"]["subnet"]) for appliance in _appliances(states).values()}
    at_device = {(nic.hypervisor, nic.device): nic for nic in nics}
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


def _judge_source_nat(states: Mapping[str, State], frames: Frames) -> Iterator[Finding]:
    speaking = {nic.account for nic in _nics(states) if nic.role == "machine"}
    listening = {state["zone"] for state in states.values() if state["kind"] == "zone_switch"}
    for (account, zone), appliance in sorted(_appliances(states).items()):
        if account not in speaking or zone not in listening:
            continue
        address = appliance["source_nat"]["address"]
        count = sum(
            frames.get(name, {}).get(port, {}).get("addresses", {}).get(address, 0)
            for name, state in states.items()
            if state["kind"] == "zone_switch" and state["zone"] == zone
            for port in state["network"]["routed_ports"]
        )
        yield Finding(Topic.SOURCE_NAT, account, f"leaves zone {zone} as {address}", count > 0, f"{count} packets")


def _listening_posts(state: State) -> Iterator[str]:
    network = state["network"]
    yield MANAGEMENT_PORT
    yield from network["interfaces"]
    yield from network["routed_ports"]
    for machine in state.get("machines", {}).values():
        yield from (nic["device"] for nic in machine["nics"])


def _nics(states: Mapping[str, State]) -> Iterator[_Nic]:
    for name, state in sorted(states.items()):
        if state["kind"] != "hypervisor":
            continue
        for domain, machine in sorted(state["machines"].items()):
            for nic in machine["nics"]:
                vlan = state["network"]["segments"][nic["bridge"]]["vlan"]
                yield _Nic(
                    hypervisor=name,
                    domain=domain,
                    account=machine["account"],
                    role=machine["role"],
                    name=nic["name"],
                    device=nic["device"],
                    mac=nic["mac"],
                    segment=(f"{state['zone']}/{state['pod']}", vlan),
                )


def _appliances(states: Mapping[str, State]) -> dict[tuple[str, str], State]:
    """{(account, zone): the appliance part of its state}."""
    return {
        (state["account"], state["zone"]): state["appliance"]
        for state in states.values()
        if state["kind"] == "routing_appliance"
    }


def _forbidden_addresses(states: Mapping[str, State]) -> dict[str, list[tuple[str, str]]]:
    """{zone: (what, address)} that no customer may reach: management of every device, storage, their gateways."""
    result: dict[str, list[tuple[str, str]]] = {}
    for name, state in sorted(states.items()):
        places = result.setdefault(state["zone"], [])
        places.append((f"{name} (management)", state["management_address"]))
        network = state.get("network")
        if network is None:
            continue
        for interface in network["interfaces"].values():
            if interface["description"] in ("management", "storage"):
                places += [
                    (f"{name} ({interface['description']})", str(ip_interface(address).ip))
                    for address in interface["addresses"]
                ]
    return result


def _upstream_gateways(states: Mapping[str, State]) -> dict[str, list[str]]:
    """{zone: the provider's routers}, the nearest addresses that are not ours."""
    gateways: dict[str, set[str]] = {}
    for state in states.values():
        if state["kind"] == "zone_switch":
            routes: Iterable[Mapping[str, str]] = state["network"]["routes"]
            gateways.setdefault(state["zone"], set()).update(route["gateway"] for route in routes)
    return {zone: sorted(found) for zone, found in gateways.items()}


def _free_address(appliance: State) -> str:
    """The highest address of a guest network that no machine and no appliance holds."""
    subnet = IPv4Network(appliance["dhcp"]["subnet"])
    taken = {IPv4Address(host["address"]) for host in appliance["dhcp"]["hosts"]}
    taken |= {IPv4Interface(a).ip for i in appliance["interfaces"].values() for a in i["addresses"]}
    return str(next(subnet[-i] for i in range(2, subnet.num_addresses) if subnet[-i] not in taken))


def _count(frames: Frames, at: _Nic, mac: str) -> int:
    return frames.get(at.hypervisor, {}).get(at.device, {}).get("macs", {}).get(mac, 0)
