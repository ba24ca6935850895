"""Count the frames on interfaces by source, with nothing but a packet socket (packet(7))."""

from __future__ import annotations

import select
import socket
import time

ETH_P_ALL = 0x0003  # linux/if_ether.h
ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806


def watch(interfaces: list[str], duration_s: float) -> dict[str, dict[str, dict[str, int]]]:
    """Listen on `interfaces` for `duration_s` seconds.

    Returns {interface: {"macs": {source MAC: frames}, "addresses": {source IPv4 address: packets}}};
    an interface that does not exist is absent. Frames in both directions count.
    """
    sockets: dict[socket.socket, str] = {}
    seen: dict[str, dict[str, dict[str, int]]] = {}
    try:
        for interface in interfaces:
            listener = _open(interface)
            if listener is not None:
                sockets[listener] = interface
                seen[interface] = {"macs": {}, "addresses": {}}
        _count_until(time.monotonic() + duration_s, sockets, seen)
    finally:
        for listener in sockets:
            listener.close()
    return seen


def sources(frame: bytes) -> tuple[str, str | None]:
    """Source MAC and, of an IPv4 packet or an ARP message, the sender's IPv4 address (RFC 791, RFC 826)."""
    mac = ":".join(f"{byte:02x}" for byte in frame[6:12])
    ether_type = int.from_bytes(frame[12:14], "big")
    if ether_type == ETH_P_IP and len(frame) >= 34:
        return mac, socket.inet_ntoa(frame[26:30])
    if ether_type == ETH_P_ARP and len(frame) >= 32:
        return mac, socket.inet_ntoa(frame[28:32])
    return mac, None


def _open(interface: str) -> socket.socket | None:
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    try:
        listener.bind((interface, 0))
    except OSError:
        listener.close()
        return None
    listener.setblocking(False)
    return listener


def _count_until(end: float, sockets: dict[socket.socket, str], seen: dict[str, dict[str, dict[str, int]]]) -> None:
    while (left := end - time.monotonic()) > 0:
        for listener in select.select(list(sockets), [], [], left)[0]:
            try:
                frame = listener.recv(128)
            except OSError:  # the interface went down while we listened: what was seen so far counts
                continue
            mac, address = sources(frame)
            entry = seen[sockets[listener]]
            entry["macs"][mac] = entry["macs"].get(mac, 0) + 1
            if address is not None:
                entry["addresses"][address] = entry["addresses"].get(address, 0) + 1
