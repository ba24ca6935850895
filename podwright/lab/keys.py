"""How the controller and the lab's hosts know each other: one key for the administrator, one for each host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from pathlib import Path

from podwright.lab.topology import Host, Topology


def make_administrator(ssh: Path) -> None:
    """Make the administrator's key in the directory `ssh`; one that is there stays."""
    ssh.mkdir(parents=True, exist_ok=True, mode=0o700)
    _key(ssh / "id_ed25519", "podwright lab administrator")


def make_known(ssh: Path, topology: Topology, appliances: Mapping[Path, Iterable[IPv4Address]]) -> None:
    """Make the hosts' keys and write known_hosts and an ssh_config(5); keys that are there stay.

    Args:
        ssh: The directory.
        topology: Whose hosts to make keys for.
        appliances: {public host key of an image: addresses that its machines may get}.
    """
    (ssh / "hosts").mkdir(exist_ok=True, mode=0o700)
    lines = [
        *(f"{','.join(_names(host))} {_key(ssh / 'hosts' / host.name, host.name)}" for host in topology.hosts),
        *(f"{','.join(map(str, addresses))} {_public(key)}" for key, addresses in appliances.items()),
    ]
    (ssh / "known_hosts").write_text("".join(f"{line}\n" for line in lines))
    (ssh / "config").write_text(_config(ssh, topology.hosts))


def _key(path: Path, comment: str) -> str:
    """Make the key unless it is there; its public half (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    public = path.with_name(f"{path.name}.pub")
    if not public.exists():
        path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)
    return _public(public)


def _public(path: Path) -> str:
    return " ".join(path.read_text().split()[:2])


def _names(host: Host) -> list[str]:
    address = str(host.reached_at)
    return [host.name, *(address if port == 22 else f"[{address}]:{port}" for port in host.ssh_ports)]


def _way(host: Host) -> str:
    """What is behind a firewall is reached from its own side, whether the firewall is configured or not."""
    if host.translated is None:
        return ""
    relay = "exec 3<>/dev/tcp/127.0.0.1/22; cat <&3 & cat >&3; kill $!"
    return f"    ProxyCommand nsenter --net=/run/netns/{host.name} bash -c '{relay}'\n"


def _config(ssh: Path, hosts: Iterable[Host]) -> str:
    named = "".join(
        f"Host {host.name}\n    HostName {host.reached_at}\n    HostKeyAlias {host.name}\n{_way(host)}"
        for host in hosts
    )
    return f"""{named}
Host *
    User root
    IdentityFile {ssh}/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile {ssh}/known_hosts
    StrictHostKeyChecking yes
    BatchMode yes
"""
