"""The relay before a server that shall pass for a Junos device: Junos' own operations as those of RFC 6241.

The store, the lock and the taking back of an unconfirmed commit are the server's. What differs from a Junos device: the
change on trial goes with the session too, and not by the clock alone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from failing_relay import FailingRelay, run  # it is beside this program

OPERATIONS = {
    rb"<commit-configuration><confirmed/><confirm-timeout>([0-9]+)</confirm-timeout></commit-configuration>": (
        lambda found: (
            b"<nc:commit><nc:confirmed/><nc:confirm-timeout>%d</nc:confirm-timeout></nc:commit>" % (int(found[1]) * 60)
        )
    ),
    rb"<commit-configuration */>": lambda _: b"<nc:commit/>",
    # What was committed before a change on trial is what cancelling it leads to; the commit that follows adds nothing.
    rb'<load-configuration rollback="1" */>': lambda _: b"<nc:cancel-commit/>",
}


class JunosRelay(FailingRelay):
    """A session with what passes for a Junos device."""

    def _translated(self, message: bytes) -> bytes:
        for junos, standard in OPERATIONS.items():
            message = re.sub(junos, standard, message)
        return message


if __name__ == "__main__":
    run(JunosRelay)
