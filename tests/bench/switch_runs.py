"""`make bench`: what a run costs on pod switches that run: nothing to change, and one VLAN more on all of them.

The servers are those of `tests/devices`, which this starts and ends: NETCONF with the lab's modules behind sshd, and
the simulator of a command line, which takes seconds itself for what a switch does at once. All have the same
configuration of 24 ports and 30 VLANs. A run is what the task of the role `pod_switch` does for each host: log in,
read, compare, change on trial, probe, read back, confirm.
Beside it is a login alone, to the same servers in the same run: nothing on a switch can cost less.

The processor seconds are those of the controller; the wall is that of a machine that is all of the switches too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from podwright.switches.access import Access
from podwright.switches.converge import converge
from podwright.switches.driver import find_platform, open_driver
from podwright.switches.ssh import connect
from podwright.switches.state import SwitchState
from tests.bench.costs import heading, row
from tests.bench.switches import SHAPES, made_switches
from tests.devices.cli_switch import cli_switch
from tests.devices.netconf_server import netconf_server

AT_ONCE = 10
"""Switches that are spoken to at a time"""

NEW_VLAN = 999


class Server(Protocol):
    """A server of tests/devices."""

    @property
    def access(self) -> Access:
        """How to log in to it."""


class Fleet(NamedTuple):
    """Switches of a platform."""

    platform: str
    size: int
    empty: bool
    """whether its switches have no configuration when they start, or that of the bench"""
    start: Callable[[Path], AbstractContextManager[Server]]


def main() -> None:
    """Measure each platform."""
    for fleet in (
        Fleet("openconfig_netconf", 40, True, netconf_server),
        Fleet("eos", 4, False, lambda directory: cli_switch("eos", directory, _configuration("eos"))),
    ):
        _measure(fleet)


def _measure(fleet: Fleet) -> None:
    heading(f"{fleet.size} switches of platform {fleet.platform}", "CPU ms each", "wall s, all", "ratio of CPU")
    before = _state(fleet.platform)
    with _started(fleet) as switches:
        _log_in(switches[0])  # what is imported for it shall not count
        login_s = _row("a login alone", switches, _log_in, 0)
        if fleet.empty:
            _row("first deployment", switches, partial(_run, fleet.platform, before, True), login_s)
        _row("nothing to change", switches, partial(_run, fleet.platform, before, False), login_s)
        _row("one VLAN more", switches, partial(_run, fleet.platform, _with_new_vlan(before), True), login_s)


@contextmanager
def _started(fleet: Fleet) -> Iterator[list[Access]]:
    """The switches; they start and end side by side, for each takes its time to end."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(AT_ONCE) as threads:
        places = [Path(directory, str(number)) for number in range(fleet.size)]
        for place in places:
            place.mkdir()
        servers = [fleet.start(place) for place in places]
        running = [threads.submit(server.__enter__) for server in servers]
        try:
            yield [each.result().access for each in running]
        finally:
            up = [server for server, each in zip(servers, running, strict=True) if each.exception() is None]
            list(threads.map(lambda server: server.__exit__(None, None, None), up))


def _row(what: str, switches: Sequence[Access], act: Callable[[Access], None], login_s: float) -> float:
    """Do something to all switches and print a line; the processor seconds for each of them."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(act, switches))
    wall_s, cpu_s = time.perf_counter() - wall_s, (time.process_time() - cpu_s) / len(switches)
    row(what, f"{cpu_s * 1000:.0f}", f"{wall_s:.1f}", f"{cpu_s / login_s:.1f}" if login_s else "1.0")
    return cpu_s


def _log_in(access: Access) -> None:
    with closing(connect(access)):
        pass


def _run(platform: str, desired: SwitchState, changes: bool, access: Access) -> None:
    with closing(open_driver(platform, access)) as driver:
        outcome = converge(driver, desired)
    assert outcome.observed == desired
    assert bool(outcome.change) is changes


def _state(platform: str) -> SwitchState:
    return next(made_switches(platform, *SHAPES[0]))


def _with_new_vlan(state: SwitchState) -> SwitchState:
    """A guest network more, behind three ports: a machine's hypervisor, its routing appliance's, the other switch."""
    assert state.vlans is not None
    assert state.ports is not None
    behind = dict(list(state.ports.items())[:3])
    ports = {name: replace(port, tagged=port.tagged | {NEW_VLAN}) for name, port in behind.items()}
    return replace(state, vlans={**state.vlans, NEW_VLAN: "initech-default"}, ports={**state.ports, **ports})


def _configuration(platform: str) -> str:
    return find_platform(platform).configuration(_state(platform))


if __name__ == "__main__":
    main()
