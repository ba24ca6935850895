"""The driver `openvswitch` against a real Open vSwitch: what frames do, and a change that goes wrong never was."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from podwright.errors import DeviceError
from podwright.switches import ovsdb, ovsdb_session, transaction
from podwright.switches.converge import converge
from podwright.switches.driver import Driver, open_driver
from podwright.switches.ovsdb_session import OvsdbSession
from podwright.switches.state import Port, SwitchState, difference
from tests.devices.openvswitch import Switch, open_vswitch
from tests.devices.processes import eventually

FRAMES = Path(__file__).with_name("frames.py")
BEFORE = SwitchState(
    {10: "management", 101: "acme"},
    {
        "swp1": Port("trunk", frozenset({10, 101}), description="as it was", edge=True),
        "swp2": Port("access", untagged=101, edge=True),
    },
    4096,
)
AFTER = SwitchState(
    {10: "management", 102: "globex"},
    {
        "swp1": Port("trunk", frozenset({10}), untagged=102, description="wanted", edge=True, path_cost=2000),
        "swp3": Port("access", untagged=102, edge=True),
    },
    8192,
)


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    with pytest.MonkeyPatch.context() as patch, open_vswitch(tmp_path_factory.mktemp("ovs")) as running:
        patch.setattr(ovsdb_session, "PORT", running.database_port)
        yield running


@pytest.fixture(scope="module")
def observer(switch: Switch) -> Iterator[Driver]:
    """What shows how the switch is, past all that fails."""
    with closing(open_driver("openvswitch", switch.direct)) as driver:
        yield driver


@pytest.fixture
def driver(switch: Switch, observer: Driver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """The driver of a switch that is as BEFORE; a trial lasts for three seconds."""
    monkeypatch.setattr(transaction, "TRIAL_TIMEOUT_S", 3)
    monkeypatch.setattr(transaction, "PROBE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(ovsdb, "REPLY_TIMEOUT_S", 2)
    converge(observer, BEFORE)
    with closing(open_driver("openvswitch", replace(switch.access, probes=(switch.proxy.host,)))) as driver:
        yield driver
    switch.proxy.heal()


def tell(switch: Switch, act: str) -> None:
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.connect(str(switch.directory / "proxy.sock"))
        proxy.sendall(act.encode())
        proxy.recv(16)


def frames(switch: Switch, *sent: str) -> list[str]:
    """The ends at which frames come out, each sent as `END` or `END:VLAN`."""
    return switch.inside(sys.executable, "-I", "-S", str(FRAMES), *sent).splitlines()


def test_frames_go_where_the_state_says_and_nowhere_else(switch: Switch, driver: Driver) -> None:
    sent = ["h1:101", "h1:102", "h1:10", "h1", "h2", "h3"]
    assert eventually(lambda: frames(switch, "h1:101") == ["h2"], 5)
    assert frames(switch, *sent) == ["h2", "", "", "", "h1", ""]
    assert converge(driver, AFTER).observed == AFTER
    assert eventually(lambda: frames(switch, "h1") == ["h3"], 5)
    assert frames(switch, *sent) == ["", "h3", "", "h3", "", "h1"]


def test_ports_that_are_shut_do_not_even_reach_each_other(switch: Switch, driver: Driver) -> None:
    shut = {f"swp{n}": Port(mode, edge=True) for n, mode in ((1, "access"), (2, "access"), (3, "trunk"))}
    outcome = converge(driver, SwitchState({}, shut))
    assert outcome.observed.ports == shut
    assert outcome.astray == {}
    time.sleep(0.5)
    assert frames(switch, "h1", "h2", "h3", "h1:101", "h2:4095", "h3:4095") == [""] * 6


def test_second_run_changes_nothing_and_the_last_leaves_nothing(switch: Switch, driver: Driver) -> None:
    assert converge(driver, AFTER).observed == AFTER
    assert not converge(driver, AFTER).change
    nothing = SwitchState({}, {}, 0)
    assert converge(driver, nothing).observed == nothing
    assert switch.vsctl("list-ports", "br0") == ""
    assert switch.vsctl("get", "Bridge", "br0", "external_ids") == "{}\n"


def test_check_changes_nothing(driver: Driver) -> None:
    assert converge(driver, AFTER, dry_run=True).change
    assert driver.read() == BEFORE


def test_what_others_keep_in_the_same_columns_stays(switch: Switch, driver: Driver) -> None:
    switch.vsctl("set", "Bridge", "br0", "external_ids:owner=noc", "other_config:mac-aging-time=60")
    switch.vsctl("set", "Port", "swp1", "external_ids:cable=A7", "other_config:rstp-port-priority=16")
    converge(driver, AFTER)
    assert switch.vsctl("get", "Bridge", "br0", "external_ids:owner", "other_config:mac-aging-time") == 'noc\n"60"\n'
    assert switch.vsctl("get", "Port", "swp1", "external_ids:cable", "other_config:rstp-port-priority") == 'A7\n"16"\n'
    for row in (("Bridge", "br0", "external_ids", "owner"), ("Bridge", "br0", "other_config", "mac-aging-time")):
        switch.vsctl("remove", *row)


def test_tampering_with_a_port_is_drift(switch: Switch, driver: Driver) -> None:
    switch.vsctl("set", "Port", "swp2", "tag=10")
    assert list(converge(driver, BEFORE).change.ports) == ["swp2"]
    assert driver.read() == BEFORE


FAULTS = {
    "cut before the commit": ("commit_on_trial", "cut", "cannot change the database: "),
    "silent at the confirmation": ("confirm", "freeze", "the database did not answer within 2 s"),
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
    taken: Callable[..., None] = getattr(OvsdbSession, step)

    def goes_wrong(session: OvsdbSession, *arguments: int) -> None:
        tell(switch, act)
        taken(session, *arguments)

    monkeypatch.setattr(OvsdbSession, step, goes_wrong)
    with pytest.raises(DeviceError) as failure:
        converge(driver, AFTER)
    assert str(failure.value).startswith(f"127.0.0.1 port {switch.proxy.port}: ")
    assert told in str(failure.value)
    assert eventually(lambda: observer.read() == BEFORE, 15)
    monkeypatch.setattr(OvsdbSession, step, taken)
    switch.proxy.heal()
    assert eventually(lambda: changes(driver), 15), "the lock was left"
    assert observer.read() == AFTER


def changes(driver: Driver) -> bool:
    """Whether the switch takes the change now that all is well."""
    try:
        return bool(converge(driver, AFTER).change)
    except DeviceError as error:
        if "holds the lock" not in str(error):
            raise
        return False


def test_confirmed_change_stays_when_the_clock_runs_out(switch: Switch, driver: Driver) -> None:
    converge(driver, AFTER)
    time.sleep(3.5)
    assert driver.read() == AFTER


def test_change_on_trial_outlives_no_controller(switch: Switch, driver: Driver, observer: Driver) -> None:
    """Nobody is there to take it back but the process on the device, and meanwhile nobody builds on it."""
    session = OvsdbSession(switch.direct)
    session.lock()
    session.stage(driver.render(difference(BEFORE, AFTER), BEFORE))
    session.commit_on_trial(8)
    session.abandon()
    assert observer.read() == AFTER
    # Until the server has seen that the session is gone, the lock is what keeps others off.
    on_trial = "cannot lock the database: a change is on trial that its controller has not confirmed"
    assert eventually(lambda: on_trial in refusal(driver), 6)
    assert eventually(lambda: observer.read() == BEFORE, 12)
    assert switch.vsctl("get", "Bridge", "br0", "external_ids").count("podwright-trial") == 0


def refusal(driver: Driver) -> str:
    with pytest.raises(DeviceError) as refused:
        converge(driver, SwitchState({7: "other"}))
    return str(refused.value)


def test_lock_of_another_controller_is_told(switch: Switch, driver: Driver) -> None:
    with closing(OvsdbSession(switch.direct)) as other:
        other.lock()
        with pytest.raises(DeviceError, match="another controller holds the lock `podwright`; wait until whoever"):
            converge(driver, AFTER)
    assert eventually(lambda: changes(driver), 15)
    assert driver.read() == AFTER


def test_value_that_the_schema_forbids_is_told(driver: Driver) -> None:
    with pytest.raises(DeviceError, match=r"cannot change the database: constraint violation: .*4096"):
        converge(driver, SwitchState(ports={"swp1": Port("trunk", frozenset({4096}))}))
    assert driver.read() == BEFORE


def test_device_without_the_bridge_says_how_to_make_it(switch: Switch, driver: Driver) -> None:
    switch.vsctl("del-br", "br0")
    try:
        with pytest.raises(DeviceError, match="Open vSwitch has no bridge br0; make it there: `ovs-vsctl add-br br0`"):
            driver.read()
    finally:
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev")


def test_device_whose_database_does_not_listen_says_how_to_let_it(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused, closing(open_driver("openvswitch", switch.direct)) as driver:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(ovsdb_session, "PORT", unused.getsockname()[1])
        with pytest.raises(
            DeviceError, match=r"cannot log in: .*Connect failed.*; see whether .* `ovs-vsctl set-manager"
        ):
            driver.read()


def test_idle_session_is_kept_by_answering_the_probes_of_the_server(switch: Switch, driver: Driver) -> None:
    """It hangs up on who is silent for as long again as it has waited before it asked."""
    driver.read()
    switch.vsctl("set", "Manager", ".", "inactivity_probe=1000")
    time.sleep(2.5)
    assert driver.read() == BEFORE
    assert "inactivity" not in (switch.directory / "ovsdb.log").read_text()
