"""What machines ask the network and where hosts listen meanwhile, to prove that customers are apart.

Every machine talks to whom it must reach and to whom it must not, while every
host counts the frames on its ports by source. Worked out from the plan alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_interface

from podwright.observe.views import State, States, appliances, edges, nics

_MANAGEMENT_PORT = "eth0"


@dataclass(frozen=True)
class Probe:
    """One question a machine asks the network; `answered` is what must come of it."""

    claim: str
    address: str
    answered: bool

    @property
    def statement(self) -> str:
        """What the answer shows; a device may have several addresses."""
        return f"{self.claim} ({self.address})"

    @property
    def argv(self) -> list[str]:
        """Three echo requests, or two where silence is expected (ping(8): -w is a deadline in seconds)."""
        count, deadline_s = ("3", "10") if self.answered else ("2", "3")
        return ["ping", "-c", count, "-w", deadline_s, self.address]


def watches(states: States) -> dict[str, list[str]]:
    """Where to count frames: {device: interfaces}, each NIC's host end and each network's own port."""
    return {name: sorted(_listening_posts(state)) for name, state in sorted(states.items()) if "network" in state}


def probes(states: States) -> dict[str, dict[str, list[Probe]]]:
    """What each machine asks: {hypervisor: {domain: probes}}."""
    services = appliances(states)
    forbidden = _forbidden_addresses(states)
    outside = _upstream_gateways(states)
    result: dict[str, dict[str, list[Probe]]] = {}
    for nic in nics(states):
        if nic.role != "machine":
            continue
        appliance = services[nic.account, states[nic.hypervisor]["zone"]]
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


def expected_addresses(states: States) -> dict[str, str]:
    """{machine's domain: the address that DHCP must have given it}."""
    by_mac = {
        host["mac"]: host["address"] for appliance in appliances(states).values() for host in appliance["dhcp"]["hosts"]
    }
    return {nic.domain: by_mac[nic.mac] for nic in nics(states) if nic.role == "machine"}


def _listening_posts(state: State) -> Iterator[str]:
    network = state["network"]
    yield _MANAGEMENT_PORT
    yield from network["interfaces"]
    yield from network["routed_ports"]
    for machine in state.get("machines", {}).values():
        yield from (nic["device"] for nic in machine["nics"])


def _forbidden_addresses(states: States) -> dict[str, list[tuple[str, str]]]:
    """{zone: (what, address)} that no customer may reach: management of every device, storage, tunnels, gateways."""
    result: dict[str, list[tuple[str, str]]] = {}
    for name, state in sorted(states.items()):
        places = result.setdefault(state["zone"], [])
        places.append((f"{name} (management)", state["management_address"]))
        network = state.get("network")
        if network is None:
            continue
        for interface in network["interfaces"].values():
            if interface["description"] in ("management", "storage", "tunnel"):
                places += [
                    (f"{name} ({interface['description']})", str(ip_interface(address).ip))
                    for address in interface["addresses"]
                ]
    return result


def _upstream_gateways(states: States) -> dict[str, list[str]]:
    """{zone: the provider's routers}, the nearest addresses that are not ours."""
    gateways: dict[str, set[str]] = {}
    for state in edges(states).values():
        routes: Iterable[Mapping[str, str]] = state["network"]["routes"]
        ways_out = {route["gateway"] for route in routes if route["destination"] == "0.0.0.0/0"}
        gateways.setdefault(state["zone"], set()).update(ways_out)
    return {zone: sorted(found) for zone, found in gateways.items()}


def _free_address(appliance: State) -> str:
    """The highest address of a guest network that no machine and no appliance holds."""
    subnet = IPv4Network(appliance["dhcp"]["subnet"])
    taken = {IPv4Address(host["address"]) for host in appliance["dhcp"]["hosts"]}
    taken |= {IPv4Interface(a).ip for i in appliance["interfaces"].values() for a in i["addresses"]}
    return str(next(subnet[-i] for i in range(2, subnet.num_addresses) if subnet[-i] not in taken))
