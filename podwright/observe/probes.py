"""What machines ask the network and where hosts listen meanwhile, to prove that customers are apart.

Every machine talks to whom it must reach and to whom it must not, while every
host counts the frames on its ports by source. Worked out from the plan alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_interface

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
        """Three echo requests, a second apart, or two where silence is expected.

        -w is the deadline of all (ping(8)). BusyBox heeds it only while it sends, and then waits 10 s for an answer
        unless -W says how long, so that both say the same.
        """
        count, deadline_s = (3, 10) if self.answered else (2, 3)
        patience_s = deadline_s - (count - 1)
        return ["ping", "-c", f"{count}", "-w", f"{deadline_s}", "-W", f"{patience_s}", self.address]


def watches(states: States) -> dict[str, list[str]]:
    """Where to count frames: {device: interfaces}, each NIC's host end and each network's own port."""
    return {name: sorted(_listening_posts(state)) for name, state in sorted(states.items()) if "network" in state}


def probes(states: States) -> dict[str, dict[str, list[Probe]]]:
    """What each machine asks: {hypervisor: {domain: probes}}."""
    services = appliances(states)
    forbidden = _forbidden_addresses(states)
    translated = list(_translated_addresses(states))
    outside = _upstream_gateways(states)
    result: dict[str, dict[str, list[Probe]]] = {}
    for (hypervisor, domain), macs in _machines(states).items():
        zone = states[hypervisor]["zone"]
        appliance = services[states[hypervisor]["machines"][domain]["account"], zone]
        networks = _networks_of(appliance, macs)
        asks = [probe for network in networks.values() for probe in _inside(network, macs)]
        asks += [Probe("reaches the outside", address, True) for address in outside.get(zone, ())]
        subnets = [IPv4Network(network["subnet"]) for network in networks.values()]
        asks += [
            Probe(f"does not reach {what}", address, False)
            for what, address in (*forbidden[zone], *translated)
            if not any(IPv4Address(address) in subnet for subnet in subnets)
        ]
        asks += _between(appliance, networks)
        # Nobody in this account holds these addresses: their ARP broadcasts are what the other accounts must not hear.
        asks += [
            Probe("hears nobody at a free address", _free_address(network), False) for network in networks.values()
        ]
        result.setdefault(hypervisor, {})[domain] = asks
    return result


def expected_addresses(states: States) -> dict[str, list[str]]:
    """{machine's domain: the addresses that DHCP must have given it, by NIC}."""
    by_mac = {
        host["mac"]: host["address"]
        for appliance in appliances(states).values()
        for network in appliance["guest_networks"].values()
        for host in network["hosts"]
    }
    return {domain: [by_mac[mac] for mac in macs] for (_, domain), macs in _machines(states).items()}


def _machines(states: States) -> dict[tuple[str, str], list[str]]:
    """{(hypervisor, domain of a machine): the MAC addresses of its NICs, in order}."""
    machines: dict[tuple[str, str], list[str]] = {}
    for nic in nics(states):
        if nic.role == "machine":
            machines.setdefault((nic.hypervisor, nic.domain), []).append(nic.mac)
    return machines


def _networks_of(appliance: State, macs: Sequence[str]) -> dict[str, State]:
    """{interface of the appliance: the guest network there}, of those that a machine is in, by its NICs."""
    served = {
        host["mac"]: (interface, network)
        for interface, network in appliance["guest_networks"].items()
        for host in network["hosts"]
    }
    return dict(served[mac] for mac in macs)


def _inside(network: State, own: Sequence[str]) -> Iterator[Probe]:
    """Everybody in a guest network that the machine is in."""
    neighbours = {host["name"]: host["address"] for host in network["hosts"] if host["mac"] not in own}
    for name, address in sorted(neighbours.items()):
        yield Probe(f"reaches {name}", address, True)
    yield Probe("reaches its gateway", network["router"], True)


def _between(appliance: State, own: Mapping[str, State]) -> Iterator[Probe]:
    """The other guest networks of the account: out of reach, but where it is declared; its first NIC leads there."""
    home = next(iter(own))
    reached = {pair["to"] for pair in appliance["forwarding"] if pair["from"] == home}
    for interface, network in sorted(appliance["guest_networks"].items()):
        if interface in own:
            continue
        name = network["domain"].partition(".")[0]
        verb = "reaches" if interface in reached else "does not reach"
        for host in sorted(network["hosts"], key=lambda host: host["name"]):
            yield Probe(f"{verb} {host['name']} of {name}", host["address"], interface in reached)
        yield Probe(f"does not reach the gateway of {name}", network["router"], False)


def _listening_posts(state: State) -> Iterator[str]:
    network = state["network"]
    yield _MANAGEMENT_PORT
    yield from network["interfaces"]
    yield from network["routed_ports"]
    yield from network.get("transparent_bridge", {}).values()
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


def _translated_addresses(states: States) -> Iterator[tuple[str, str]]:
    """(what, address) of a device in each pod, and of one in none, as controllers and VPNs of any zone know it.

    One of them is enough, for firewalls translate networks. A customer may ask for such an address in whatever zone.
    """
    asked: set[tuple[str, str | None]] = set()
    translations = {
        state["zone"]: state["firewall"]["management"]["translation"]
        for state in states.values()
        if state["kind"] == "firewall"
    }
    for name, state in sorted(states.items()):
        place, translation = (state["zone"], state["pod"]), translations.get(state["zone"])
        if not translation or place in asked or state["kind"] == "routing_appliance":
            continue
        inside, known = IPv4Network(translation["network"]), IPv4Network(translation["reached_through"])
        address = IPv4Address(state["management_address"])
        if address in inside:
            asked.add(place)
            number = int(address) - int(inside.network_address)
            yield f"{name} (management, by the address that controllers know)", str(known[number])


def _upstream_gateways(states: States) -> dict[str, list[str]]:
    """{zone: the provider's routers}, the nearest addresses that are not ours."""
    gateways: dict[str, set[str]] = {}
    for state in edges(states).values():
        routes: Iterable[Mapping[str, str]] = state["network"]["routes"]
        ways_out = {route["gateway"] for route in routes if route["destination"] == "0.0.0.0/0"}
        gateways.setdefault(state["zone"], set()).update(ways_out)
    return {zone: sorted(found) for zone, found in gateways.items()}


def _free_address(network: State) -> str:
    """The highest address of a guest network that no machine and no appliance holds."""
    subnet = IPv4Network(network["subnet"])
    taken = {IPv4Address(address) for address in (network["router"], *(host["address"] for host in network["hosts"]))}
    return str(next(subnet[-i] for i in range(2, subnet.num_addresses) if subnet[-i] not in taken))
