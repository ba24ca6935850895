"""The drivers for command lines against simulated switches: what they do when all goes well, and when it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Literal

import pytest

from podwright.errors import DeviceError, SessionLost
from podwright.switches import ssh_cli
from podwright.switches.driver import find_platform, open_driver
from podwright.switches.port_status import forwarding
from podwright.switches.state import Port, PortForwarding, SwitchState, applied, difference
from tests.devices.cli_switch import FAKENOS_NAMES, PORTS, CliSwitch, cli_switch
from tests.devices.processes import eventually

ROUTED = "interface {}\n no switchport\n ip address 192.0.2.1/24\n"
CONFIRM = {"eos": "^configure session [^ ]+ commit$", "ios": "^configure confirm$", "nxos": "^no scheduler schedule"}
FASTER = 120
"""A minute of the switch passes in half a second."""

ON_ANY = pytest.mark.parametrize("running_switch", ["eos"], indirect=True)
"""For what all platforms share."""


def port(platform: str, number: int) -> str:
    return PORTS[platform].format(number)


def before(platform: str) -> SwitchState:
    ports = {
        1: Port("trunk", frozenset({10, 20}), description="east-p1-hv1"),
        2: Port("access", untagged=10, edge=True),
    }
    return SwitchState({10: "management", 20: "storage"}, {port(platform, n): p for n, p in ports.items()}, 4096)


def after(platform: str) -> SwitchState:
    ports = {
        1: Port("trunk", frozenset({10, *range(101, 141)}), description="what? #1"),
        3: Port("access", untagged=10),
    }
    vlans = {10: "management", 42: "acme-default", **dict.fromkeys(range(101, 141), "")}
    return SwitchState(vlans, {port(platform, n): p for n, p in ports.items()}, 8192)


@pytest.fixture(scope="module", params=sorted(FAKENOS_NAMES))
def running_switch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliSwitch]:
    platform = request.param
    unused = f"interface {port(platform, 3)}\n{ROUTED.format(port(platform, 4))}"
    configuration = find_platform(platform).configuration(before(platform)) + unused
    with cli_switch(platform, tmp_path_factory.mktemp(platform), configuration) as switch:
        yield switch


@pytest.fixture
def switch(running_switch: CliSwitch, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliSwitch]:
    """A switch that is as before."""
    driver: Any = open_driver(running_switch.platform, running_switch.access)
    with closing(driver):
        now = driver.read()
        change = difference(now, before(running_switch.platform))
        if change:
            driver.apply(change, now)
        driver.lock()  # which removes what a change left that was taken back
    monkeypatch.setattr(ssh_cli, "REPLY_TIMEOUT_S", 3)
    yield running_switch
    running_switch.disarm()


def read(switch: CliSwitch) -> SwitchState:
    """What the switch is, by a session of its own."""
    with closing(open_driver(switch.platform, switch.access)) as driver:
        return driver.read()


def change(switch: CliSwitch) -> None:
    """Make the switch what it shall be after."""
    with closing(open_driver(switch.platform, switch.access)) as driver:
        now = driver.read()
        driver.apply(difference(now, after(switch.platform)), now)


def refusal(switch: CliSwitch, kind: type[DeviceError] = DeviceError) -> str:
    """What is said of a change that fails, by whatever is armed."""
    with pytest.raises(kind) as refused:
        change(switch)
    assert not switch.armed
    assert str(refused.value).startswith(f"127.0.0.1 port {switch.port}: ")
    return str(refused.value)


def takes_back(switch: CliSwitch) -> bool:
    """Whether the switch goes back by itself once its time is over."""
    switch.set(speed=FASTER)
    return eventually(lambda: is_as_before(switch), 15)


def is_as_before(switch: CliSwitch) -> bool:
    return read(switch) == before(switch.platform)


def test_change_holds_and_is_saved(switch: CliSwitch) -> None:
    change(switch)
    assert read(switch) == after(switch.platform)
    assert switch.startup == after(switch.platform)
    change(switch)
    assert read(switch) == after(switch.platform)


def test_refused_command_leaves_all_as_it_was(switch: CliSwitch) -> None:
    switch.arm("^name acme-default$", "refuse")
    assert "cannot change the configuration: ` name acme-default`: % Not today" in refusal(switch)
    assert is_as_before(switch)
    change(switch)
    assert read(switch) == after(switch.platform)


def test_session_that_ends_amid_the_commands(switch: CliSwitch) -> None:
    switch.arm("^switchport trunk allowed", "drop", after=True)
    assert "the switch ended the session after ` switchport trunk allowed" in refusal(switch, SessionLost)
    assert takes_back(switch)


def test_session_that_ends_while_the_change_is_on_trial(switch: CliSwitch) -> None:
    with closing(open_driver(switch.platform, switch.access)) as driver:
        now = driver.read()
        switch.arm("^show running-config$", "drop")
        with pytest.raises(SessionLost, match="cannot read the running configuration: the switch ended the session"):
            driver.apply(difference(now, after(switch.platform)), now)
    assert takes_back(switch)


def test_confirmation_that_does_not_arrive(switch: CliSwitch) -> None:
    switch.arm(CONFIRM[switch.platform], "drop")
    assert "keeps the change if the confirmation reached it" in refusal(switch, SessionLost)
    assert takes_back(switch)


def test_confirmation_whose_answer_does_not_arrive(switch: CliSwitch) -> None:
    switch.arm(CONFIRM[switch.platform], "drop", after=True)
    assert "keeps the change if the confirmation reached it" in refusal(switch, SessionLost)
    assert read(switch) == after(switch.platform)


@ON_ANY
def test_prompt_that_never_comes(switch: CliSwitch) -> None:
    switch.arm("^name acme-default$", "silent")
    assert "no prompt within 3 s after ` name acme-default`; log in by hand and see" in refusal(switch, SessionLost)
    assert takes_back(switch)


@ON_ANY
@pytest.mark.parametrize("act", ["half", "nonsense"])
def test_answer_that_is_no_configuration(switch: CliSwitch, act: Literal["half", "nonsense"]) -> None:
    switch.arm("^show running-config$", act)
    assert re.search(r"`show running-config` answered \d+ lines that are not a whole configuration", refusal(switch))


@ON_ANY
def test_user_who_may_not_configure(switch: CliSwitch) -> None:
    switch.arm("^enable$", "nonsense")
    assert "user admin may not configure the switch; give it privilege level 15 or the role" in refusal(switch)


def test_change_of_another_that_waits_is_named(switch: CliSwitch) -> None:
    other: Any = open_driver(switch.platform, switch.access)
    with closing(other):
        now = other.read()
        widened = applied(difference(now, after(switch.platform)), now)
        other.lock()
        other.stage(other.render(difference(now, widened), now))
        other.commit_on_trial(60)
        said = refusal(switch)
        other.take_back()
        other.unlock()
    assert "waits for " in said
    assert {"eos": "configuration session podwright-", "ios": "by user someone", "nxos": "by user someone"}[
        switch.platform
    ] in said
    assert is_as_before(switch)


def test_switch_that_cannot_take_back_is_not_changed(switch: CliSwitch) -> None:
    switch.set(able=False)
    if switch.platform == "eos":
        switch.arm("^show configuration sessions", "refuse")
    remedy = {"eos": "% Not today", "ios": "configure `archive`", "nxos": "configure `feature scheduler`"}
    assert remedy[switch.platform] in refusal(switch)
    assert is_as_before(switch)


@ON_ANY
def test_port_that_is_routed_or_not_there_is_not_touched(switch: CliSwitch) -> None:
    with closing(open_driver(switch.platform, switch.access)) as driver:
        now = driver.read()
        for number, reason in ((4, "on the switch it is a routed port"), (9, "the switch has no such port")):
            wanted = SwitchState(
                ports={**(now.ports or {}), port(switch.platform, number): Port("access", untagged=10)}
            )
            with pytest.raises(DeviceError, match=f"ports\\.{port(switch.platform, number)}: {reason}"):
                driver.apply(difference(now, wanted), now)
    assert is_as_before(switch)


@pytest.mark.parametrize("running_switch", ["nxos"], indirect=True)
def test_what_ports_do_is_read_from_what_nexus_switches_told(running_switch: CliSwitch) -> None:
    """FakeNOS has the answers of real ones: Ethernet1/1 is up in VLAN 3, Ethernet1/2 has no transceiver."""
    terminal = ssh_cli.Terminal(running_switch.access, ("terminal length 0",))
    with closing(terminal):
        switchport = terminal.run("show interfaces switchport", "read the state")
        status = terminal.run("show interface status", "read the state")
    names = ("Ethernet1/1", "Ethernet1/2", "Ethernet9/9")
    configured = SwitchState(dict.fromkeys((3, 5, 6), ""), dict.fromkeys(names, Port("trunk")))
    assert forwarding("cisco_nxos", switchport, status, configured) == {
        "Ethernet1/1": PortForwarding(frozenset(), 3, link_up=True, spanning_tree="unknown"),
        "Ethernet1/2": PortForwarding(frozenset({3, 6}), 5, link_up=False, spanning_tree="unknown"),
    }


@pytest.mark.parametrize("running_switch", ["ios"], indirect=True)
def test_what_ports_carry_is_read_from_what_catalyst_switches_told(running_switch: CliSwitch) -> None:
    terminal = ssh_cli.Terminal(running_switch.access, ("terminal length 0",))
    with closing(terminal):
        switchport = terminal.run("show interfaces switchport", "read the state")
    status = (
        "Port      Name   Status       Vlan       Duplex  Speed Type\nTe5/0/1          {} trunk full 10G 10GBase-SR\n"
    )
    ports = {"TenGigabitEthernet5/0/1": Port("trunk"), "GigabitEthernet5/0/1": Port("trunk")}
    configured = SwitchState(dict.fromkeys((1, 12, 33, 37, 940), ""), ports)
    up, off = (
        forwarding("cisco_ios", switchport, status.format(link), configured) for link in ("connected", "disabled")
    )
    assert up == {"TenGigabitEthernet5/0/1": PortForwarding(frozenset({12, 33, 940}), 1, True, "unknown")}
    assert off == {"TenGigabitEthernet5/0/1": PortForwarding(frozenset(), None, False, "unknown")}


def test_answers_that_cannot_be_read_are_named() -> None:
    with pytest.raises(DeviceError, match="`show interfaces switchport` answered what ntc-templates cannot read"):
        forwarding("cisco_ios", "lorem ipsum", "", SwitchState({}, {}))
