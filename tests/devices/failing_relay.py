"""The NETCONF subsystem of the server under test: passes messages on, and fails where `faults.json` says.

What goes over the wire is encrypted; only here can be seen which message it is. The failure of the connection itself is
the proxy's, which this program tells.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_LAB = Path(__file__).parents[2] / "podwright/lab/files/pod_switch/usr/local/lib/pod_switch/netconf.py"
_spec = spec_from_file_location("lab_netconf", _LAB)
assert _spec is not None
assert _spec.loader is not None
lab: Any = module_from_spec(_spec)
_spec.loader.exec_module(lab)


class FailingRelay(lab.Relay):  # type: ignore[misc]  # a program, loaded from its file
    """A session in which something may go wrong."""

    def __init__(self, to_server: int, from_server: int, directory: Path) -> None:
        super().__init__(to_server, from_server)
        self._directory = directory
        self._failing: tuple[bytes, str] | None = None
        """(message-id of the request whose reply fails, how)"""

    def _from_client(self, data: bytes) -> None:
        for message in self._requests.messages(data):
            fault = self._fault(message)
            if fault and fault["act"] == "bend":
                message = message.replace(b"wanted", b"warped")
            elif fault and fault["moment"] == "request":
                self._tell(fault["act"])
                continue
            elif fault:
                self._failing = (_message_id(message), fault["act"])
            lab.send(self._to_server, self._requests.frame(self._translated(message)))
            if lab.is_hello(message):
                time.sleep(lab.HELLO_S)
            self._greeted(message)

    def _from_netconfd(self, data: bytes) -> None:
        for message in self._replies.messages(data):
            whole = self._replies.frame(self._completed(message))
            if self._failing and b"rpc-reply" in message and _message_id(message) == self._failing[0]:
                act, self._failing = self._failing[1], None
                self._fail(act, whole)
            else:
                lab.send(1, whole)
            self._greeted(message)

    def _fail(self, act: str, whole: bytes) -> None:
        match act:
            case "cut" | "freeze":
                self._tell(act)
            case "refuse" | "unplug":
                self._tell(act)
                lab.send(1, whole)
            case "half":
                lab.send(1, whole[: len(whole) // 2])
                os._exit(0)
            case "nonsense":
                lab.send(1, self._replies.frame(b"<rpc-reply><ok></rpc-reply>"))

    def _translated(self, message: bytes) -> bytes:
        """A request as the server knows it."""
        return message

    def _completed(self, message: bytes) -> bytes:
        """A reply with what the server does not know."""
        return message

    def _fault(self, message: bytes) -> dict[str, Any] | None:
        """The fault that this request meets; each comes once."""
        file = self._directory / "faults.json"
        faults: list[dict[str, Any]] = json.loads(file.read_text())
        met = next((fault for fault in faults if re.search(fault["at"].encode(), message)), None)
        if met:
            faults.remove(met)
            file.write_text(json.dumps(faults))
        return met

    def _tell(self, act: str) -> None:
        with socket.socket(socket.AF_UNIX) as proxy:
            proxy.connect(str(self._directory / "proxy.sock"))
            proxy.sendall(act.encode())
            proxy.recv(16)


def _message_id(message: bytes) -> bytes:
    found = re.search(rb'message-id="([^"]*)"', message)
    return found[1] if found else b""


def run(relay: type[FailingRelay]) -> None:
    """Relay until either side hangs up: PROGRAM DIRECTORY SUBSYSTEM ARGUMENT..."""
    with subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            relay(server.stdin.fileno(), server.stdout.fileno(), Path(sys.argv[1])).run()
        finally:
            server.terminate()


if __name__ == "__main__":
    run(FailingRelay)
