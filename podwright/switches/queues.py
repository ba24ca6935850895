"""What ports of a Linux host keep for a VLAN: the kernel's queues, made and read by tc(8), as hypervisors have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import link_share

from podwright.switches.state import Share

TELL = f"""\
text() {{ sed 's/["\\\\]/\\\\&/g; s/$/\\\\n/' | tr -d '\\n'; }}
comma=
echo '['
for port in $(tc qdisc show | sed -n 's/^qdisc htb {link_share.HANDLE} dev \\([^ ]*\\) root.*/\\1/p'); do
  printf '%s{{"ifname":"%s","classes":"%s","filters":"%s"}}' "$comma" "$port" \\
    "$(tc class show dev $port | text)" "$(tc filter show dev $port | text)"
  comma=,
done
echo ']'
"""
"""A shell script that prints podwright's queues as JSON; the tc(8) of Debian 12 has none for classes."""

_NOT_WHOLE = Share(0, 0, 0)
"""Queues that are not as podwright makes them: no state has it, so that they differ from all"""


def share_of(told: Mapping[str, Any]) -> Share:
    """The share that a row of what `TELL` prints comes to."""
    whole = link_share.parse(told["classes"], told["filters"])
    return Share(**whole) if whole else _NOT_WHOLE


def lines(port: str, old: Share | None, new: Share | None) -> Iterator[str]:
    """What tc(8) is told, in a batch, of a port whose share changes."""
    if old == new:
        return
    # Whatever queues there are, if any: one that is there cannot be added, and one that is not cannot be deleted.
    yield f"qdisc replace dev {port} root handle 1: pfifo"
    yield f"qdisc delete dev {port} root"
    if new is not None:
        yield from link_share.commands(port, new._asdict(), None)
