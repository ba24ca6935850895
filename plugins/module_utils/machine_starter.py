"""Start the machines that did not come back with their hypervisor, as soon as their storage answers.

libvirt starts machines when it starts itself, and tries each of them once. After a power cut hypervisors and storage
servers boot together, and a machine whose disk cannot be opened yet stays off. systemd runs this program at every
boot; it goes on until no machine is left that waits, and needs no controller.

The program stands alone, with nothing but libvirt's library: `machine_starter_unit` puts this very file on hypervisors.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

URI = "qemu:///system"
NAMESPACE = "urn:podwright:machine:1"
"""Of the mark that podwright's domains carry in their metadata."""

DIRECTORY = Path("/run/podwright")
"""What is in here is of this boot, as machines that wait are."""

_PAUSE_S = 5


class Seen(NamedTuple):
    """A machine of this host."""

    autostart: bool
    running: bool
    switched_off: bool
    """It ran and was shut down since libvirt started, which remembers why until then."""


def main() -> None:
    """Try until no machine waits any more. What libvirt has against all of it ends us, and systemd starts us again."""
    told: list[str] | None = None
    while (waiting := _try_each()) != []:
        if waiting != told:
            _say(f"off, and tried again every {_PAUSE_S} s: {', '.join(waiting)}; libvirt's journal says why")
            told = waiting
        time.sleep(_PAUSE_S)
    _say("every machine that starts with this host has come back, or was switched off since")


def still_waiting(waiting: Iterable[str] | None, seen: Mapping[str, Seen]) -> list[str]:
    """Pick the machines that have yet to come back.

    Args:
        waiting: UUIDs of those that had to before; None in the first round of a boot, when all have. A machine that ran
            since, or was switched off, or is not started with the host any more, has not: it is somebody's affair.
        seen: {UUID: podwright's machine}.
    """
    candidates = seen if waiting is None else set(waiting) & set(seen)
    off = (uuid for uuid in candidates if not seen[uuid].running and not seen[uuid].switched_off)
    return sorted(uuid for uuid in off if seen[uuid].autostart)


@contextmanager
def alone() -> Iterator[None]:
    """Keep this program and the module `machines` from handling machines at the same time."""
    DIRECTORY.mkdir(exist_ok=True)
    descriptor = os.open(DIRECTORY, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _try_each() -> list[str]:
    """Try to start each machine that waits; the names of those that still do."""
    import libvirt

    libvirt.registerErrorHandler(lambda *_: None, None)
    with closing(libvirt.open(URI)) as connection:
        for uuid in _waiting(connection):
            with alone():
                domain = _waiting(connection).get(uuid)  # as things stand, now that nobody else handles machines
                if domain is not None:
                    _start(domain)
        return sorted(domain.name() for domain in _waiting(connection).values())


def _start(domain: Any) -> None:
    import libvirt

    with suppress(libvirt.libvirtError):  # libvirt has written why to its journal
        domain.create()
        _say(f"{domain.name()}: started")


def _waiting(connection: Any) -> dict[str, Any]:
    """The machines that wait, {UUID: domain}; they are remembered until the next boot."""
    domains = {domain.UUIDString(): domain for domain in connection.listAllDomains() if _is_ours(domain)}
    file = DIRECTORY / "waiting-machines"
    remembered = file.read_text().split() if file.exists() else None
    waiting = still_waiting(remembered, {uuid: _see(domain) for uuid, domain in domains.items()})
    if waiting != remembered:
        DIRECTORY.mkdir(exist_ok=True)
        beside = file.with_name(f".{file.name}")
        beside.write_text("".join(f"{uuid}\n" for uuid in waiting))
        beside.replace(file)
    return {uuid: domains[uuid] for uuid in waiting}


def _is_ours(domain: Any) -> bool:
    import libvirt

    try:
        domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE)
    except libvirt.libvirtError as error:
        if error.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_NO_DOMAIN):
            return False
        raise
    return True


def _see(domain: Any) -> Seen:
    import libvirt

    state, reason = domain.state()
    off = state == libvirt.VIR_DOMAIN_SHUTOFF
    starting = (state, reason) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
    never_ran = (libvirt.VIR_DOMAIN_SHUTOFF_UNKNOWN, libvirt.VIR_DOMAIN_SHUTOFF_FAILED)
    return Seen(bool(domain.autostart()), not (off or starting), off and reason not in never_ran)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
