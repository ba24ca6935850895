"""A run of Ansible over two switches, of which one loses its connection amid the change."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import yaml

from podwright.report import verdict
from podwright.runner import ExitCode, Order, Run, run
from podwright.switches.driver import open_driver
from podwright.switches.state import SwitchState
from tests.devices.netconf_server import IEEE802, Fault, NetconfServer, netconf_server

PLAY = """
- name: Pod switches
  hosts: all
  gather_facts: false
  roles:
    - role: podwright.cloud.pod_switch
      pod_switch_state: {platform: "{{ platform }}", port: "{{ port }}", switch: {vlans: {101: acme}, ports: {}}}
      pod_switch_probes: "{{ probes | default([]) }}"
"""


def deploy(directory: Path, switches: dict[str, NetconfServer], *, check: bool = False, **variables: object) -> Run:
    hosts = {
        name: {
            "ansible_host": "127.0.0.1",
            "ansible_user": server.access.user,
            "ansible_ssh_private_key_file": str(server.access.key_file),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={server.access.known_hosts_file}",
            "platform": server.flavour.platform,
            "port": server.proxy.port,
        }
        for name, server in switches.items()
    }
    inventory, playbook = directory / "hosts.yml", directory / "play.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": variables}}))
    playbook.write_text(PLAY)
    return run(Order(str(playbook), inventory, check=check, diff=True))


def seen(server: NetconfServer) -> SwitchState:
    with closing(open_driver("openconfig_netconf", server.direct)) as driver:
        return driver.read()


def test_one_switch_that_fails_stops_no_other_and_the_report_says_which(tmp_path: Path) -> None:
    (tmp_path / "sw1").mkdir()
    (tmp_path / "sw2").mkdir()
    with netconf_server(tmp_path / "sw1") as sw1, netconf_server(tmp_path / "sw2") as sw2:
        switches = {"sw1": sw1, "sw2": sw2}
        before = seen(sw1)
        sw1.arm(Fault("<nc:confirmed", "reply", "cut"))
        result = deploy(tmp_path, switches)
        assert result.exit_code == ExitCode.FAILED
        assert verdict(result) == "failed: sw1; changed: sw2"
        assert json.loads(result.to_json())["states"] == {"failed": ["sw1"], "changed": ["sw2"]}
        [failure] = result.failures
        assert failure.message == (
            f"127.0.0.1 port {sw1.proxy.port}: cannot change the configuration: the switch ended the session; see "
            "whether the switch is up, and what its log says; a change that reached the switch all the same is taken "
            "back by itself within 60 s"
        )
        assert seen(sw1) == before
        assert seen(sw2).vlans == {101: "acme"}

        again = deploy(tmp_path, switches, probes=[sw1.proxy.host])
        assert verdict(again) == "changed: sw1"
        assert seen(sw1).vlans == {101: "acme"}


def test_switch_from_the_factory_is_told_in_few_lines_and_is_as_planned_after_that(tmp_path: Path) -> None:
    """Each of its ports is in every VLAN there is."""
    with netconf_server(tmp_path, IEEE802) as switch:
        for check in (True, False):
            result = deploy(tmp_path, {"sw1": switch}, check=check)
            assert (result.exit_code, result.failures) == (ExitCode.CHANGED, [])
            [difference] = result.differences
            assert difference["before"].count("tagged: all\n") == 4
            assert len(difference["before"].splitlines()) < 40
            assert difference["after"] == "vlans:\n  101: acme\nports: {}\n"
        assert deploy(tmp_path, {"sw1": switch}).exit_code == ExitCode.IN_SYNC


def test_probes_that_are_none_are_refused_before_a_switch_is_touched(
    openconfig_server: NetconfServer, tmp_path: Path
) -> None:
    result = deploy(tmp_path, {"sw1": openconfig_server}, probes=["192.0.2.11", "192.0.2.12:22", "192.0.2.13:ssh"])
    assert (
        "pod_switch: probes: 192.0.2.11, 192.0.2.13:ssh: give address:port, as in 192.0.2.11:22"
        in result.failures[0].message
    )
