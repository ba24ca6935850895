"""Carries the committed configuration of the lab's pod switch to Open vSwitch.

netconfd keeps the configuration; Open vSwitch forwards. This process listens to
netconfd's events (RFC 5277), reads running after each, and makes the bridge br0
like it, in one Open vSwitch transaction. It applies the whole configuration
when it starts, so it may be killed at any moment.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

BRIDGE = "br0"
NAMESPACES = {
    "if": "http://openconfig.net/yang/interfaces",
    "eth": "http://openconfig.net/yang/interfaces/ethernet",
    "vlan": "http://openconfig.net/yang/vlan",
    "ni": "http://openconfig.net/yang/network-instance",
    "stp": "http://openconfig.net/yang/spanning-tree",
}
NETCONF = "urn:ietf:params:xml:ns:netconf:base:1.0"
# RFC 6242 section 4.3: the end of a message to and from a peer that speaks base:1.0 only.
END_OF_MESSAGE = b"]]>]]>"
# IEEE 802.1Q-2018 table 13-3.
DEFAULT_PRIORITY = 32768
# How long netconfd may stay silent before it is reminded of a message.
REMINDER_S = 0.2


@dataclass(frozen=True)
class Port:
    """A port of the bridge; `untagged` alone is an access port."""

    tagged: tuple[int, ...]
    untagged: int | None
    edge: bool
    path_cost: int | None


@dataclass(frozen=True)
class Bridge:
    """What Open vSwitch shall be."""

    priority: int
    ports: dict[str, Port]


def main() -> None:
    """Follow running until netconfd goes away; systemd starts us again."""
    netconf = Netconf()
    netconf.request('<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>')
    applied = None
    while True:
        netconf.changed = False
        bridge = bridge_of(netconf.request("<get-config><source><running/></source></get-config>"))
        if bridge != applied:
            apply(bridge)
            applied = bridge
        tell_systemd("READY=1")
        while not netconf.changed:
            netconf.receive()


def bridge_of(running: Element) -> Bridge:
    """The bridge that a running configuration asks for.

    A VLAN that the switch does not have passes no port, and a port that would
    carry nothing is no port: to Open vSwitch an empty `trunks` means all VLANs
    (ovs-vswitchd.conf.db(5)).
    """
    vlans = {int(text) for text in texts(running, ".//ni:vlans/ni:vlan/ni:vlan-id")}
    edge = {
        text_of(interface, "stp:name")
        for interface in running.iterfind(".//stp:stp/stp:interfaces/stp:interface", NAMESPACES)
        if text_of(interface, "stp:config/stp:edge-port").endswith("EDGE_ENABLE")
    }
    costs = {
        text_of(interface, "stp:name"): int(text_of(interface, "stp:config/stp:cost"))
        for interface in running.iterfind(".//stp:rstp/stp:interfaces/stp:interface", NAMESPACES)
        if text_of(interface, "stp:config/stp:cost")
    }
    ports = {}
    for interface in running.iterfind(".//if:interfaces/if:interface", NAMESPACES):
        name = text_of(interface, "if:name")
        tagged, untagged = membership(interface, vlans)
        if text_of(interface, "if:config/if:enabled") != "false" and (tagged or untagged):
            ports[name] = Port(tagged, untagged, name in edge, costs.get(name))
    priority = text_of(running, ".//stp:rstp/stp:config/stp:bridge-priority")
    return Bridge(int(priority or DEFAULT_PRIORITY), ports)


def membership(interface: Element, vlans: set[int]) -> tuple[tuple[int, ...], int | None]:
    """(tagged VLANs, untagged VLAN) of an interface, of those that the switch has."""
    path = "eth:ethernet/vlan:switched-vlan/vlan:config/vlan:"
    carried: set[int] = set()
    for text in texts(interface, path + "trunk-vlans"):
        first, _, last = text.partition("..")
        carried.update(range(int(first), int(last or first) + 1))
    untagged = int(text_of(interface, path + "native-vlan") or text_of(interface, path + "access-vlan") or 0)
    carried &= vlans
    return tuple(sorted(carried - {untagged})), untagged if untagged in vlans else None


def apply(bridge: Bridge) -> None:
    """Make Open vSwitch like `bridge`; raises CalledProcessError when it refuses."""
    listed = subprocess.run(
        ["ovs-vsctl", "--bare", "--columns=name", "list", "Port"], check=True, stdout=subprocess.PIPE, text=True
    )
    present = set(listed.stdout.split()) - {BRIDGE}
    subprocess.run(["ovs-vsctl", *transaction(bridge, present)], check=True)


def transaction(bridge: Bridge, present: set[str]) -> list[str]:
    """Arguments for ovs-vsctl(8) that turn a bridge with the ports `present` into `bridge`."""
    commands = [
        ["--may-exist", "add-br", BRIDGE],
        ["set", "bridge", BRIDGE, "datapath_type=netdev", "rstp_enable=true"],
        ["set", "bridge", BRIDGE, f"other_config:rstp-priority={bridge.priority}"],
    ]
    commands += [["del-port", BRIDGE, name] for name in sorted(present - bridge.ports.keys())]
    for name, port in sorted(bridge.ports.items()):
        commands.append(["--may-exist", "add-port", BRIDGE, name])
        commands.append(["clear", "port", name, "tag", "trunks", "vlan_mode", "other_config"])
        commands.append(["set", "port", name, *columns(port)])
    return [argument for command in commands for argument in ("--", *command)][1:]


def columns(port: Port) -> list[str]:
    """The columns of a row in Open vSwitch's table Port."""
    result = [f"other_config:rstp-port-admin-edge={str(port.edge).lower()}"]
    if port.path_cost is not None:
        result.append(f"other_config:rstp-port-path-cost={port.path_cost}")
    if port.untagged is None:
        return [*result, "vlan_mode=trunk", f"trunks={listed(port.tagged)}"]
    if not port.tagged:
        return [*result, "vlan_mode=access", f"tag={port.untagged}"]
    trunks = listed((*port.tagged, port.untagged))
    return [*result, "vlan_mode=native-untagged", f"tag={port.untagged}", f"trunks={trunks}"]


def listed(vlans: tuple[int, ...]) -> str:
    """VLANs as an Open vSwitch set."""
    return ",".join(map(str, sorted(vlans)))


class Netconf:
    """A session with the local netconfd, through the subsystem that sshd would start."""

    def __init__(self) -> None:
        environment = {**os.environ, "USER": "root", "SSH_CONNECTION": "127.0.0.1 830 127.0.0.1 830"}
        self.changed = False
        self._buffer = b""
        self._process = subprocess.Popen(
            ["netconf-subsystem", *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._send(
            f'<hello xmlns="{NETCONF}"><capabilities>'
            "<capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>"
        )
        self._await()

    def request(self, operation: str) -> Element:
        """The reply to an operation; raises RuntimeError when it is an error."""
        self._send(f'<rpc xmlns="{NETCONF}" message-id="1">{operation}</rpc>')
        while (message := self._await()).tag != f"{{{NETCONF}}}rpc-reply":
            pass
        if message.find(f"{{{NETCONF}}}rpc-error") is not None:
            raise RuntimeError(ElementTree.tostring(message, encoding="unicode"))
        return message

    def receive(self) -> Element:
        """The next message; an event sets `changed`. Raises EOFError when netconfd went away."""
        while END_OF_MESSAGE not in self._buffer:
            chunk = os.read(self._stream(self._process.stdout).fileno(), 65536)
            if not chunk:
                raise EOFError("netconfd closed the session")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(END_OF_MESSAGE)
        message = ElementTree.fromstring(text.strip())  # noqa: S314  # it comes from our own netconfd
        self.changed |= message.tag.endswith("}notification")
        return message

    def _await(self) -> Element:
        """The next message, which netconfd owes us.

        netconfd handles one message for each time it reads, and leaves a second one that came along until there is
        something to read again: white space between messages is enough.
        """
        while END_OF_MESSAGE not in self._buffer:
            if select.select([self._stream(self._process.stdout)], [], [], REMINDER_S)[0]:
                break
            self._stream(self._process.stdin).write(b"\n")
            self._stream(self._process.stdin).flush()
        return self.receive()

    def _send(self, text: str) -> None:
        stream = self._stream(self._process.stdin)
        stream.write(text.encode() + END_OF_MESSAGE)
        stream.flush()

    @staticmethod
    def _stream(stream: Any) -> Any:
        assert stream is not None
        return stream


def tell_systemd(state: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(state.encode(), address)


def texts(element: Element, path: str) -> list[str]:
    """Texts of all elements at a path."""
    return [found.text.strip() for found in element.iterfind(path, NAMESPACES) if found.text]


def text_of(element: Element, path: str) -> str:
    """Text of the element at a path, empty when there is none."""
    return (element.findtext(path, "", NAMESPACES) or "").strip()


if __name__ == "__main__":
    main()
