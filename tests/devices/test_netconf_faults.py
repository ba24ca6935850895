"""Whatever goes wrong amid a change, the switch is as it was, and the message says what happened and what to do."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from podwright.errors import DeviceError
from podwright.switches import netconf, transaction
from podwright.switches.access import Access
from podwright.switches.converge import converge
from podwright.switches.driver import Driver, open_driver
from podwright.switches.netconf import Session
from podwright.switches.state import Change, Port, SwitchState, difference
from tests.devices.netconf_server import (
    IEEE802,
    OPENCONFIG,
    ROOT,
    Fault,
    Flavour,
    NetconfServer,
    netconf_server,
)
from tests.devices.processes import eventually

BEFORE = SwitchState({10: "management"}, {"swp1": Port("trunk", frozenset({10}), description="as it was")}, 4096)
AFTER = SwitchState(
    {10: "management", 101: "acme"}, {"swp1": Port("trunk", frozenset({10, 101}), description="wanted")}, 8192
)
EDIT, TRIAL, CONFIRM = r"<nc:edit-config", r"<nc:confirmed", r"<nc:commit */>"


REJECTED = {"openconfig_netconf": "vlan-id", "ietf_netconf": "vid"}
"""The leaf that an id of a VLAN is, by platform"""


def driver_of(server: NetconfServer, access: Access | None = None) -> Driver:
    return open_driver(server.flavour.platform, access or server.access)


def payload_of(server: NetconfServer, change: Change) -> str:
    """What makes a change of BEFORE, to a switch that was read."""
    with closing(driver_of(server, server.direct)) as driver:
        return driver.render(change, driver.read())


@pytest.fixture(scope="module", params=[OPENCONFIG, IEEE802], ids=lambda flavour: flavour.platform)
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetconfServer]:
    with netconf_server(tmp_path_factory.mktemp(request.param.platform), request.param) as server:
        yield server


@pytest.fixture(scope="module")
def observer(started: NetconfServer) -> Iterator[Driver]:
    """What shows how the switch is, past all that fails."""
    with closing(driver_of(started, started.direct)) as driver:
        yield driver


@pytest.fixture
def server(started: NetconfServer, observer: Driver, monkeypatch: pytest.MonkeyPatch) -> Iterator[NetconfServer]:
    """A switch that is as BEFORE; one that is silent for two seconds is silent, and a trial lasts for six."""
    converge(observer, BEFORE)
    monkeypatch.setattr(netconf, "REPLY_TIMEOUT_S", 2)
    monkeypatch.setattr(transaction, "TRIAL_TIMEOUT_S", 6)
    monkeypatch.setattr(transaction, "PROBE_TIMEOUT_S", 0.5)
    yield started
    started.disarm()


DROPPED = "the switch ended the session; see whether the switch is up, and what its log says"
SILENT = "the switch did not answer within 2 s with anything that is NETCONF; see whether the switch is up"
ON_TRIAL = "a change that reached the switch all the same is taken back by itself within 6 s"
UNKNOWN = (
    "the switch keeps the change if the confirmation reached it, else it takes the change back by itself within 6 s"
)
TAKEN_BACK = "that was after the change, which the device takes back by itself"
FAULTS = {
    "cut before the edit": ([Fault(EDIT, "request", "cut")], [DROPPED]),
    "cut after the commit": ([Fault(TRIAL, "reply", "cut")], [DROPPED, ON_TRIAL]),
    "cut before the confirmation": (
        [Fault(CONFIRM, "request", "cut")],
        ["cannot confirm the change", DROPPED, UNKNOWN],
    ),
    "silent after the commit": ([Fault(TRIAL, "reply", "freeze")], [SILENT, ON_TRIAL]),
    "silent at the confirmation": ([Fault(CONFIRM, "request", "freeze")], ["cannot confirm", SILENT, UNKNOWN]),
    "no login after the commit": ([Fault(TRIAL, "reply", "refuse")], ["cannot log in", TAKEN_BACK]),
    "nothing more after the commit": (
        [Fault(TRIAL, "reply", "refuse"), Fault("<nc:cancel-commit", "request", "freeze")],
        ["cannot log in", TAKEN_BACK],
    ),
    "half an answer to the commit": ([Fault(TRIAL, "reply", "half")], [DROPPED, ON_TRIAL]),
    "nonsense for the commit": ([Fault(TRIAL, "reply", "nonsense")], [SILENT, ON_TRIAL]),
    "another thing kept": (
        [Fault(EDIT, "request", "bend")],
        ["the switch said ok and kept something else: swp1 differ when read back; the change is taken back"],
    ),
    "host unreachable after the commit": (
        [Fault(TRIAL, "reply", "unplug")],
        ["after the change 127.0.0.1:", "did not answer any more; the device takes the change back"],
    ),
}


@pytest.mark.parametrize(("faults", "told"), FAULTS.values(), ids=FAULTS.keys())
def test_change_that_goes_wrong_never_was(
    server: NetconfServer, observer: Driver, faults: list[Fault], told: list[str]
) -> None:
    with closing(driver_of(server, replace(server.access, probes=(server.proxy.host,)))) as driver:
        server.arm(*faults)
        with pytest.raises(DeviceError) as failure:
            converge(driver, AFTER)
        assert not server.armed
        assert str(failure.value).startswith(f"127.0.0.1 port {server.proxy.port}: ")
        assert [text for text in told if text not in str(failure.value)] == []
        assert eventually(lambda: observer.read() == BEFORE, 15)
        server.disarm()
        assert eventually(lambda: changes(driver), 15), "the lock was left"
        assert observer.read() == AFTER


def changes(driver: Driver) -> bool:
    """Whether the switch takes the change now that all is well."""
    try:
        return bool(converge(driver, AFTER).change)
    except DeviceError as error:
        if "locked by session" not in str(error):
            raise
        return False


def test_confirmation_whose_answer_is_lost_is_no_success(server: NetconfServer, observer: Driver) -> None:
    with closing(driver_of(server)) as driver:
        server.arm(Fault(CONFIRM, "reply", "cut"))
        with pytest.raises(DeviceError, match=UNKNOWN):
            converge(driver, AFTER)
        assert observer.read() == AFTER
        assert not converge(driver, AFTER).change


def test_session_that_is_lost_where_the_change_is_read_back_leaves_nothing(
    server: NetconfServer, observer: Driver
) -> None:
    with closing(driver_of(server)) as driver:
        driver.read()
        server.arm(Fault("<nc:get-config", "request", "cut"))
        with pytest.raises(DeviceError, match=f"cannot read the running configuration: .*{TAKEN_BACK}"):
            driver.apply(difference(BEFORE, AFTER), BEFORE)
        assert eventually(lambda: observer.read() == BEFORE, 15)


def test_reading_that_goes_wrong_is_told_and_the_next_works(server: NetconfServer) -> None:
    with closing(driver_of(server)) as driver:
        server.arm(Fault("<nc:get-config", "reply", "half"))
        with pytest.raises(DeviceError, match="cannot read the running configuration: the switch ended the session"):
            driver.read()
        assert driver.read() == BEFORE


def test_host_that_did_not_answer_before_either_is_not_missed(server: NetconfServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        probes = (f"127.0.0.1:{unused.getsockname()[1]}", server.proxy.host)
        with closing(driver_of(server, replace(server.access, probes=probes))) as driver:
            assert converge(driver, AFTER).observed == AFTER


def test_change_that_is_proved_too_late_is_taken_back(
    server: NetconfServer, observer: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "TRIAL_TIMEOUT_S", 1)
    slow = Session.probe

    def probe(session: Session) -> None:
        time.sleep(1.5)
        slow(session)

    monkeypatch.setattr(Session, "probe", probe)
    with (
        closing(driver_of(server)) as driver,
        pytest.raises(DeviceError, match="longer than the 1 s after which"),
    ):
        converge(driver, AFTER)
    assert observer.read() == BEFORE


def test_change_that_nobody_confirms_is_taken_back(server: NetconfServer, observer: Driver) -> None:
    session = Session(server.access)
    with closing(session):
        session.lock()
        session.stage(payload_of(server, difference(BEFORE, AFTER)))
        session.commit_on_trial(1)
        assert observer.read() == AFTER
        time.sleep(2.5)  # netconfd looks at its timers once it has had nothing to do for a second
        assert observer.read() == BEFORE


def test_change_of_a_controller_that_dies_is_taken_back(server: NetconfServer, observer: Driver) -> None:
    """Killed where it would have confirmed."""
    body = f"""
import os
from pathlib import Path
from podwright.switches.access import Access
from podwright.switches.converge import converge
from podwright.switches.driver import open_driver
from podwright.switches.netconf import Session
from podwright.switches.state import SwitchState
Session.confirm = lambda session: os.kill(os.getpid(), 9)
access = Access("127.0.0.1", {server.port}, {server.access.user!r},
                Path({str(server.access.key_file)!r}), Path({str(server.access.known_hosts_file)!r}))
converge(open_driver({server.flavour.platform!r}, access), SwitchState({{7: "doomed"}}))
"""
    done = subprocess.run([sys.executable, "-c", body], cwd=ROOT, check=False, timeout=30)
    assert done.returncode == -signal.SIGKILL
    assert eventually(lambda: observer.read() == BEFORE, 15)


def test_lock_of_another_session_is_named(server: NetconfServer, observer: Driver) -> None:
    with closing(Session(server.direct)) as other, closing(driver_of(server)) as driver:
        other.lock()
        with pytest.raises(DeviceError) as refusal:
            converge(driver, AFTER)
        holder = other._opened().session_id
    assert str(refusal.value) == (
        f"127.0.0.1: the candidate configuration is locked by session {holder}; wait until whoever changes the switch "
        "is done, or end that session with <kill-session>"
    )
    assert observer.read() == BEFORE


def test_edit_that_the_switch_rejects_says_where(server: NetconfServer) -> None:
    with closing(driver_of(server)) as driver:
        with pytest.raises(DeviceError) as refusal:
            converge(driver, SwitchState({4095: "reserved"}))
        assert "cannot change the configuration: invalid-value" in str(refusal.value)
        assert REJECTED[server.flavour.platform] in str(refusal.value)
        assert "compare the switch's models and its log with what the driver sends it" in str(refusal.value)
        assert driver.read() == BEFORE
        assert converge(driver, AFTER).observed == AFTER


def test_what_another_session_left_is_not_committed(server: NetconfServer) -> None:
    payload = payload_of(server, difference(BEFORE, SwitchState({666: "left"})))
    with closing(Session(server.direct)) as other:
        other.stage(payload)
    with closing(driver_of(server)) as driver:
        assert converge(driver, AFTER).observed == AFTER


def test_user_whom_the_switch_does_not_let_in_is_named(server: NetconfServer) -> None:
    stranger = server.directory / "host_key"
    told = f"the switch refuses {server.access.user} with the key {stranger}; let that user"
    with (
        closing(driver_of(server, replace(server.access, key_file=stranger))) as driver,
        pytest.raises(DeviceError, match=told),
    ):
        driver.read()


@pytest.mark.parametrize("flavour", [OPENCONFIG, IEEE802], ids=lambda flavour: flavour.platform)
def test_change_is_saved_where_startup_is_a_datastore_of_its_own(flavour: Flavour, tmp_path: Path) -> None:
    with netconf_server(tmp_path, flavour, with_startup=True) as server, closing(driver_of(server)) as driver:
        assert converge(driver, AFTER).observed == AFTER
        with closing(Session(server.access)) as session:
            told = [session._opened().get_config(datastore).data_ele for datastore in ("running", "startup")]
        running, startup = (etree.canonicalize(etree.tostring(data, encoding="unicode")) for data in told)
        assert startup == running
