"""Frames at both ends of a firewall's cable, sent one by one: whether each came out at the other, as a JSON list.

wire.py NAME...: names are keys of FRAMES, with _ for a blank. Run where the namespaces are; it sends by raw sockets, as
a host with any address could, and listens by others.
"""

from __future__ import annotations

import ctypes
import json
import socket
import struct
import sys
import time
from collections.abc import Mapping

ENDS = {"outside": ("provider", "fw1"), "inside": ("zsw1", "up")}
HERE, THERE = "02:00:00:00:aa:01", "02:00:00:00:aa:02"
ALL = "ff:ff:ff:ff:ff:ff"
VRRP_MAC = "01:00:5e:00:00:12"  # of the group 224.0.0.18 (RFC 1112 section 6.4)
GATEWAY, STRANGER, NEIGHBOUR = "198.51.100.254", "192.0.2.77", "198.51.100.99"
SHARED, BEHIND, BEYOND = "198.51.100.1", "198.51.100.2", "198.51.100.3"
CUSTOMER, PRIVATE = "10.128.224.0", "10.128.0.9"
_ETH_P_ALL = 3
_CLONE_NEWNET = 0x40000000
_WAIT_S = 0.15


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def frame(to: str, kind: int, payload: bytes) -> bytes:
    return mac(to) + mac(HERE) + struct.pack("!H", kind) + payload


def tagged(vlan: int, whole: bytes, kind: int = 0x8100) -> bytes:
    return whole[:12] + struct.pack("!HH", kind, vlan) + whole[12:]


def arp(operation: int, sender: str, target: str) -> bytes:
    addresses = mac(HERE) + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)
    return frame(ALL, 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + addresses)


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ip(source: str, to: str, protocol: int, payload: bytes, ttl: int = 64, at: str = THERE) -> bytes:
    def header(check: int) -> bytes:
        fixed = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, ttl, protocol, check)
        return fixed + socket.inet_aton(source) + socket.inet_aton(to)

    return frame(at, 0x0800, header(checksum(header(0))) + payload)


def udp(source: str, to: str, port: int, own: int = 4000) -> bytes:
    return ip(source, to, 17, struct.pack("!HHHH", own, port, 12, 0) + b"test")


def tcp(source: str, to: str, port: int, flags: int = 2, own: int = 4000) -> bytes:
    def header(check: int) -> bytes:
        return struct.pack("!HHIIBBHHH", own, port, 1, 1 if flags & 16 else 0, 0x50, flags, 1024, check, 0)

    pseudo = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack("!HH", 6, 20)
    return ip(source, to, 6, header(checksum(pseudo + header(0))))


def vrrp(source: str, to: str = "224.0.0.18", ttl: int = 255) -> bytes:
    # A backup hears priority 1 and stays what it is, as nobody is master by this.
    return ip(source, to, 112, struct.pack("!BBBBHH", 0x31, 200, 1, 1, 10, 0) + bytes(4), ttl, VRRP_MAC)


IPV6 = frame(THERE, 0x86DD, struct.pack("!IHBB", 6 << 28, 8, 17, 64) + bytes(32) + struct.pack("!HHHH", 9, 9, 8, 0))
ECHO = struct.pack("!BBHHH", 8, 0, 0xF7FF - 1, 0, 1)

FRAMES: Mapping[str, tuple[str, bytes]] = {
    "web from outside": ("outside", tcp(STRANGER, CUSTOMER, 80)),
    "other port from outside": ("outside", tcp(STRANGER, CUSTOMER, 22)),
    "udp from outside": ("outside", udp(STRANGER, CUSTOMER, 53)),
    "ping of the shared address": ("outside", ip(STRANGER, SHARED, 1, ECHO)),
    "tcp to the shared address": ("outside", tcp(STRANGER, SHARED, 80)),
    "udp to the zone switch": ("outside", udp(STRANGER, BEHIND, 53)),
    "to a private address": ("outside", tcp(STRANGER, PRIVATE, 80)),
    "web from ours outside": ("outside", tcp("10.128.224.9", CUSTOMER, 80)),
    "web from nobody": ("outside", tcp("10.9.9.9", CUSTOMER, 80)),
    "web from the shared address outside": ("outside", tcp(SHARED, CUSTOMER, 80)),
    "web from the other zone switch": ("outside", tcp(BEYOND, CUSTOMER, 80)),
    "web from a neighbour": ("outside", tcp(NEIGHBOUR, CUSTOMER, 80)),
    "answer to nobody": ("outside", udp(STRANGER, CUSTOMER, 4001, own=53)),
    "customer asks": ("inside", udp(CUSTOMER, STRANGER, 53, own=4001)),
    "out from ours": ("inside", udp(CUSTOMER, STRANGER, 5353)),
    "out from a private address": ("inside", udp(PRIVATE, STRANGER, 5353)),
    "out from a stranger": ("inside", udp("192.0.2.99", "192.0.2.100", 5353)),
    "out from the other zone switch": ("inside", udp(BEYOND, STRANGER, 5353)),
    "broadcast of the zone switch": ("inside", ip(BEHIND, "255.255.255.255", 17, bytes(8), at=ALL)),
    "multicast of the zone switch": ("inside", ip(BEHIND, "224.0.0.5", 89, bytes(8), at="01:00:5e:00:00:05")),
    "arp for the shared address": ("outside", arp(1, GATEWAY, SHARED)),
    "arp for the zone switch": ("outside", arp(1, BEYOND, BEHIND)),
    "arp for somebody else": ("outside", arp(1, GATEWAY, NEIGHBOUR)),
    "arp from another network": ("outside", arp(1, STRANGER, SHARED)),
    "arp as the shared address": ("outside", arp(2, SHARED, SHARED)),
    "arp as the zone switch": ("outside", arp(2, BEHIND, SHARED)),
    "announcement of the gateway": ("outside", arp(2, GATEWAY, GATEWAY)),
    "announcement of a neighbour": ("outside", arp(2, NEIGHBOUR, NEIGHBOUR)),
    "arp for the firewall": ("outside", arp(1, GATEWAY, "192.168.0.31")),
    "arp for the gateway": ("inside", arp(1, SHARED, GATEWAY)),
    "announcement of the shared address": ("inside", arp(1, SHARED, SHARED)),
    "arp of a stranger inside": ("inside", arp(1, NEIGHBOUR, GATEWAY)),
    "arp for another network": ("inside", arp(1, BEHIND, STRANGER)),
    "reverse arp": ("inside", arp(3, BEHIND, BEHIND)),
    "vrrp from beyond": ("outside", vrrp(BEYOND)),
    "vrrp of a stranger": ("outside", vrrp(NEIGHBOUR)),
    "vrrp from afar": ("outside", vrrp(BEYOND, ttl=254)),
    "vrrp to one": ("outside", vrrp(BEYOND, to=BEHIND)),
    "vrrp as the shared address": ("inside", vrrp(SHARED)),
    "tagged": ("outside", tagged(10, tcp(STRANGER, CUSTOMER, 80, own=4010))),
    "tagged with a priority": ("outside", tagged(0, tcp(STRANGER, CUSTOMER, 80, own=4011))),
    "tagged by a provider": ("outside", tagged(10, tcp(STRANGER, CUSTOMER, 80, own=4012), 0x88A8)),
    "tagged inside": ("inside", tagged(10, udp(CUSTOMER, STRANGER, 5353, own=4013))),
    "tagged arp": ("outside", tagged(10, arp(1, GATEWAY, SHARED))),
    "ipv6": ("outside", IPV6),
    "ipv6 inside": ("inside", IPV6),
    "spanning tree": ("outside", frame("01:80:c2:00:00:00", 38, b"BB\x03" + bytes(35))),
    "lldp": ("outside", frame("01:80:c2:00:00:0e", 0x88CC, bytes(46))),
}


def opened(namespace: str, port: str) -> socket.socket:
    """A raw socket on a port of another network namespace."""
    with open("/proc/self/ns/net") as here, open(f"/run/netns/{namespace}") as there:  # noqa: PTH123  (setns(2))
        enter(there.fileno())
        try:
            link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            link.bind((port, 0))
        finally:
            enter(here.fileno())
    return link


def enter(namespace: int) -> None:
    """Be in a network namespace; Python has os.setns from 3.12 on."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def content(sent: bytes) -> bytes:
    """What a frame has behind its tags: a listener sees it without them."""
    start = 12
    while sent[start : start + 2] in (b"\x81\x00", b"\x88\xa8"):
        start += 4
    return sent[start + 2 :]


def arrives(link: socket.socket, sent: bytes) -> bool:
    """Whether a frame comes out there soon."""
    end = time.monotonic() + _WAIT_S
    while (left := end - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            data, address = link.recvfrom(4096)
        except TimeoutError:
            break
        if address[2] != socket.PACKET_OUTGOING and content(sent) in data:
            return True
    return False


def main() -> None:
    links = {name: opened(*where) for name, where in ENDS.items()}
    passed = []
    for name in sys.argv[1:]:
        side, data = FRAMES[name.replace("_", " ")]
        (other,) = links.keys() - {side}
        links[side].send(data)
        passed.append(arrives(links[other], data))
    print(json.dumps(passed))  # noqa: T201  (what this program is for)


if __name__ == "__main__":
    main()
