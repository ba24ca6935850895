"""What a lab has to consist of so that a declared cloud finds its devices: pure, from the declaration alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import combinations

from podwright.errors import LabError
from podwright.model.cloud import Cloud, Zone
from podwright.model.fields import Port
from podwright.model.views import Device, DeviceKind, devices, reached_at, zone_management_subnet

# IFNAMSIZ of if.h(0P) is 16, with the NUL at the end.
_INTERFACE_NAME_LENGTH = 15
_PORT_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{_INTERFACE_NAME_LENGTH - 1}}}")


@dataclass(frozen=True)
class Bridge:
    """A network that is not the cloud's own; `address` is the controller's on a management network."""

    name: str
    address: IPv4Interface | None


@dataclass(frozen=True)
class Host:
    """A device as a container; `bridge` is the management network of its eth0, `ssh_ports` where it answers.

    Behind a firewall that translates, `translated` is the address that controllers know.
    """

    name: str
    kind: DeviceKind
    address: IPv4Interface
    bridge: str
    ssh_ports: tuple[int, ...]
    translated: IPv4Address | None = None

    @property
    def reached_at(self) -> IPv4Address:
        """Where controllers find it."""
        return self.translated or self.address.ip


@dataclass(frozen=True)
class Socket:
    """Where an end of a cable is plugged in: a host's port, or (no `port`) a bridge."""

    place: str
    port: str | None


@dataclass(frozen=True)
class LabCable:
    """A cable; `name` begins the names of its two ends while they are not plugged in."""

    name: str
    a: Socket
    b: Socket

    @property
    def ends(self) -> tuple[tuple[str, Socket], tuple[str, Socket]]:
        """Both ends, each with its name."""
        return ((f"{self.name}a", self.a), (f"{self.name}b", self.b))


@dataclass(frozen=True)
class Provider:
    """A zone's provider: its address on the bridge, and what it routes to the zone."""

    bridge: str
    address: IPv4Interface
    routes: tuple[tuple[IPv4Network, IPv4Address], ...]


@dataclass(frozen=True)
class Topology:
    """A lab, complete."""

    bridges: tuple[Bridge, ...]
    hosts: tuple[Host, ...]
    cables: tuple[LabCable, ...]
    providers: tuple[Provider, ...]
    routes: tuple[tuple[IPv4Network, IPv4Address], ...] = ()
    """what the controller reaches through firewalls, and their addresses"""

    def host(self, name: str) -> Host:
        """The host called `name`.

        Raises:
            LabError: There is none.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"{name}: no host of this lab; it has {', '.join(host.name for host in self.hosts)}")


def derive(cloud: Cloud) -> Topology:
    """The lab of `cloud`.

    Raises:
        LabError: A port cannot be an interface of Linux, or networks that the controller stands in overlap, so that it
            cannot reach all devices.
    """
    subnets = {device.name: _management_subnet(cloud, device) for device in devices(cloud)}
    hosts = {device.name: _host(cloud, device, subnets[device.name]) for device in devices(cloud)}
    management = {host.bridge: subnets[host.name] for host in hosts.values() if not host.translated}
    _check(management, hosts)
    behind = sorted({host.bridge for host in hosts.values() if host.translated})
    return Topology(
        bridges=(
            *(Bridge(name, _controller_address(subnet)) for name, subnet in management.items()),
            *(Bridge(name, None) for name in behind),
            *(Bridge(_upstream_bridge(zone), None) for zone in cloud.zones),
        ),
        hosts=tuple(hosts.values()),
        cables=tuple(_cables(cloud, hosts)),
        providers=tuple(_provider(name, zone) for name, zone in cloud.zones.items()),
        routes=tuple(
            (reached.network, reached.address)
            for zone in cloud.zones.values()
            if (reached := zone.management_reached_through)
        ),
    )


def interface_name(name: str) -> str:
    """`name` as a network interface may be called: itself, or its beginning and a hash."""
    if len(name) <= _INTERFACE_NAME_LENGTH:
        return name
    return f"{name[: _INTERFACE_NAME_LENGTH - 6]}{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _management_subnet(cloud: Cloud, device: Device) -> IPv4Network:
    zone = cloud.zones[device.zone]
    if device.pod:
        return zone.pods[device.pod].networks.management.subnet
    return zone_management_subnet(zone, device.declared.management_address)


def _host(cloud: Cloud, device: Device, subnet: IPv4Network) -> Host:
    zone = cloud.zones[device.zone]
    own = device.declared.management_address
    is_at_controllers = device.kind == "firewall" and zone.management_reached_through is not None
    bridge = (
        f"ctl-{int(subnet.network_address):x}" if is_at_controllers else _management_bridge(device.zone, device.pod)
    )
    return Host(
        name=device.name,
        kind=device.kind,
        address=IPv4Interface((own, subnet.prefixlen)),
        bridge=bridge,
        ssh_ports=tuple(sorted({22, getattr(device.declared, "port", 22)})),
        translated=None if (reached := reached_at(zone, own)) == own else reached,
    )


def _management_bridge(zone: str, pod: str | None) -> str:
    return interface_name("-".join(filter(None, ("mgmt", zone, pod))))


def _controller_address(subnet: IPv4Network) -> IPv4Interface:
    """The last address of the subnet."""
    return IPv4Interface((subnet.broadcast_address - 1, subnet.prefixlen))


def _check(management: dict[str, IPv4Network], hosts: dict[str, Host]) -> None:
    for (one, subnet), (other, other_subnet) in combinations(management.items(), 2):
        if subnet.overlaps(other_subnet):
            raise LabError(
                f"{one} is {subnet} and {other} is {other_subnet}: the controller of a lab stands in all management"
                " networks at once; give each its own addresses"
            )
    for host in hosts.values():
        if host.bridge in management and host.address == _controller_address(management[host.bridge]):
            raise LabError(f"{host.name}: {host.address.ip} is the lab's controller; give the host another address")


def _upstream_bridge(zone: str) -> str:
    return interface_name(f"upstream-{zone}")


def _cables(cloud: Cloud, hosts: dict[str, Host]) -> Iterator[LabCable]:
    declared = [(zone, cable) for zone in cloud.zones for cable in cloud.zones[zone].cables]
    for number, (zone, cable) in enumerate(declared):
        sockets = (_socket(end, other, zone, hosts) for end, other in (cable.ends, cable.ends[::-1]))
        yield LabCable(f"cable{number}", *sockets)


def _socket(end: Port, other: Port, zone: str, hosts: dict[str, Host]) -> Socket:
    if end.name is not None and end.device in hosts:
        if not _PORT_NAME.fullmatch(end.name):
            raise LabError(f"{end}: not the name of an interface; give 1 to 15 letters, digits, dots, dashes")
        return Socket(end.device, end.name)
    return Socket(_network(end, other, zone, hosts), None)


def _network(end: Port, other: Port, zone: str, hosts: dict[str, Host]) -> str:
    """The bridge of what is no device: the provider, or a management network; a firewall has ports to several."""
    if end.device == "upstream":
        return _upstream_bridge(zone)
    if hosts[other.device].kind == "firewall":
        return _management_bridge(zone, end.name)
    return hosts[other.device].bridge


def _provider(name: str, zone: Zone) -> Provider:
    upstream = zone.upstream
    return Provider(
        bridge=_upstream_bridge(name),
        address=IPv4Interface((upstream.gateway, upstream.network.prefixlen)),
        routes=tuple((pod.networks.public.subnet, upstream.address) for pod in zone.pods.values()),
    )
