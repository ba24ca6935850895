"""The Open vSwitch database server, spoken to over its unix socket (RFC 7047).

A request takes one millisecond, starting `ovs-vsctl` twenty. Values arrive as
Python ones: a set is a list, a map a dict, a UUID the string of its digits.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils.errors import DeviceError

SOCKET = Path("/run/openvswitch/db.sock")
TIMEOUT_S = 10.0

Row = dict[str, Any]
Operation = dict[str, Any]


def transact(operations: list[Operation]) -> list[dict[str, Any]]:
    """Run `operations` as one atomic transaction (RFC 7047 section 4.1.3) and give their results.

    Raises:
        DeviceError: the server is not there, or refuses an operation; then none of them took effect.
    """
    request = {"id": 0, "method": "transact", "params": ["Open_vSwitch", *operations]}
    answer = _ask(request)
    results: list[dict[str, Any]] = answer["result"] or [{"error": "refused", "details": answer["error"]}]
    for result in results:
        if result and "error" in result:
            raise DeviceError(f"Open vSwitch refused the change: {result['error']}: {result.get('details', '')}")
    return results


def rows(tables: dict[str, list[str]]) -> dict[str, list[Row]]:
    """Read the named columns, and `_uuid`, of every row of `tables`, at one moment; values as they are on the wire."""
    operations = [
        {"op": "select", "table": table, "where": [], "columns": ["_uuid", *columns]}
        for table, columns in tables.items()
    ]
    results = transact(operations)
    return {table: result["rows"] for table, result in zip(tables, results)}  # noqa: B905 - strict is Python 3.10's


def select(tables: dict[str, list[str]]) -> dict[str, list[Row]]:
    """Read the named columns, and `_uuid`, of every row of `tables`, at one moment."""
    return {
        table: [{column: decoded(value) for column, value in row.items()} for row in found]
        for table, found in rows(tables).items()
    }


def as_set(value: Any) -> list[Any]:
    """Give the members of a column that may hold one atom or a set of them (RFC 7047 section 5.1)."""
    return value if isinstance(value, list) else [value]


def decoded(value: Any) -> Any:
    """Give a value as a Python one, of its notation on the wire (RFC 7047 section 5.1)."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind == "uuid":
        return content
    if kind == "set":
        return [decoded(member) for member in content]
    return {decoded(key): decoded(member) for key, member in content}


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(SOCKET))
            connection.sendall(json.dumps(request).encode())
            return _receive(connection)
    except OSError as error:
        raise DeviceError(f"{SOCKET}: {error}; is openvswitch-switch.service running?") from error


def _receive(connection: socket.socket) -> dict[str, Any]:
    """Read one JSON text; the protocol has no other frame around a message."""
    received = b""
    while True:
        chunk = connection.recv(1 << 20)
        if not chunk:
            raise DeviceError(f"{SOCKET}: the server closed the connection within an answer; run again")
        received += chunk
        try:
            answer: dict[str, Any] = json.loads(received)
        except ValueError:
            continue
        return answer
