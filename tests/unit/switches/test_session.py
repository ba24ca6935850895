from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ncclient.operations import TimeoutExpiredError

from podwright.errors import DeviceError
from podwright.switches.access import Access
from podwright.switches.driver import open_driver
from podwright.switches.netconf import Session
from podwright.switches.state import SwitchState
from podwright.switches.transaction import commit

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9vOY0sX1YEIvqYs4R0nB5d2kYk5Cw9eWJq2eS7mC1t"


def access(known_hosts: Path, port: int = 830) -> Access:
    return Access("127.0.0.1", port, "root", Path("/nonexistent"), known_hosts)


def test_unknown_platform_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="platform 'abacus' has no driver; known are openconfig_netconf"):
        open_driver("abacus", access(tmp_path))


def test_switch_without_a_known_host_key_is_not_spoken_to(tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"192.0.2.1 {KEY}\n")
    driver = open_driver("openconfig_netconf", access(known_hosts))
    with pytest.raises(DeviceError) as refusal:
        driver.read()
    assert str(refusal.value) == (
        f"127.0.0.1: no host key in {known_hosts}, expected one of [127.0.0.1]:830 or 127.0.0.1; "
        "add the line that `ssh-keyscan -p 830 127.0.0.1` prints once you have checked it"
    )


def test_switch_that_does_not_answer_is_named(tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"127.0.0.1 {KEY}\n")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        driver = open_driver("openconfig_netconf", access(known_hosts, port))
        with pytest.raises(DeviceError) as refusal:
            driver.read()
    assert str(refusal.value) == f"127.0.0.1 port {port}: cannot log in: [Errno 111] Connection refused"


class SilentDevice:
    """A device that does all it is told, but answers to some operations not in time."""

    def __init__(self, *unanswered: str) -> None:
        self.unanswered = unanswered
        self.asked: list[str] = []
        self._session = SimpleNamespace(close=lambda: self.asked.append("the end"))

    def __getattr__(self, operation: str) -> Callable[..., None]:
        def ask(*_: object, **__: object) -> None:
            self.asked.append(operation)
            if operation in self.unanswered:
                raise TimeoutExpiredError("ncclient timed out while waiting for an rpc reply.")

        return ask


def session_with(device: SilentDevice, tmp_path: Path) -> Session:
    session = Session(access(tmp_path / "known_hosts"))
    session._manager = device
    return session


def test_answer_that_does_not_come_is_an_error_of_the_device(tmp_path: Path) -> None:
    session = session_with(SilentDevice("get_config"), tmp_path)
    with pytest.raises(DeviceError) as silence:
        session.running("")
    assert str(silence.value) == (
        "127.0.0.1 port 830: cannot read the running configuration: ncclient timed out while waiting for an rpc reply."
    )


def test_what_went_wrong_first_counts_when_the_device_falls_silent_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = SilentDevice("cancel_commit", "unlock")
    session = session_with(device, tmp_path)

    def refuse() -> None:
        raise DeviceError("cannot log in")

    monkeypatch.setattr(session, "_connect", refuse)
    with pytest.raises(DeviceError) as refusal:
        commit(session, "<config/>", SwitchState, SwitchState())
    assert str(refusal.value) == "cannot log in; that was after the change, which the device takes back by itself"
    assert device.asked == ["lock", "edit_config", "commit", "cancel_commit", "the end"]


def test_session_that_is_lost_amid_a_change_is_asked_no_more(tmp_path: Path) -> None:
    device = SilentDevice("edit_config")
    session = session_with(device, tmp_path)
    with pytest.raises(DeviceError, match="cannot change the configuration: ncclient timed out"):
        commit(session, "<config/>", SwitchState, SwitchState())
    assert device.asked == ["lock", "edit_config", "the end"]


def test_change_is_taken_back_when_the_new_connection_falls_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = SilentDevice()
    session = session_with(device, tmp_path)
    monkeypatch.setattr(session, "_connect", lambda: SilentDevice("close_session"))
    with pytest.raises(DeviceError, match=r"port 830: cannot log out: .* which the device takes back by itself"):
        commit(session, "<config/>", SwitchState, SwitchState())
    assert device.asked == ["lock", "edit_config", "commit", "cancel_commit", "discard_changes", "unlock"]
