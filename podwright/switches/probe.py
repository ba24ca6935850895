"""Which hosts answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

ANSWER_TIMEOUT_S = 2


def answering(hosts: Iterable[str]) -> tuple[str, ...]:
    """Those of the hosts, as `address:port`, that accept a TCP connection now."""
    asked = sorted(set(hosts))
    if not asked:
        return ()
    with ThreadPoolExecutor(len(asked)) as threads:
        return tuple(host for host, answers in zip(asked, threads.map(_answers, asked), strict=True) if answers)


def silent_hosts(hosts: Iterable[str], timeout_s: float) -> tuple[str, ...]:
    """Those of the hosts that do not answer within that time."""
    end = time.monotonic() + timeout_s
    silent = tuple(sorted(set(hosts)))
    while silent := tuple(host for host in silent if host not in answering(silent)):
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    return silent


def _answers(host: str) -> bool:
    address, _, port = host.rpartition(":")
    try:
        socket.create_connection((address.strip("[]"), int(port)), ANSWER_TIMEOUT_S).close()
    except OSError:
        return False
    return True
