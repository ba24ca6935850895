from __future__ import annotations

import socket
from pathlib import Path

import pytest
from lxml import etree

from podwright.errors import DeviceError
from podwright.switches.access import Access
from podwright.switches.driver import open_driver
from podwright.switches.netconf import Session
from podwright.switches.platforms.openconfig_netconf import parse_data

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9vOY0sX1YEIvqYs4R0nB5d2kYk5Cw9eWJq2eS7mC1t"


def access(known_hosts: Path, port: int = 830) -> Access:
    return Access("127.0.0.1", port, "root", Path("/nonexistent"), known_hosts)


def test_unknown_platform_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        DeviceError, match=r"^127\.0\.0\.1: platform 'abacus' has no driver; known are .*openconfig_netconf"
    ):
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
    assert str(refusal.value) == (
        f"127.0.0.1 port {port}: cannot log in: [Errno 111] Connection refused; "
        "see whether the switch is up, and what its log says"
    )


@pytest.mark.parametrize("vlan_id", ["<vlan-id>ten</vlan-id>", ""])
def test_configuration_that_no_model_allows_is_told(tmp_path: Path, vlan_id: str) -> None:
    vlans = f"<vlans><vlan>{vlan_id}</vlan></vlans>"
    data = etree.fromstring(
        f"""<data><network-instances xmlns="http://openconfig.net/yang/network-instance">
              <network-instance><name>default</name>{vlans}</network-instance>
            </network-instances></data>"""
    )
    with pytest.raises(
        DeviceError, match=r"^127\.0\.0\.1 port 830: cannot understand the configuration that the switch"
    ):
        Session(access(tmp_path)).understood(parse_data, data)
