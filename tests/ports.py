"""Ports for the servers that tests start."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from random import SystemRandom

ADDRESS = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Ports that nothing uses, below those that the kernel gives to clients: one of these could get a killed server's.

    The kernel's begin at 32768 (ip(7), ip_local_port_range).
    """
    ports: list[int] = []
    with ExitStack() as held:
        for port in SystemRandom().sample(range(20000, 32768), 1000):
            trial = held.enter_context(socket.socket())
            try:
                trial.bind((ADDRESS, port))
            except OSError:
                continue
            ports.append(port)
            if len(ports) == count:
                return ports
    raise RuntimeError(f"{ADDRESS} has less than {count} free ports")
