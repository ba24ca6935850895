"""The driver `linux` against a real kernel's bridge: what frames do, and a change that goes wrong never was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from podwright.errors import DeviceError
from podwright.switches import ssh, ssh_shell, transaction
from podwright.switches.converge import converge
from podwright.switches.driver import Driver, open_driver
from podwright.switches.platforms import linux
from podwright.switches.state import Port, Share, SwitchState, difference
from tests.devices.linux_switch import INSIDE, Switch
from tests.devices.processes import eventually

ROOT = Path(__file__).parents[2]
FRAMES = Path(__file__).with_name("frames.py")
RATES = Path(__file__).with_name("rates.py")
TRIAL_S = 8
"""How long a trial lasts that goes wrong."""

BEFORE = SwitchState(
    {10: "management", **{vlan: f"acme{vlan}" for vlan in range(100, 111)}},
    {
        "vec1": Port("trunk", frozenset({10, *range(100, 111)}), description="as it was"),
        "vec2": Port("access", untagged=101),
    },
)
AFTER = SwitchState(
    {10: "management", 102: "globex"},
    {
        "vec1": Port("trunk", frozenset({10}), untagged=102, description="it's #1", share=Share(10, 10, 20)),
        "vec3": Port("access", untagged=102),
    },
)
NOTHING = SwitchState({}, {})


@pytest.fixture(scope="module")
def switch(linux_host: Switch) -> Switch:
    return linux_host


@pytest.fixture(scope="module")
def observer(switch: Switch) -> Iterator[Driver]:
    """What shows how the switch is, past all that fails."""
    with closing(open_driver("linux", switch.direct)) as driver:
        yield driver


@pytest.fixture
def driver(switch: Switch, observer: Driver) -> Iterator[Driver]:
    """The driver of a switch that is as BEFORE."""
    converge(observer, BEFORE)
    with closing(open_driver("linux", replace(switch.access, probes=(switch.proxy.host,)))) as driver:
        yield driver
    switch.proxy.heal()


@contextmanager
def impatience() -> Iterator[None]:
    """Trials are short, and patience is shorter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction, "TRIAL_TIMEOUT_S", TRIAL_S)
        patch.setattr(transaction, "PROBE_TIMEOUT_S", 0.5)
        patch.setattr(ssh_shell, "REPLY_TIMEOUT_S", 4)
        patch.setattr(ssh, "CONNECT_TIMEOUT_S", 4)
        yield


def frames(switch: Switch, *sent: str) -> list[str]:
    """The ends at which frames come out, each sent as `END` or `END:VLAN`."""
    return switch.inside(sys.executable, "-I", "-S", str(FRAMES), *sent).splitlines()


def test_frames_go_where_the_state_says_and_nowhere_else(switch: Switch, driver: Driver) -> None:
    sent = ["h1:101", "h1:102", "h1:10", "h1", "h2", "h3", "h2:102"]
    assert frames(switch, *sent) == ["h2", "", "", "", "h1", "", ""]
    outcome = converge(driver, AFTER)
    assert outcome.observed == AFTER
    assert outcome.astray == {}
    assert frames(switch, *sent) == ["", "h3", "", "h3", "", "h1", ""]


def test_ports_that_are_shut_do_not_even_reach_each_other(switch: Switch, driver: Driver) -> None:
    shut = {f"vec{n}": Port(mode) for n, mode in ((1, "access"), (2, "access"), (3, "trunk"))}
    outcome = converge(driver, SwitchState({}, shut))
    assert outcome.observed.ports == shut
    assert outcome.astray == {}
    assert frames(switch, "h1", "h2", "h3", "h1:101", "h2:4095", "h3:4095") == [""] * 6


def test_second_run_changes_nothing_and_the_last_leaves_nothing(switch: Switch, driver: Driver) -> None:
    assert converge(driver, AFTER, dry_run=True).change
    assert driver.read() == BEFORE
    assert converge(driver, AFTER).observed == AFTER
    assert not converge(driver, AFTER).change
    assert converge(driver, NOTHING).observed == NOTHING
    assert switch.on("ip link show master br0; bridge vlan show dev vec1") == "port              vlan-id  \n"


SHARED = SwitchState(
    {20: "storage", 101: "acme"},
    {
        "vec1": Port("trunk", frozenset({20})),
        "vec2": Port("trunk", frozenset({101})),
        "vec3": Port("trunk", frozenset({20, 101}), share=Share(20, 10, 20)),
    },
)
"""Storage behind vec1, guests behind vec2, and a hypervisor behind vec3 that both are sent to."""


def received(switch: Switch) -> dict[int, float]:
    """{VLAN: Mbit/s} at the hypervisor, of storage that sends 8 and guests that send 60; shown with `pytest -s`."""
    told = json.loads(switch.inside(sys.executable, "-I", "-S", str(RATES), "h3", "2", "h1/20:8", "h2/101:60"))
    print(told)  # noqa: T201  (with `pytest -s`)
    return {int(vlan): rate for vlan, rate in told.items()}


def test_storage_keeps_its_share_of_a_port_that_guests_flood(switch: Switch, driver: Driver) -> None:
    converge(driver, replace(SHARED, ports={**(SHARED.ports or {}), "vec3": Port("trunk", frozenset({20, 101}))}))
    switch.on("tc qdisc add dev vec3 root tbf rate 20mbit burst 10kb limit 75kb")  # what the link would carry
    assert received(switch)[20] < 0.85 * 8
    assert converge(driver, SHARED).observed == SHARED
    shared = received(switch)
    assert shared[20] == pytest.approx(8, rel=0.1)
    assert shared[101] == pytest.approx(12, rel=0.15)


def test_shares_are_mended_and_go(switch: Switch, driver: Driver) -> None:
    converge(driver, SHARED)
    switch.on("tc class change dev vec3 parent 7077:1 classid 7077:10 htb rate 1mbit")
    assert list(converge(driver, SHARED).change.ports) == ["vec3"]
    assert converge(driver, NOTHING).observed == NOTHING
    assert "htb" not in switch.on("tc qdisc show dev vec3")


DRIFT = {
    "VLANs": ("bridge vlan del dev vec1 vid 105; bridge vlan add dev vec2 vid 10", ["vec1", "vec2"]),
    "tags": (
        "bridge vlan add dev vec1 vid 105 untagged; bridge vlan add dev vec2 vid 10 pvid untagged",
        ["vec1", "vec2"],
    ),
    "ports": (
        "ip link set vec1 down; ip link set vec2 nomaster; ip link set vec3 master br0",
        ["vec1", "vec2", "vec3"],
    ),
}


@pytest.mark.parametrize(("act", "ports"), DRIFT.values(), ids=DRIFT.keys())
def test_tampering_is_found_and_mended(switch: Switch, driver: Driver, act: str, ports: list[str]) -> None:
    switch.on(act)
    assert list(converge(driver, BEFORE).change.ports) == ports
    assert driver.read() == BEFORE
    assert frames(switch, "h1:101", "h2", "h3") == ["h2", "h1", ""]


FAULTS = {
    "cut before the commit": ("commit_on_trial", "cut", "cannot change the configuration: "),
    "silent at the confirmation": ("confirm", "freeze", "cannot confirm the change: "),
    "no login after the commit": (
        "probe",
        "refuse",
        "that was after the change, which the device takes back by itself",
    ),
    "host unreachable after the commit": (
        "probe",
        "unplug",
        "did not answer any more; the device takes the change back",
    ),
}


@pytest.mark.parametrize(("step", "act", "told"), FAULTS.values(), ids=FAULTS.keys())
def test_change_that_goes_wrong_never_was(
    switch: Switch, driver: Driver, observer: Driver, monkeypatch: pytest.MonkeyPatch, step: str, act: str, told: str
) -> None:
    taken: Callable[..., None] = getattr(linux.Driver, step)

    def goes_wrong(session: linux.Driver, *arguments: int) -> None:
        switch.tell(act)
        taken(session, *arguments)

    monkeypatch.setattr(linux.Driver, step, goes_wrong)
    with impatience(), pytest.raises(DeviceError) as failure:
        converge(driver, AFTER)
    assert str(failure.value).startswith(f"127.0.0.1 port {switch.proxy.port}: ")
    assert told in str(failure.value)
    assert eventually(lambda: observer.read() == BEFORE, 30)
    assert frames(switch, "h1:101", "h3") == ["h2", ""]


def test_change_that_cuts_its_own_controller_off_goes_by_itself(
    switch: Switch, driver: Driver, observer: Driver
) -> None:
    """The controller comes in by VLAN 10 of a port of the switch itself, and takes that VLAN off the port."""
    way_in = replace(BEFORE, ports={**(BEFORE.ports or {}), "vec2": Port("access", untagged=10)})
    converge(driver, way_in)
    switch.on(
        "ip link add link br0 name br0.10 up type vlan id 10; bridge vlan add dev br0 vid 10 self;"
        f"ip address add {INSIDE}/24 dev br0.10"
    )
    with closing(open_driver("linux", switch.through_itself)) as inside:
        assert inside.read() == way_in
        with impatience(), pytest.raises(DeviceError, match=f"is taken back by itself within {TRIAL_S} s"):
            converge(inside, BEFORE)
        assert eventually(lambda: observer.read() == way_in, 30)
        assert inside.read() == way_in
    switch.on("ip link delete br0.10; bridge vlan del dev br0 vid 10 self")


def test_change_on_trial_outlives_no_controller(switch: Switch, driver: Driver, observer: Driver) -> None:
    """The controller is killed where it would have confirmed; meanwhile nobody builds on the change."""
    access = switch.direct
    body = f"""
import os
from pathlib import Path
from podwright.switches import transaction
from podwright.switches.access import Access
from podwright.switches.converge import converge
from podwright.switches.driver import open_driver
from podwright.switches.platforms import linux
from podwright.switches.state import SwitchState
transaction.TRIAL_TIMEOUT_S = {TRIAL_S}
linux.Driver.confirm = lambda driver: os.kill(os.getpid(), 9)
access = Access("127.0.0.1", {access.port}, "root",
                Path({str(access.key_file)!r}), Path({str(access.known_hosts_file)!r}))
converge(open_driver("linux", access), SwitchState({{7: "doomed"}}, {{}}))
"""
    done = subprocess.run([sys.executable, "-c", body], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert observer.read() == SwitchState({7: "doomed"}, {})
    with pytest.raises(DeviceError, match="its change is on trial and not confirmed"):
        converge(driver, AFTER)
    assert eventually(lambda: observer.read() == BEFORE, 30)
    assert converge(driver, AFTER).observed == AFTER


def test_lock_of_another_controller_is_told(switch: Switch, driver: Driver) -> None:
    with closing(linux.Driver(switch.direct)) as other:
        other.lock()
        with pytest.raises(DeviceError, match="another controller holds the lock /run/lock/podwright-switch"):
            converge(driver, AFTER)
    assert converge(driver, AFTER).observed == AFTER


def test_change_that_is_refused_midway_is_told_and_never_was(switch: Switch, driver: Driver) -> None:
    wanted = {**(BEFORE.ports or {}), "vec1": Port("trunk", frozenset({102})), "vec2": Port("access", untagged=4095)}
    with pytest.raises(DeviceError, match=r"cannot change the configuration: .*Vlan id is invalid. Command failed"):
        converge(driver, SwitchState(ports=wanted))
    assert driver.read() == BEFORE
    assert converge(driver, AFTER).observed == AFTER


def test_what_is_no_port_is_told_and_left_alone(driver: Driver) -> None:
    unfit = {"vec0": Port("access", untagged=10), "swp9": Port("access", untagged=10)}
    with pytest.raises(DeviceError) as refusal:
        converge(driver, SwitchState(ports={**(BEFORE.ports or {}), **unfit}))
    assert [line.partition(": ")[2] for line in str(refusal.value).splitlines()] == [
        "ports.swp9: the switch has no such port; it has vec0, vec1, vec2, vec3",
        "ports.vec0: on the switch it has the address 192.0.2.2; take that away there first",
    ]
    assert driver.read() == BEFORE


def test_bridge_that_forwards_more_than_it_is_told_is_no_switch(switch: Switch, driver: Driver) -> None:
    switch.on("ip link set br0 type bridge vlan_filtering 0 stp_state 1")
    try:
        with pytest.raises(
            DeviceError, match="vlan_filtering is 0, expected 1; stp_state is 1, expected 0; have networkd"
        ):
            driver.read()
    finally:
        switch.on("ip link set br0 type bridge vlan_filtering 1 stp_state 0")


def test_power_cut_keeps_what_was_saved_and_not_what_was_on_trial(
    switch: Switch, driver: Driver, observer: Driver
) -> None:
    converge(driver, AFTER)
    driver.close()
    with closing(linux.Driver(switch.direct)) as lost:
        lost.lock()
        lost.stage(lost.render(difference(AFTER, BEFORE), AFTER))
        lost.commit_on_trial(600)
        assert lost.read() == BEFORE
    observer.close()
    switch.lose_power()
    switch.power_on()
    assert observer.read() == AFTER
    assert frames(switch, "h1:101", "h1", "h3", "h2") == ["", "h3", "h1", ""]
    assert not converge(observer, AFTER).change
    assert converge(observer, BEFORE).observed == BEFORE
