"""A TCP proxy that passes everything on until it is told to fail."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from pathlib import Path
from typing import Self


class FailingProxy:
    """Listens on a port of 127.0.0.1 for another, and on a Unix socket for one word a connection.

    `cut` resets all connections, `freeze` passes nothing more on them and leaves them open, `refuse` resets whoever
    connects from then on, and `unplug` has the host behind the device answer no more.
    """

    def __init__(self, to_port: int, control: Path) -> None:
        self._to_port = to_port
        self._refuses = self._frozen = self._ends = False
        self._peers: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._host = socket.create_server(("127.0.0.1", 0))
        self._control = socket.socket(socket.AF_UNIX)
        self._control.bind(str(control))
        self._control.listen()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._control, selectors.EVENT_READ, self._obey)
        self._thread = threading.Thread(target=self._run)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def host(self) -> str:
        """`address:port` of a host behind the device."""
        return f"127.0.0.1:{self._host.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = True
        self._thread.join()
        self._cut()
        self._listener.close()
        self._host.close()
        self._control.close()
        self._selector.close()

    def heal(self) -> None:
        """Pass on what connects from now on."""
        self._refuses = self._frozen = False
        if self._host.fileno() < 0:
            self._host = socket.create_server(("127.0.0.1", 0))

    def _run(self) -> None:
        while not self._ends:
            for key, _ in self._selector.select(0.1):
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        if self._refuses:
            _reset(client)
            return
        server = socket.create_connection(("127.0.0.1", self._to_port))
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ, self._pass_on)

    def _pass_on(self, one: socket.socket) -> None:
        other = self._peers.get(one)
        if other is None:  # it was closed by what came before in the same round
            return
        try:
            data = one.recv(65536)
            if data and not self._frozen:
                other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._close(one)

    def _obey(self, control: socket.socket) -> None:
        asker, _ = control.accept()
        with asker:
            match asker.recv(16):
                case b"cut":
                    self._cut()
                case b"freeze":
                    self._frozen = True
                case b"refuse":
                    self._refuses = True
                case b"unplug":
                    self._host.close()
            asker.sendall(b"done")

    def _cut(self) -> None:
        for one in list(self._peers):
            self._close(one)

    def _close(self, one: socket.socket) -> None:
        other = self._peers.pop(one, None)
        if other is not None:
            self._peers.pop(other, None)
            for end in (one, other):
                self._selector.unregister(end)
                _reset(end)


def _reset(end: socket.socket) -> None:
    """Close with a reset (socket(7), SO_LINGER), as a middlebox that lost its state does."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
