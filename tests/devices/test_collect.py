"""Configurations collected from real switches: they prove what was deployed, and show what was done by hand."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from podwright import collection
from podwright.model.cloud import Cloud
from podwright.proof.cloud import prove
from podwright.proof.segments import Finding
from podwright.rendering import rendered_files
from podwright.report import verdict
from podwright.runner import ExitCode, Order, Run, run
from podwright.switches.access import Access
from podwright.switches.driver import find_platform, open_driver
from podwright.switches.platforms.openconfig_netconf import parse
from podwright.switches.state import Port, SwitchState, difference
from tests.devices.cli_switch import FAKENOS_NAMES, PORTS, cli_switch
from tests.devices.netconf_server import Fault, NetconfServer, netconf_server
from tests.unit.proof.configurations import Files, pinned, with_port

PLATFORM = "openconfig_netconf"
SWITCHES = ("east-p1-sw1", "east-p1-sw2")


@dataclass(frozen=True)
class Pod:
    """Two switches that run, of a cloud whose other devices are only rendered."""

    cloud: Cloud
    rendered: Files
    servers: dict[str, NetconfServer]
    directory: Path
    """what is collected"""

    def make(self, switch: str, wanted: SwitchState) -> None:
        """Give a switch a configuration, past all that fails."""
        with closing(open_driver(PLATFORM, self.servers[switch].direct)) as driver:
            before = driver.read()
            if change := difference(before, wanted):
                driver.apply(change, before)

    def state(self, switch: str) -> SwitchState:
        """What was rendered for a switch."""
        return parse(self.rendered[switch]["running-config"])

    def collect(self, *, limit: str | None = None, check: bool = False) -> Run:
        """Collect from the switches."""
        logins = {name: (PLATFORM, server.access) for name, server in self.servers.items()}
        return collect(logins, self.directory, limit=limit, check=check)

    def findings(self) -> tuple[Finding, ...]:
        """What is proved of what was collected, and of what was rendered for those devices that do not run."""
        others = {device: files for device, files in self.rendered.items() if device not in SWITCHES}
        return prove(self.cloud, {**others, **rendered_files.read(self.directory)}).findings


def collect(logins: dict[str, tuple[str, Access]], directory: Path, **options: Any) -> Run:
    """Collect from switches, by platform and access, with the playbook."""
    hosts = {
        name: {
            "ansible_host": access.host,
            "ansible_user": access.user,
            "ansible_ssh_private_key_file": str(access.key_file),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={access.known_hosts_file}",
            "podwright_state": {"kind": "pod_switch", "platform": platform, "port": access.port},
        }
        for name, (platform, access) in logins.items()
    }
    inventory = directory.with_name("hosts.yml")
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    to = {"podwright_collect_to": str(directory)}
    return run(Order("podwright.cloud.collect", inventory, variables=to, **options))


@pytest.fixture(scope="module")
def running_pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with ExitStack() as stack:
        directories = {name: tmp_path_factory.mktemp(name) for name in SWITCHES}
        servers = {name: stack.enter_context(netconf_server(where)) for name, where in directories.items()}
        yield Pod(*pinned(), servers, Path())


@pytest.fixture
def pod(running_pod: Pod, tmp_path: Path) -> Pod:
    """The pod as it was deployed."""
    fresh = replace(running_pod, directory=tmp_path / "collected")
    for switch in SWITCHES:
        running_pod.servers[switch].disarm()
        fresh.make(switch, fresh.state(switch))
    return fresh


@pytest.mark.parametrize("check", [False, True])
def test_what_was_deployed_is_collected_and_proves(pod: Pod, check: bool) -> None:
    result = pod.collect(check=check)
    assert (result.exit_code, verdict(result)) == (ExitCode.IN_SYNC, "collected: 2"), result.failures
    document = json.loads(result.to_json())
    assert document["states"] == {"collected": [*SWITCHES]}
    assert document["collected"] == {switch: ["running-config"] for switch in SWITCHES}
    assert document["collection"] == str(pod.directory)
    for switch in SWITCHES:
        assert parse((pod.directory / switch / "running-config").read_text()) == pod.state(switch)
    assert pod.findings() == ()


@pytest.mark.parametrize("platform", sorted(FAKENOS_NAMES))
def test_switch_with_a_command_line_is_collected_in_its_own_syntax(platform: str, tmp_path: Path) -> None:
    name = PORTS[platform].format
    state = SwitchState(
        {10: "management", 101: "acme"},
        {
            name(1): Port("trunk", frozenset({10, 101}), description="east-p1-hv1 eth1", edge=True),
            name(2): Port("access", untagged=10),
        },
        4096,
    )
    configuration = find_platform(platform).configuration(state)
    (tmp_path / "switch").mkdir()
    with cli_switch(platform, tmp_path / "switch", f"username admin secret swordfish\n{configuration}") as switch:
        result = collect({"sw1": (platform, switch.access)}, tmp_path / "collected")
    assert verdict(result) == "collected: 1", result.failures
    text = (tmp_path / "collected/sw1/running-config").read_text()
    assert find_platform(platform).parse(text) == state
    assert "swordfish" not in text


def test_collected_files_are_for_their_owner_alone(pod: Pod) -> None:
    pod.directory.mkdir(mode=0o755)
    pod.collect()
    modes = {stat.S_IMODE(file.stat().st_mode) for file in pod.directory.rglob("*") if file.is_file()}
    directories = [pod.directory, *(file for file in pod.directory.rglob("*") if file.is_dir())]
    assert modes == {0o600}
    assert {stat.S_IMODE(directory.stat().st_mode) for directory in directories} == {0o700}


def test_vlan_put_on_a_trunk_by_hand_is_found_in_what_was_collected_alone(pod: Pod) -> None:
    carried = (pod.state("east-p1-sw1").ports or {})["swp7"].tagged
    pod.make("east-p1-sw1", with_port("swp7", tagged=carried | {101})(pod.state("east-p1-sw1")))
    pod.collect()
    (found,) = pod.findings()
    assert (found.claim, found.statement) == (
        "passed on",
        "east-p1-sw1 swp7 VLAN 101 lets account acme/default out, and east-p1-hv2 eth1 does not let VLAN 101 in",
    )
    assert found.path[-2:] == ("east-p1-sw1 swp7 VLAN 101", "ends: east-p1-hv2 eth1 does not let VLAN 101 in")
    assert prove(pod.cloud, pod.rendered).findings == ()


def test_vlan_reused_by_hand_is_found_with_its_way(pod: Pod) -> None:
    """Acme's VLAN comes out of the port to the management network."""
    wanted = with_port("swp4", mode="access", untagged=101, tagged=frozenset())(pod.state("east-p1-sw2"))
    pod.make("east-p1-sw2", wanted)
    pod.collect(limit="east-p1-sw1")
    assert [finding.claim for finding in pod.findings()].count("read") == 1
    pod.collect(limit="east-p1-sw2")
    shared = [finding for finding in pod.findings() if finding.claim == "apart"]
    assert [finding.statement for finding in shared] == ["account acme/default and management east/p1 share a segment"]
    assert {"east-p1-sw2 swp6 VLAN 101", "east-p1-sw2 swp4"} <= {*shared[0].path}
    assert prove(pod.cloud, pod.rendered).findings == ()


def test_switch_that_fails_stops_no_other_and_is_not_proved_by_what_was_collected_before(pod: Pod) -> None:
    pod.collect()
    pod.servers["east-p1-sw1"].arm(Fault("get-config", "request", "cut"))
    result = pod.collect()
    assert result.exit_code == ExitCode.FAILED
    assert verdict(result) == "failed: east-p1-sw1; collected: 1"
    (failure,) = result.failures
    assert "cannot read the running configuration: " in failure.message
    assert "see whether the switch is up" in failure.message
    (missing,) = [finding for finding in pod.findings() if finding.claim == "read"]
    assert missing.statement.startswith("east-p1-sw1: has no configuration; collect it")


def test_directory_of_something_else_is_refused(pod: Pod) -> None:
    shutil.copytree(pod.servers["east-p1-sw1"].directory, pod.directory, ignore=shutil.ignore_patterns("*.sock"))
    before = {file.name for file in pod.directory.iterdir()}
    result = pod.collect()
    assert result.exit_code == ExitCode.FAILED
    assert result.failures[0].message == (
        f"{pod.directory}: holds {min(before)}, which was not collected; name an empty directory, or a new one"
    )
    assert {file.name for file in pod.directory.iterdir()} == before


def test_nothing_is_written_outside_of_a_devices_directory(tmp_path: Path) -> None:
    collection.make_room(tmp_path / "collected", ["hv1"])
    for path in ("../other", "/etc/passwd", "etc/../../x"):
        with pytest.raises(collection.CollectionError, match="outside of its directory; do not trust the device"):
            collection.keep(tmp_path / "collected", "hv1", {path: ""})
    assert [file.name for file in tmp_path.iterdir()] == ["collected"]
