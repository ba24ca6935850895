"""The NETCONF subsystem of the lab's pod switch: netconfd, and in every answer to <get> what Open vSwitch forwards.

netconfd keeps configuration; it can be given state only by libraries written in
C. So this process stands between sshd and netconfd's own subsystem, passes
every message on as it is, and completes the answers to <get> with the `state`
containers of the OpenConfig modules, read from Open vSwitch at that moment.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

NETCONF = "urn:ietf:params:xml:ns:netconf:base:1.0"
INTERFACES = "http://openconfig.net/yang/interfaces"
ETHERNET = "http://openconfig.net/yang/interfaces/ethernet"
VLAN = "http://openconfig.net/yang/vlan"
SPANNING_TREE = "http://openconfig.net/yang/spanning-tree"
SPANNING_TREE_TYPES = "http://openconfig.net/yang/spanning-tree/types"

# RFC 6242 section 4.2 and 4.3.
END_OF_MESSAGE = b"]]>]]>"
CHUNK = re.compile(rb"\n#([1-9][0-9]{0,9})\n")
END_OF_CHUNKS = b"\n##\n"

# netconfd never answers a request in chunks that it reads together with the client's hello.
HELLO_S = 0.2

BRIDGE = "br0"
# Open vSwitch has IEEE 802.1Q's names (ovs-vswitchd.conf.db(5), rstp_status), OpenConfig those of 802.1D.
PORT_STATES = {"Discarding": "BLOCKING", "Learning": "LEARNING", "Forwarding": "FORWARDING", "Disabled": "DISABLED"}


def main() -> None:
    """Relay until either side hangs up."""
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            Relay(server.stdin.fileno(), server.stdout.fileno()).run()
        finally:
            server.terminate()


class Framing:
    """One direction of a session: bytes in, messages out (RFC 6242 section 4)."""

    def __init__(self) -> None:
        self.chunked = False
        self._buffer = b""

    def messages(self, data: bytes) -> Iterator[bytes]:
        """The messages that `data` completes; set `chunked` between two of them when the session changes over."""
        self._buffer += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> bytes | None:
        if not self.chunked:
            message, end, rest = self._buffer.partition(END_OF_MESSAGE)
            if not end:
                return None
            self._buffer = rest
            return message
        parts, at = [], 0
        while chunk := CHUNK.match(self._buffer, at):
            at = chunk.end() + int(chunk[1])
            parts.append(self._buffer[chunk.end() : at])
        if not self._buffer.startswith(END_OF_CHUNKS, at):
            return None
        self._buffer = self._buffer[at + len(END_OF_CHUNKS) :]
        return b"".join(parts)

    def frame(self, message: bytes) -> bytes:
        """A message as it is sent."""
        return b"\n#%d\n%s%s" % (len(message), message, END_OF_CHUNKS) if self.chunked else message + END_OF_MESSAGE


def is_hello(message: bytes) -> bool:
    """Whether a message is the first of a side (RFC 6241 section 8.1)."""
    return re.search(rb"<(\w+:)?hello\b", message) is not None


class Relay:
    """A session between a client on standard input and output, and the server."""

    def __init__(self, to_server: int, from_server: int) -> None:
        self._to_server, self._from_server = to_server, from_server
        self._requests, self._replies = Framing(), Framing()
        self._hellos: list[bytes] = []
        self._gets: dict[str | None, Any] = {}
        """{message-id of a <get>: the request}"""

    def run(self) -> None:
        """Pass messages on in both directions."""
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ, self._from_client)
            selector.register(self._from_server, selectors.EVENT_READ, self._from_netconfd)
            while True:
                for key, _ in selector.select():
                    data = os.read(key.fd, 65536)
                    if not data:
                        return
                    key.data(data)

    def _from_client(self, data: bytes) -> None:
        for message in self._requests.messages(data):
            if b"get" in message:
                self._note(message)
            send(self._to_server, self._requests.frame(message))
            if not self._requests.chunked and is_hello(message):
                time.sleep(HELLO_S)
            self._greeted(message)

    def _from_netconfd(self, data: bytes) -> None:
        for message in self._replies.messages(data):
            send(1, self._replies.frame(self._completed(message)))
            self._greeted(message)

    def _greeted(self, message: bytes) -> None:
        """After both hellos, messages are chunked if both sides can (RFC 6242 section 4.1)."""
        if len(self._hellos) < 2:
            self._hellos.append(message)
            if len(self._hellos) == 2:
                chunked = all(b"urn:ietf:params:netconf:base:1.1" in hello for hello in self._hellos)
                self._requests.chunked = self._replies.chunked = chunked

    def _note(self, message: bytes) -> None:
        """Remember a <get>, by what its reply will be known."""
        from lxml import etree

        request = etree.fromstring(message.strip())
        if request.find(f"{{{NETCONF}}}get") is not None:
            self._gets[request.get("message-id")] = request

    def _completed(self, message: bytes) -> bytes:
        """A reply, with state if it answers a <get>."""
        if not self._gets or b"rpc-reply" not in message:
            return message
        from lxml import etree

        reply = etree.fromstring(message.strip())
        request = self._gets.pop(reply.get("message-id"), None)
        data = reply.find(f"{{{NETCONF}}}data")
        if request is None or data is None:
            return message
        selected = request.find(f"{{{NETCONF}}}get/{{{NETCONF}}}filter")
        add_state(data, None if selected is None else {child.tag for child in selected}, forwarding())
        return bytes(etree.tostring(reply))


def send(fd: int, data: bytes) -> None:
    """Write all of `data`."""
    while data:
        data = data[os.write(fd, data) :]


def forwarding() -> dict[str, dict[str, Any]]:
    """What Open vSwitch forwards: {port: its columns of table Port, and the link_state of its interface}."""
    command = ["ovs-vsctl", "--format=json", "--columns=name,tag,trunks,rstp_status", "list", "Port"]
    command += ["--", "--columns=name,link_state", "list", "Interface"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    ports, interfaces = (
        {row["name"]: row for row in rows(json.loads(line))} for line in done.stdout.splitlines() if line
    )
    return {
        name: port | {"link_state": interfaces.get(name, {}).get("link_state")}
        for name, port in sorted(ports.items())
        if name != BRIDGE
    }


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of a table in ovs-vsctl's JSON; a set as a list, a map as a mapping (RFC 7047 section 5.1)."""
    return [{name: plain(value) for name, value in zip(table["headings"], row, strict=True)} for row in table["data"]]


def plain(value: Any) -> Any:
    """A value of OVSDB without its type; a set of one has none, so a column of a set may hold a bare value."""
    if isinstance(value, list):
        return dict(value[1]) if value[0] == "map" else value[1]
    return value


def add_state(data: Any, selected: set[str] | None, ports: dict[str, dict[str, Any]]) -> None:
    """Add the state of `ports` to the top-level containers that a filter selects; None selects all."""
    if selected is None or f"{{{INTERFACES}}}interfaces" in selected:
        for name, port in ports.items():
            interface = entry(child(data, INTERFACES, "interfaces"), INTERFACES, name)
            status = child(child(interface, INTERFACES, "state"), INTERFACES, "oper-status")
            status.text = "UP" if port["link_state"] == "up" else "DOWN"
            switched = child(child(interface, ETHERNET, "ethernet"), VLAN, "switched-vlan")
            for tag, text in membership(port):
                leaf(child(switched, VLAN, "state"), VLAN, tag, text)
    if selected is None or f"{{{SPANNING_TREE}}}stp" in selected:
        for name, port in ports.items():
            rstp = child(child(data, SPANNING_TREE, "stp"), SPANNING_TREE, "rstp")
            interface = entry(child(rstp, SPANNING_TREE, "interfaces"), SPANNING_TREE, name)
            state = PORT_STATES.get(port["rstp_status"].get("rstp_port_state"), "DISABLED")
            identity = leaf(child(interface, SPANNING_TREE, "state"), SPANNING_TREE, "port-state", "", types=True)
            identity.text = f"oc-stp-types:{state}"


def membership(port: dict[str, Any]) -> list[tuple[str, str]]:
    """The leaves of a port's `switched-vlan/state`."""
    tag, trunks = as_list(port["tag"]), as_list(port["trunks"])
    if tag and not trunks:
        return [("interface-mode", "ACCESS"), ("access-vlan", str(tag[0]))]
    leaves = [("interface-mode", "TRUNK")]
    leaves += [("native-vlan", str(vlan)) for vlan in tag]
    return leaves + [("trunk-vlans", str(vlan)) for vlan in sorted(trunks)]


def as_list(column: Any) -> list[Any]:
    """A column that holds a set."""
    return column if isinstance(column, list) else [column]


def entry(parent: Any, namespace: str, name: str) -> Any:
    """The `interface` of that name in a list, made if it is not there."""
    for found in parent.iterfind(f"{{{namespace}}}interface"):
        if found.findtext(f"{{{namespace}}}name") == name:
            return found
    made = leaf(parent, namespace, "interface", None)
    leaf(made, namespace, "name", name)
    return made


def child(parent: Any, namespace: str, tag: str) -> Any:
    """A container in its parent, made if it is not there."""
    found = parent.find(f"{{{namespace}}}{tag}")
    return leaf(parent, namespace, tag, None) if found is None else found


def leaf(parent: Any, namespace: str, tag: str, text: str | None, *, types: bool = False) -> Any:
    """A new element at the end of its parent."""
    from lxml import etree

    prefixes: Any = {None: namespace}
    if types:
        prefixes["oc-stp-types"] = SPANNING_TREE_TYPES
    made = etree.SubElement(parent, f"{{{namespace}}}{tag}", nsmap=prefixes)
    made.text = text
    return made


if __name__ == "__main__":
    main()
