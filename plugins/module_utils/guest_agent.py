"""Run commands in machines through QEMU's guest agent (qemu-ga(8), QEMU Guest Agent Protocol Reference)."""

from __future__ import annotations

import json
import time
from typing import Any

Commands = dict[str, dict[str, list[str]]]
"""{domain: {name of the command: argv}}"""


def ask(connection: Any, commands: Commands, timeout_s: float) -> dict[str, dict[str, Any]]:
    """Run every command of every domain at once, after the machine has an IPv4 address.

    Returns {domain: {"addresses": [IPv4 address], "results": {name: exit code}}}. A machine that
    does not answer within `timeout_s` seconds is there with what is known of it, and no more.
    """
    deadline = time.monotonic() + timeout_s
    answers: dict[str, dict[str, Any]] = {name: {"addresses": [], "results": {}} for name in commands}
    waiting = dict.fromkeys(commands)
    running: list[tuple[str, str, int]] = []
    while (waiting or running) and time.monotonic() < deadline:
        for domain in list(waiting):
            addresses = _addresses(connection, domain)
            if addresses:
                del waiting[domain]
                answers[domain]["addresses"] = addresses
                running += [(domain, name, _start(connection, domain, argv)) for name, argv in commands[domain].items()]
        still_running = []
        for domain, name, pid in running:
            status = _command(connection, domain, "guest-exec-status", {"pid": pid})
            if status["exited"]:
                answers[domain]["results"][name] = status.get("exitcode", -1)
            else:
                still_running.append((domain, name, pid))
        running = still_running
        time.sleep(0.5)
    return answers


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
