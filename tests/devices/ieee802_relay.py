"""The relay before a server that shall pass for a VLAN bridge: answers to <get> say the numbers of its ports.

netconfd can be given state only by libraries written in C. The number of `swp3` is 103, so that no number is that in a
name; that of the bridge's own port is 1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from failing_relay import FailingRelay, _message_id, run  # it is beside this program

GET = re.compile(rb"<(\w+:)?get[ />]")
PORT = re.compile(rb"<name>(?:swp([0-9]+)|cpu)</name>(?:(?!</interface>).)*?<bridge-port[^>]*>", re.DOTALL)


class Ieee802Relay(FailingRelay):
    """A session with what passes for a VLAN bridge."""

    _asked: frozenset[bytes] = frozenset()
    """message-ids of every <get>"""

    def _translated(self, message: bytes) -> bytes:
        if GET.search(message):
            self._asked |= {_message_id(message)}
        return message

    def _completed(self, message: bytes) -> bytes:
        return PORT.sub(_with_number, message) if _message_id(message) in self._asked else message


def _with_number(found: re.Match[bytes]) -> bytes:
    number = 100 + int(found[1]) if found[1] else 1
    return b"%s<port-number>%d</port-number>" % (found[0], number)


if __name__ == "__main__":
    run(Ieee802Relay)
