"""Run in a switch's network namespace: send frames, and print a line with the ends at which each comes out.

frames.py END[:VLAN]...: without a VLAN it is untagged. The ends are all interfaces named h and a number.
"""

from __future__ import annotations

import re
import select
import socket
import sys
import time

END = re.compile(r"h\d+")
# An EtherType for experiments (IEEE 802-2014 clause 9.2.4), and the tag of IEEE 802.1Q-2018 clause 9.4.
EXPERIMENT, TAG = b"\x88\xb5", b"\x81\x00"
ETH_P_ALL = 0x0003
WITHIN_S = 0.2


def main() -> None:
    ends = {name: _listen(name) for _, name in socket.if_nameindex() if END.fullmatch(name)}
    for argument in sys.argv[1:]:
        source, _, vlan = argument.partition(":")
        print(*sorted(_comes_out(ends, source, int(vlan or 0))))  # noqa: T201  # it is what the test reads


def _comes_out(ends: dict[str, socket.socket], source: str, vlan: int) -> set[str]:
    mark = time.time_ns().to_bytes(8, "big")
    tag = TAG + vlan.to_bytes(2, "big") if vlan else b""
    frame = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + tag + EXPERIMENT + mark
    ends[source].send(frame.ljust(64, b"\0"))
    end, seen = time.monotonic() + WITHIN_S, set()
    while (left := end - time.monotonic()) > 0:
        for listener in select.select(list(ends.values()), [], [], left)[0]:
            data, address = listener.recvfrom(2048)
            if mark in data and address[2] != socket.PACKET_OUTGOING:
                seen.add(address[0])
    return seen


def _listen(name: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.bind((name, 0))
    return made


if __name__ == "__main__":
    main()
