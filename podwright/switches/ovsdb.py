"""The Open vSwitch Database Management Protocol (RFC 7047) over a channel to its server."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import paramiko

from podwright.errors import DeviceError, SessionLost

DATABASE = "Open_vSwitch"
REPLY_TIMEOUT_S = 30

Row = Mapping[str, Any]
Operation = Mapping[str, Any]


class Connection:
    """A connection on which a thread reads, so that the server's probes are answered while nobody asks anything."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._ids = itertools.count(1)
        self._replies: dict[int, Mapping[str, Any]] = {}
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def transact(self, operations: Sequence[Operation]) -> list[Row]:
        """Run operations as one transaction (section 4.1.3); the result of each.

        Raises:
            DeviceError: it was not done.
            SessionLost: whether it was done is not known.
        """
        results = self.ask("transact", DATABASE, *operations)
        for result in results:
            if result and "error" in result:
                raise DeviceError(f"{_error(result)}; see the log of ovsdb-server")
        return list(results)

    def rows(self, table: str, columns: Sequence[str], **where: str) -> list[Row]:
        """The rows of a table whose columns have these values."""
        conditions = [[column, "==", value] for column, value in where.items()]
        select = {"op": "select", "table": table, "where": conditions, "columns": [*columns]}
        rows: list[Row] = self.transact([select])[0]["rows"]
        return rows

    def ask(self, method: str, *parameters: Any) -> Any:
        """Call a method of the server; its result."""
        number = next(self._ids)
        self._send({"method": method, "params": parameters, "id": number})
        with self._news:
            if not self._news.wait_for(lambda: self._ended or number in self._replies, REPLY_TIMEOUT_S):
                raise SessionLost(
                    f"the database did not answer within {REPLY_TIMEOUT_S} s; see whether ovsdb-server runs"
                )
            if number not in self._replies:
                raise SessionLost("the database ended the session; see whether ovsdb-server runs")
            reply = self._replies.pop(number)
        if reply.get("error") is not None:
            raise DeviceError(f"{_error(reply['error'])}; see the log of ovsdb-server")
        return reply["result"]

    def close(self) -> None:
        """End the connection: the server gives up its locks (section 4.1.8)."""
        self._channel.close()
        self._reader.join()

    def _read(self) -> None:
        decoder, text = json.JSONDecoder(), ""
        try:
            while data := self._channel.recv(65536):
                text = (text + data.decode()).lstrip()
                while text:
                    try:
                        message, end = decoder.raw_decode(text)
                    except ValueError:
                        break  # the rest of it is still to come
                    text = text[end:].lstrip()
                    self._take(message)
        except (OSError, EOFError, UnicodeDecodeError, SessionLost):
            pass  # whoever waits is told that the session has ended
        finally:
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _take(self, message: Mapping[str, Any]) -> None:
        if message.get("method") == "echo":  # section 4.1.11: answered with what was asked
            self._send({"result": message["params"], "error": None, "id": message["id"]})
        elif message.get("id") is not None and "method" not in message:
            with self._news:
                self._replies[message["id"]] = message
                self._news.notify_all()

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self._channel.sendall(json.dumps(message).encode())
        except (OSError, EOFError) as error:
            raise SessionLost("the database ended the session; see whether ovsdb-server runs") from error


def as_set(column: Any) -> list[Any]:
    """The members of a column that holds a set; a set of one may stand without its brackets (section 5.1)."""
    return list(column[1]) if isinstance(column, list) and column[0] == "set" else [column]


def as_map(column: Any) -> dict[str, str]:
    """The pairs of a column that holds a map."""
    return dict(column[1])


def set_of(*members: Any) -> list[Any]:
    """A set as the protocol has it."""
    return ["set", [*members]]


def map_of(pairs: Mapping[str, str]) -> list[Any]:
    """A map as the protocol has it."""
    return ["map", [[key, value] for key, value in sorted(pairs.items())]]


def _error(result: Any) -> str:
    """`error` and `details` of a failed operation (section 3.1)."""
    if isinstance(result, dict):
        return ": ".join(str(result[key]) for key in ("error", "details") if result.get(key))
    return str(result)
