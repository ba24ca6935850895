"""Run commands in machines through QEMU's guest agent (qemu-ga(8), QEMU Guest Agent Protocol Reference)."""

from __future__ import annotations

import json
import time
from typing import Any

_POLL_S = 0.5
# A machine that is asked for more at a time than its processor can do answers late, as if a network were slow.
_AT_ONCE = 12
_KILLED = -1  # no exit code: the command was ended by a signal

Commands = dict[str, dict[str, list[str]]]
"""{domain: {name of the command: argv}}"""


def wait_for_addresses(connection: Any, domains: list[str], timeout_s: float) -> dict[str, list[str]]:
    """Wait until every machine holds an IPv4 address, `timeout_s` seconds at most.

    Returns {domain: [IPv4 address]}, empty for a machine that has none or whose agent does not answer.
    """
    deadline = time.monotonic() + timeout_s
    addresses = {domain: _addresses(connection, domain) for domain in domains}
    while not all(addresses.values()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        addresses |= {domain: _addresses(connection, domain) for domain, found in addresses.items() if not found}
    return addresses


def run_all(connection: Any, commands: Commands, timeout_s: float) -> dict[str, dict[str, int]]:
    """Run the commands of all machines side by side, up to twelve of a machine at a time, in their order.

    Returns {domain: {name of the command: exit code}}, without those that did not end within `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    codes: dict[str, dict[str, int]] = {domain: {} for domain in commands}
    waiting = {domain: list(named.items()) for domain, named in commands.items()}
    running: dict[str, dict[str, int]] = {domain: {} for domain in commands}
    while time.monotonic() < deadline:
        for domain, pids in running.items():
            while waiting[domain] and len(pids) < _AT_ONCE:
                name, argv = waiting[domain].pop(0)
                pids[name] = _start(connection, domain, argv)
        if not any(running.values()):
            break
        time.sleep(_POLL_S)
        for domain, pids in running.items():
            for name, pid in list(pids.items()):
                status = _command(connection, domain, "guest-exec-status", {"pid": pid})
                if status["exited"]:
                    del pids[name]
                    codes[domain][name] = status.get("exitcode", _KILLED)
    return codes


def _addresses(connection: Any, domain: str) -> list[str]:
    """IPv4 addresses of a machine, none while its agent does not answer."""
    import libvirt

    try:
        interfaces = _command(connection, domain, "guest-network-get-interfaces", {})
    except libvirt.libvirtError:
        return []
    return sorted(
        address["ip-address"]
        for interface in interfaces
        for address in interface.get("ip-addresses", [])
        if address["ip-address-type"] == "ipv4" and interface["name"] != "lo"
    )


def _start(connection: Any, domain: str, argv: list[str]) -> int:
    arguments = {"path": argv[0], "arg": argv[1:], "capture-output": False}
    return int(_command(connection, domain, "guest-exec", arguments)["pid"])


def _command(connection: Any, domain: str, execute: str, arguments: dict[str, Any]) -> Any:
    import libvirt_qemu

    request = json.dumps({"execute": execute, "arguments": arguments})
    reply = libvirt_qemu.qemuAgentCommand(connection.lookupByName(domain), request, 5, 0)
    return json.loads(reply)["return"]
