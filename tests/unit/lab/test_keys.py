from __future__ import annotations

import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from podwright.lab import keys
from podwright.lab.topology import derive
from tests.unit.plan.clouds import cloud_of, lab_declaration, two_zones_declaration


@pytest.fixture
def ssh(tmp_path: Path) -> Path:
    """The ssh directory of the lab cloud, with one appliance image whose machines get one of two addresses."""
    directory = tmp_path / "ssh"
    image = tmp_path / "image.pub"
    image.write_text("ssh-ed25519 AAAAimage comment\n")
    keys.make_administrator(directory)
    appliances = {image: [IPv4Address("192.168.1.101"), IPv4Address("192.168.1.102")]}
    keys.make_known(directory, derive(cloud_of(lab_declaration())), appliances)
    return directory


def test_every_host_has_a_key_of_its_own_that_the_controller_knows(ssh: Path) -> None:
    lines = (ssh / "known_hosts").read_text().splitlines()
    known = dict(line.split(" ", 1) for line in lines)
    assert len(set(known.values())) == len(lines) == 12
    for name, host in [
        ("east-p1-sw1,192.168.1.11,[192.168.1.11]:830", "east-p1-sw1"),
        ("east-zsw1,192.168.0.11", "east-zsw1"),
    ]:
        assert known[name] == " ".join((ssh / "hosts" / f"{host}.pub").read_text().split()[:2])


def test_appliances_are_known_at_every_address_that_they_may_get(ssh: Path) -> None:
    assert "192.168.1.101,192.168.1.102 ssh-ed25519 AAAAimage" in (ssh / "known_hosts").read_text().splitlines()


def test_keys_that_are_there_stay(ssh: Path) -> None:
    before = {path: path.read_bytes() for path in ssh.rglob("*") if path.is_file()}
    keys.make_administrator(ssh)
    keys.make_known(ssh, derive(cloud_of(lab_declaration())), {})
    after = {path: path.read_bytes() for path in ssh.rglob("*") if path.is_file()}
    assert {path.name for path in before if before[path] != after[path]} == {"known_hosts"}


def test_a_key_that_was_cut_short_is_made_anew(ssh: Path) -> None:
    (ssh / "id_ed25519.pub").unlink()
    keys.make_administrator(ssh)
    of_private = subprocess.run(
        ["ssh-keygen", "-y", "-f", ssh / "id_ed25519"], check=True, capture_output=True, text=True
    )
    assert (ssh / "id_ed25519.pub").read_text() == of_private.stdout


def test_the_configuration_leads_to_a_host_by_its_name(ssh: Path) -> None:
    shown = subprocess.run(
        ["ssh", "-G", "-F", ssh / "config", "east-p1-hv1"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    wanted = {"hostname 192.168.1.31", "user root", f"identityfile {ssh}/id_ed25519", "stricthostkeychecking true"}
    assert wanted <= set(shown)


def test_what_is_behind_a_firewall_is_known_by_the_address_that_stands_for_its_own(tmp_path: Path) -> None:
    directory = tmp_path / "ssh"
    keys.make_administrator(directory)
    keys.make_known(directory, derive(cloud_of(two_zones_declaration())), {})
    names = [line.split()[0] for line in (directory / "known_hosts").read_text().splitlines()]
    assert {"east-p1-sw1,10.201.1.11,[10.201.1.11]:830", "west-zsw1,10.202.0.11", "west-fw1,10.255.0.12"} <= set(names)
    blocks = (directory / "config").read_text().split("Host ")
    assert [block.split()[0] for block in blocks if block and "ProxyCommand" not in block] == [
        "east-fw1",
        "west-fw1",
        "*",
    ]
