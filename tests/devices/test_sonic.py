"""The driver `sonic` over a real SSH server, to commands that stand in for SONiC's."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import DeviceError, SessionLost
from podwright.switches.driver import open_driver
from podwright.switches.platforms.sonic import overlaid, parse
from podwright.switches.state import Port, SwitchState, difference
from tests.devices.processes import eventually
from tests.devices.sonic_host import SonicHost, sonic_host

BEFORE = SwitchState(
    {10: "management", 20: "storage"},
    {"Ethernet0": Port("trunk", frozenset({10, 20})), "Ethernet4": Port("access", untagged=10, edge=True)},
    4096,
)
AFTER = SwitchState(
    {10: "management", 101: "acme-default"},
    {"Ethernet0": Port("trunk", frozenset({101}), 10, "it's #1"), "Ethernet8": Port("access", untagged=10)},
    8192,
)
HARDWARE = {"lanes": "1,2,3,4", "speed": "100000"}


def tables() -> dict[str, Any]:
    ports = {"PORT": {f"Ethernet{number}": dict(HARDWARE) for number in (0, 4, 8)}}
    return overlaid(ports, BEFORE) | {"SNMP_COMMUNITY": {"public": {"TYPE": "RO"}}}


@pytest.fixture(scope="module")
def running_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SonicHost]:
    with sonic_host(tmp_path_factory.mktemp("sonic")) as host:
        yield host


@pytest.fixture
def host(running_host: SonicHost) -> SonicHost:
    """A switch that is as before."""
    running_host.stop_timer()
    running_host.hurry(1)
    running_host.become(tables())
    return running_host


def change(host: SonicHost) -> None:
    with closing(open_driver("sonic", host.access)) as driver:
        now = driver.read()
        driver.apply(difference(now, AFTER), now)


def state(host: SonicHost, name: str = "config_db") -> SwitchState:
    return parse(json.dumps(host.tables(name)))


def test_change_holds_and_is_saved(host: SonicHost) -> None:
    change(host)
    assert state(host) == state(host, "saved") == AFTER
    assert host.tables()["PORT"]["Ethernet8"].items() >= HARDWARE.items()
    assert host.tables()["SNMP_COMMUNITY"] == tables()["SNMP_COMMUNITY"]
    assert not host.waits


@pytest.mark.parametrize("step", ["--dry-run", "apply-patch /"])
def test_refused_patch_leaves_all_as_it_was(host: SonicHost, step: str) -> None:
    host.arm(step, "refuse")
    with pytest.raises(
        DeviceError, match=r"cannot change the configuration: .* Failed to apply patch due to: not today"
    ):
        change(host)
    assert host.tables() == tables()
    assert not host.waits


def test_patch_that_fails_halfway_is_taken_back(host: SonicHost) -> None:
    host.arm("apply-patch /", "half")
    with pytest.raises(DeviceError, match="halfway"):
        change(host)
    assert host.tables() == tables()
    assert not host.waits


def test_change_of_a_connection_that_is_cut_is_taken_back(host: SonicHost) -> None:
    host.arm("apply-patch /", "cut")
    with pytest.raises(SessionLost, match=f"127.0.0.1 port {host.port}: cannot change the configuration"):
        change(host)
    assert state(host) == AFTER
    assert host.waits
    with (
        closing(open_driver("sonic", host.access)) as driver,
        pytest.raises(DeviceError, match="a change of another controller waits for its confirmation; wait until"),
    ):
        driver.apply(difference(AFTER, BEFORE), AFTER)
    host.hurry(120)
    assert eventually(lambda: host.tables() == tables(), 10)


def test_port_that_is_not_there_is_said(host: SonicHost) -> None:
    wanted = SwitchState(ports={**(BEFORE.ports or {}), "Ethernet12": Port("access", untagged=10)})
    with (
        closing(open_driver("sonic", host.access)) as driver,
        pytest.raises(DeviceError, match=r"ports\.Ethernet12: the switch has no such port; it has Ethernet0, Eth"),
    ):
        driver.apply(difference(BEFORE, wanted), BEFORE)


def test_switch_that_has_not_started_is_said(host: SonicHost) -> None:
    host.become({})
    with (
        closing(open_driver("sonic", host.access)) as driver,
        pytest.raises(DeviceError, match="CONFIG_DB has no table PORT, which every switch has; see whether SONiC"),
    ):
        driver.read()


def test_nothing_but_ours_leaves_the_session(host: SonicHost) -> None:
    with closing(open_driver("sonic", host.access)) as driver:
        assert "SNMP_COMMUNITY" not in driver.collect()


def test_key_that_the_switch_does_not_know(host: SonicHost, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    access = replace(host.access, key_file=tmp_path / "other")
    with closing(open_driver("sonic", access)) as driver, pytest.raises(SessionLost) as refused:
        driver.read()
    assert f"the switch refuses {access.user} with the key {tmp_path}/other; let that user log in" in str(refused.value)


def test_switch_that_shows_another_host_key(host: SonicHost, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    (tmp_path / "known_hosts").write_text(f"127.0.0.1 {(tmp_path / 'other.pub').read_text()}")
    access = replace(host.access, known_hosts_file=tmp_path / "known_hosts")
    with closing(open_driver("sonic", access)) as driver, pytest.raises(SessionLost) as refused:
        driver.read()
    assert f"the switch shows no host key that {tmp_path}/known_hosts has" in str(refused.value)
