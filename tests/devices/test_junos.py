"""The driver `junos` against a NETCONF server that passes for a Junos device: it checks, keeps, locks, takes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from podwright.errors import DeviceError
from podwright.switches import netconf, transaction
from podwright.switches.converge import converge
from podwright.switches.driver import Driver, open_driver
from podwright.switches.netconf import Session
from podwright.switches.platforms import junos
from podwright.switches.state import Port, SwitchState, difference
from tests.devices.netconf_server import JUNOS, Fault, NetconfServer, netconf_server
from tests.devices.processes import eventually

BEFORE = SwitchState(
    {10: "management", 20: "storage"},
    {
        "ge-0/0/1": Port("trunk", frozenset({20}), 10, "as it was", path_cost=20000),
        "ge-0/0/2": Port("access", untagged=20, edge=True),
        "ge-0/0/3": Port("trunk", frozenset({20})),
    },
    4096,
)
AFTER = SwitchState(
    {10: "management", 20: "globex", 21: "globex", 22: "two words"},
    {
        "ge-0/0/1": Port("trunk", frozenset({10, 20, 21, 22}), description="wanted"),
        "ge-0/0/2": Port("trunk"),
        "xe-0/0/9": Port("access", untagged=21),
    },
    8192,
)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetconfServer]:
    with netconf_server(tmp_path_factory.mktemp("junos"), JUNOS) as server:
        yield server


@pytest.fixture(scope="module")
def observer(device: NetconfServer) -> Iterator[Driver]:
    """What shows how the switch is, past all that fails."""
    with closing(open_driver("junos", device.direct)) as driver:
        yield driver


@pytest.fixture
def driver(device: NetconfServer, observer: Driver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """The driver of a switch that is as BEFORE."""
    converge(observer, BEFORE)
    monkeypatch.setattr(netconf, "REPLY_TIMEOUT_S", 3)
    with closing(open_driver("junos", device.access)) as driver:
        yield driver
    device.disarm()


def test_there_and_back_and_nothing_left(driver: Driver) -> None:
    assert converge(driver, AFTER).observed == AFTER
    assert not converge(driver, AFTER).change
    assert converge(driver, BEFORE).observed == BEFORE
    assert converge(driver, SwitchState({}, {}, 0)).observed == SwitchState({}, {}, 0)


def test_collected_text_reads_as_the_state(driver: Driver) -> None:
    assert junos.parse(driver.collect()) == BEFORE


def test_what_else_is_configured_on_a_port_stays(device: NetconfServer, driver: Driver) -> None:
    mtu = f"""<config xmlns="{netconf.NETCONF}"><configuration xmlns="{junos.JUNOS}"><interfaces><interface>
        <name>ge-0/0/1</name><mtu>9216</mtu></interface></interfaces></configuration></config>"""
    with closing(Session(device.direct)) as other:
        manager = other._opened()
        manager.edit_config(mtu, target="candidate")
        manager.commit()
    converge(driver, AFTER)
    assert "<mtu>9216</mtu>" in driver.collect() or "9216" in str(
        Session(device.direct).running("").xpath("//*/text()")
    )


@pytest.mark.parametrize(
    "fault",
    [
        Fault("<confirmed/>", "reply", "cut"),
        Fault("<commit-configuration/>", "request", "cut"),
        Fault("<confirmed/>", "reply", "refuse"),
    ],
    ids=lambda fault: f"{fault.act} at {fault.at} {fault.moment}",
)
def test_change_that_goes_wrong_never_was(
    device: NetconfServer, driver: Driver, observer: Driver, fault: Fault
) -> None:
    device.arm(fault)
    with pytest.raises(DeviceError, match=rf"^127\.0\.0\.1 port {device.proxy.port}: "):
        converge(driver, AFTER)
    assert not device.armed
    assert eventually(lambda: observer.read() == BEFORE, 15)
    device.disarm()
    assert converge(driver, AFTER).observed == AFTER


def test_trial_is_asked_for_in_whole_minutes(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = junos.JunosSession._ask
    monkeypatch.setattr(junos.JunosSession, "_ask", lambda self, text: (asked.append(text), ask(self, text)))
    monkeypatch.setattr(transaction, "TRIAL_TIMEOUT_S", 61)
    converge(driver, AFTER)
    assert asked == [
        "<commit-configuration><confirmed/><confirm-timeout>2</confirm-timeout></commit-configuration>",
        "<commit-configuration/>",
    ]


def test_change_that_the_device_has_taken_back_is_not_taken_back_again(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second rollback would bring the change, for that is what was committed before."""
    asked: list[str] = []
    ask = junos.JunosSession._ask
    monkeypatch.setattr(junos.JunosSession, "_ask", lambda self, text: (asked.append(text), ask(self, text)))
    monkeypatch.setattr(transaction, "TRIAL_TIMEOUT_S", 1)
    monkeypatch.setattr(junos.JunosSession, "probe", lambda _: time.sleep(1.2))
    with pytest.raises(DeviceError, match="longer than the 1 s after which"):
        converge(driver, AFTER)
    assert asked == ["<commit-configuration><confirmed/><confirm-timeout>1</confirm-timeout></commit-configuration>"]


def test_candidate_that_someone_edits_is_left_alone(device: NetconfServer, driver: Driver) -> None:
    payload = junos.render(difference(BEFORE, AFTER), BEFORE)
    with closing(Session(device.direct)) as operator:
        operator.stage(payload)
        with pytest.raises(DeviceError, match=r"cannot be locked: .* has committed it or rolled it back"):
            converge(driver, SwitchState({10: "other"}))
        left = operator._opened().get_config("candidate").data_ele
        operator.discard()
    assert junos.parse_data(left) == AFTER


def test_edit_that_the_switch_rejects_says_where(driver: Driver) -> None:
    with pytest.raises(DeviceError, match=r"cannot change the configuration: invalid-value: .*vlan-id"):
        converge(driver, SwitchState({4095: "reserved"}))
    assert driver.read() == BEFORE
