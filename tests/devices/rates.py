"""Run in a switch's network namespace: send frames at rates, and print what of each VLAN comes out at an end.

rates.py END SECONDS INTERFACE[/VLAN]:MBIT_S... prints {VLAN: Mbit/s} as JSON; with VLAN, frames have its tag.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections import Counter
from multiprocessing import Process

# As in frames.py; linux/if_packet.h for what the kernel tells beside a frame.
EXPERIMENT = b"\x88\xb5"
ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 3, 263, 8, 1 << 4
FRAME_BYTES = 1000
WARMING_UP_S = 0.3


def main() -> None:
    end, seconds, *sources = sys.argv[1:]
    listener = _listener(end)
    senders = [
        Process(target=_send, args=(*source.split(":"), float(seconds) + 2 * WARMING_UP_S), daemon=True)
        for source in sources
    ]
    for sender in senders:
        sender.start()
    time.sleep(WARMING_UP_S)
    received = _receive(listener, float(seconds))
    for sender in senders:
        sender.join()
    rates = {vlan: round(count * 8 / float(seconds) / 1e6, 2) for vlan, count in sorted(received.items())}
    print(json.dumps(rates))  # noqa: T201  # it is what the test reads


def _send(source: str, rate_mbit_s: str, seconds: float) -> None:
    interface, _, vlan = source.partition("/")
    tag = b"\x81\x00" + int(vlan).to_bytes(2, "big") if vlan else b""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        frame = (b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + tag + EXPERIMENT).ljust(FRAME_BYTES, b"\0")
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while sent * FRAME_BYTES * 8 < float(rate_mbit_s) * 1e6 * passed:
                _, sent = sender.send(frame), sent + 1
            time.sleep(0.001)


def _listener(interface: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    made.bind((interface, ETH_P_ALL))
    return made


def _receive(listener: socket.socket, seconds: float) -> Counter[int]:
    """{VLAN: bytes} that came in; what was waiting before is not counted."""
    while select.select([listener], [], [], 0)[0]:
        listener.recv(64)
    end, received = time.monotonic() + seconds, Counter[int]()
    while (left := end - time.monotonic()) > 0:
        if select.select([listener], [], [], left)[0]:
            data, auxiliary, _, _ = listener.recvmsg(2048, socket.CMSG_SPACE(64))
            if (vlan := _vlan(data, auxiliary)) is not None:
                received[vlan] += len(data)
    return received


def _vlan(data: bytes, auxiliary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, told in auxiliary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tag, _ = struct.unpack("IIIHHHH", told[:20])
            if status & TP_STATUS_VLAN_VALID:
                return int(tag) & 0xFFF
    return int.from_bytes(data[14:16], "big") & 0xFFF if data[12:14] == b"\x81\x00" else None


if __name__ == "__main__":
    os.nice(1)  # the switch comes first
    main()
