"""Send Ethernet frames from ports of lab hosts and tell where they come out: run in the lab's world.

Takes JSON {"sent": [[host, port, VLAN or null], ...], "watched": [[host, port], ...]} as its argument and prints
[[index of what was sent, host, port, VLAN or null], ...], one for each frame that came out.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import struct
import sys
import time

# IEEE 802 local experimental EtherType 1; nothing else in a lab speaks it.
EXPERIMENTAL = 0x88B5
# linux/if_ether.h and linux/if_packet.h
ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 3, 263, 8, 1 << 4
CLONE_NEWNET = 0x40000000
LISTEN_S = 0.3


def main() -> None:
    """Send all, listen for a while."""
    request = json.loads(sys.argv[1])
    run = os.urandom(8)
    watched = {port_socket(*place): tuple(place) for place in request["watched"]}
    for index, (host, port, vlan) in enumerate(request["sent"]):
        with port_socket(host, port) as sender:
            sender.send(frame(run, index, vlan))
    seen = []
    end = time.monotonic() + LISTEN_S
    while (left := end - time.monotonic()) > 0:
        for listener in select.select(list(watched), [], [], left)[0]:
            payload, vlan = receive(listener)
            if payload.startswith(run):
                seen.append([payload[len(run)], *watched[listener], vlan])
    print(json.dumps(sorted(seen, key=str)))  # noqa: T201


def port_socket(host: str, port: str) -> socket.socket:
    """A packet(7) socket on a port; network namespaces are a thread's, sockets stay where they were made."""
    with open(f"/run/netns/{host}") as namespace:  # noqa: PTH123
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the network of {host}")
    # To a socket of one EtherType the kernel does not tell the tag.
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    made.bind((port, ETH_P_ALL))
    return made


def frame(run: bytes, index: int, vlan: int | None) -> bytes:
    """A broadcast frame; a tag is 0x8100 and the VLAN id (IEEE 802.1Q-2018 9.6)."""
    addresses = b"\xff" * 6 + b"\x02\x00\x00\x00\x00" + bytes([index + 1])
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return (addresses + tag + struct.pack("!H", EXPERIMENTAL) + run + bytes([index])).ljust(64, b"\0")


def receive(listener: socket.socket) -> tuple[bytes, int | None]:
    """(payload, VLAN) of a frame; the kernel keeps the tag apart from it (packet(7), PACKET_AUXDATA)."""
    data, ancillary, _, address = listener.recvmsg(2048, 256)
    vlan = None
    for level, kind, value in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci = struct.unpack("=IIIHHH", value[:18])
            vlan = tci & 0x0FFF if status & TP_STATUS_VLAN_VALID else None
    own = address[2] == socket.PACKET_OUTGOING
    return (b"" if own else data[14:]), vlan


if __name__ == "__main__":
    main()
