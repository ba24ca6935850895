"""Talk over TCP: `serve PORT`, `connect ADDRESS PORT`, or `stream ADDRESS PORT`, which asks every 10 ms.

`stream` prints the time of each answer, as `ping -D` does.
"""

from __future__ import annotations

import socket
import sys
import time

PATIENCE_S = 2


def serve(port: int) -> None:
    """Send back what comes, to one after the other and to several at a time."""
    import selectors  # no other act needs it, and imports cost on an emulated processor

    waiting = selectors.DefaultSelector()
    server = socket.create_server(("", port), backlog=16)
    waiting.register(server, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is server:
                waiting.register(server.accept()[0], selectors.EVENT_READ)
                continue
            client = key.fileobj
            assert isinstance(client, socket.socket)
            if data := client.recv(4096):
                client.sendall(data)
            else:
                waiting.unregister(client)
                client.close()


def connect(address: str, port: int) -> None:
    """Have one answer."""
    with socket.create_connection((address, port), PATIENCE_S) as there:
        there.sendall(b"hello")
        assert there.recv(5) == b"hello"


def stream(address: str, port: int) -> None:
    """Ask for as long as it is let; TCP asks again by itself."""
    with socket.create_connection((address, port), 30) as there:
        while True:
            there.sendall(b"hello")
            assert there.recv(5) == b"hello"
            print(f"[{time.time():.6f}] 5 bytes from {address}")  # noqa: T201  (what this program is for)
            time.sleep(0.01)


if __name__ == "__main__":
    act, *where = sys.argv[1:]
    if act == "serve":
        serve(int(where[0]))
    elif act == "connect":
        connect(where[0], int(where[1]))
    else:
        stream(where[0], int(where[1]))
