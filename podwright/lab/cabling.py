"""The commands that lay a lab's networks and plug its hosts in; pure.

Cables end in a patch panel, a network namespace of their own, until their host
has power: a host that loses power leaves its cables behind, and the other ends
lose carrier, as on a real device.

No end leaves checksums to hardware: Open vSwitch's userspace datapath reads
frames as they are, and TCP hangs on those that no one has completed.
"""

from __future__ import annotations

from collections.abc import Iterator

from podwright.lab.topology import Bridge, Host, LabCable, Provider, Topology, interface_name

OUTSIDE = "outside"
_PATCH_PANEL = "patch-panel"


def lay(topology: Topology) -> list[str]:
    """Make the bridges, the cables and what is outside; no host is plugged in yet."""
    return [
        *(command for bridge in topology.bridges for command in _bridge(bridge)),
        f"ip netns add {_PATCH_PANEL}",
        *(command for cable in topology.cables for command in _cable(cable)),
        f"ip netns add {OUTSIDE}",
        f"ip -n {OUTSIDE} link set lo up",
        # Providers reach each other.
        f"ip netns exec {OUTSIDE} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'",
        *(command for number, provider in enumerate(topology.providers) for command in _provider(number, provider)),
        *(f"ip route add {network} via {gateway}" for network, gateway in topology.routes),
    ]


def plug(topology: Topology, host: Host) -> list[str]:
    """Give `host` its network namespace, with eth0 and all its cables in it."""
    return [
        f"ip netns add {host.name}",
        f"ip -n {host.name} link set lo up",
        *_pair(_outlet(host), host.bridge, host.name, "eth0"),
        f"ip -n {host.name} link set eth0 address {_hardware_address(host)}",
        f"ip -n {host.name} address add {host.address} broadcast + dev eth0",
        *(
            command
            for end, port in _ends(topology, host)
            for command in (
                f"ip -n {_PATCH_PANEL} link set {end} netns {host.name} name {port}",
                *_raise(host.name, port),
            )
        ),
    ]


def unplug(topology: Topology, host: Host) -> list[str]:
    """Take back the network namespace of `host`, and with it every interface that the host made.

    What was plugged in only in part is taken back as far as it is there.
    """
    return [
        *(
            f"! {_exists(port, host.name)} || ip -n {host.name} link set {port} netns {_PATCH_PANEL} name {end}"
            for end, port in _ends(topology, host)
        ),
        f"! {_exists(_outlet(host))} || ip link delete {_outlet(host)}",
        f"test ! -e /run/netns/{host.name} || ip netns delete {host.name}",
    ]


def _exists(interface: str, namespace: str | None = None) -> str:
    """The command that succeeds when there is such an interface."""
    where = f"-n {namespace} " if namespace else ""
    return f"ip {where}link show {interface} >/dev/null 2>&1"


def _bridge(bridge: Bridge) -> Iterator[str]:
    yield f"ip link add {bridge.name} type bridge"
    if bridge.address:
        yield f"ip address add {bridge.address} dev {bridge.name}"
    yield f"ip link set {bridge.name} up"


def _cable(cable: LabCable) -> Iterator[str]:
    (a, at_a), (b, at_b) = cable.ends
    if at_a.port is None:
        (a, at_a), (b, at_b) = (b, at_b), (a, at_a)
    if at_b.port is None:
        yield from _pair(b, at_b.place, _PATCH_PANEL, a)
    else:
        yield f"ip link add {a} netns {_PATCH_PANEL} type veth peer name {b} netns {_PATCH_PANEL}"


def _provider(number: int, provider: Provider) -> Iterator[str]:
    port = f"eth{number}"
    yield from _pair(f"{OUTSIDE}{number}", provider.bridge, OUTSIDE, port)
    yield f"ip -n {OUTSIDE} address add {provider.address} dev {port}"
    for destination, gateway in provider.routes:
        yield f"ip -n {OUTSIDE} route add {destination} via {gateway}"


def _pair(outlet: str, bridge: str, namespace: str, port: str) -> Iterator[str]:
    """A cable from the bridge (its end there is `outlet`) to `port` in the namespace."""
    yield f"ip link add {outlet} master {bridge} type veth peer name {port} netns {namespace}"
    yield f"ethtool -K {outlet} tx off"
    yield f"ip link set {outlet} up"
    if namespace != _PATCH_PANEL:
        yield from _raise(namespace, port)


def _raise(namespace: str, port: str) -> Iterator[str]:
    yield f"nsenter --net=/run/netns/{namespace} ethtool -K {port} tx off"
    yield f"ip -n {namespace} link set {port} up"


def _ends(topology: Topology, host: Host) -> Iterator[tuple[str, str]]:
    """(name of the cable's end, port of the host) for each cable of the host."""
    for cable in topology.cables:
        for end, socket in cable.ends:
            if socket.place == host.name and socket.port is not None:
                yield end, socket.port


def _outlet(host: Host) -> str:
    return interface_name(f"m-{host.name}")


def _hardware_address(host: Host) -> str:
    """The same on every boot, as on a real device: neighbours remember it. Locally administered (IEEE 802, 8.4.4)."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x6C, *host.address.ip.packed))
