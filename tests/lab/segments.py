"""Send TCP segments that ask for a connection, from any source address: run where they shall come from.

Takes JSON [[source, destination, port], ...] as its argument; they leave as the routes of this place say.
"""

from __future__ import annotations

import json
import socket
import struct
import sys

_SYN, _DATA_OFFSET = 0x02, 5 << 4


def main() -> None:
    """Send all."""
    # raw(7): the kernel writes what is left zero of the IP header.
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
        for source, destination, port in json.loads(sys.argv[1]):
            sender.sendto(packet(source, destination, port), (destination, 0))


def packet(source: str, destination: str, port: int) -> bytes:
    """An IPv4 packet (RFC 791 section 3.1) with a segment (RFC 9293 section 3.1) from port 40000."""
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_TCP, 0) + addresses
    segment = struct.pack("!HHIIBBHHH", 40000, port, 1, 0, _DATA_OFFSET, _SYN, 1024, 0, 0)
    pseudo_header = addresses + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(segment))
    return header + segment[:16] + struct.pack("!H", checksum(pseudo_header + segment)) + segment[18:]


def checksum(data: bytes) -> int:
    """The one's complement of the one's complement sum of 16-bit words (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    main()
