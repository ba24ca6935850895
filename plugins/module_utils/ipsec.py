"""VPNs of a firewall as files of strongSwan: strongswan.conf(5), swanctl.conf(5), and what its unit needs beside.

Where the kernel has no ESP (RFC 4303), strongSwan encrypts in its own process (its plugin kernel-libipsec): packets go
through the interface ipsec0, and ESP always goes in UDP (RFC 3948).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import managed_files, services
from ansible_collections.podwright.cloud.plugins.module_utils.firewall_rules import Esp

UNIT = "strongswan.service"
DAEMON_FILE = "/etc/strongswan.d/podwright.conf"
CONNECTIONS_FILE = "/etc/swanctl/conf.d/podwright.conf"
KEYS_FILE = "/etc/swanctl/conf.d/podwright-keys.conf"
UNIT_FILE = f"/etc/systemd/system/{UNIT}.d/podwright.conf"
CALLER_UNIT = "podwright-vpn-caller.service"
CALLER_FILE = f"/etc/systemd/system/{CALLER_UNIT}"
HEADER = "# Written by podwright; a change made here does not last.\n"

# 256 bits of AES-GCM (RFC 4106, RFC 5282), elliptic curves of 384 bits (RFC 5903).
_IKE_PROPOSAL = "aes256gcm16-prfsha384-ecp384"
_ESP_PROPOSAL = "aes256gcm16-ecp384"
_DEAD_PEER_DELAY_S = 10
_CALL_INTERVAL_S = 5

# No more plugins than a VPN with pre-shared keys takes; the first kernel plugin that can do ESP does it.
_PLUGINS = "random nonce openssl kdf hmac {kernel} socket-default vici"
# Debian's package forbids the plugin, whatever list it is in.
_ALLOWED = ["        kernel-libipsec {", "            load = yes", "        }"]
_KERNEL = {"kernel": "kernel-netlink", "process": "kernel-libipsec kernel-netlink"}

_LABEL = "lo:podwright"
FORGET_ADDRESSES = ("ip", "address", "flush", "dev", "lo", "label", _LABEL)
"""The command that takes away the addresses that strongSwan's own ESP asks for."""

Vpns = Mapping[str, Mapping[str, Any]]
Keys = Mapping[str, str]
"""{VPN: its pre-shared key}"""


def files(vpns: Vpns, esp: Esp) -> dict[str, str | None]:
    """Write every file but that of the keys; without VPNs there is none."""
    return {
        DAEMON_FILE: _daemon(esp) if vpns else None,
        CONNECTIONS_FILE: _connections(vpns) if vpns else None,
        UNIT_FILE: _unit(vpns, esp) if vpns else None,
        CALLER_FILE: _caller(_called(vpns)) if vpns else None,
    }


def keys_text(vpns: Vpns, keys: Keys) -> str | None:
    """Write the file of the keys, which nobody but root may read."""
    if not vpns:
        return None
    return HEADER + _section("secrets", "".join(_secret(name, vpns[name], keys[name]) for name in sorted(vpns)))


def write_keys(text: str | None) -> None:
    """Put the file of the keys down, or take it away."""
    managed_files.write({KEYS_FILE: text}, mode=0o600)


def read_keys() -> str | None:
    """Read the file of the keys; one that others may read counts as none."""
    path = Path(KEYS_FILE)
    if not path.exists() or path.stat().st_mode & 0o077:
        return None
    return path.read_text(encoding="utf-8")


def esp() -> Esp:
    """See who can encrypt here: the kernel is asked for it in a network namespace that ends with the question."""
    association = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 256 mode tunnel"
    cipher = ["aead", "rfc4106(gcm(aes))", f"0x{'00' * 36}", "128"]
    try:
        services.run("unshare", "--net", "ip", "xfrm", "state", "add", *association.split(), *cipher)
    except RuntimeError:
        return "process"
    return "kernel"


def _daemon(esp: Esp) -> str:
    """A peer that is silent is given up after half a minute, not after three; then it is called again.

    The program that fills the daemon from files needs a random number, and would complain of all that it lacks.
    """
    lines = [
        "    load_modular = no",
        f"    load = {_PLUGINS.format(kernel=_KERNEL[esp])}",
        "    retransmit_tries = 3",
        "    retransmit_timeout = 2.0",
        *(["    plugins {", *_ALLOWED, "    }"] if esp == "process" else []),
    ]
    daemon = "charon {\n" + "".join(f"{line}\n" for line in lines) + "}\n"
    return f"{HEADER}{daemon}swanctl {{\n    load = random openssl\n}}\n"


def _connections(vpns: Vpns) -> str:
    return HEADER + _section("connections", "".join(_connection(name, vpns[name]) for name in sorted(vpns)))


def _connection(name: str, vpn: Mapping[str, Any]) -> str:
    """Write a connection with a child for each kind of traffic, so that none has the selectors of another."""
    children = {
        _child(name, kind): {
            "local_ts": ", ".join(selectors["local"]),
            "remote_ts": ", ".join(selectors["remote"]),
            "esp_proposals": _ESP_PROPOSAL,
        }
        for kind, selectors in sorted(vpn["traffic"].items())
    }
    connection = {
        "version": 2,
        "local_addrs": vpn["local_address"],
        "remote_addrs": vpn["remote_address"],
        "proposals": _IKE_PROPOSAL,
        "dpd_delay": f"{_DEAD_PEER_DELAY_S}s",
        "mobike": "no",
        "unique": "replace",
    }
    body = (
        _settings(connection)
        + _section("local", _settings({"auth": "psk", "id": vpn["local_id"]}))
        + _section("remote", _settings({"auth": "psk", "id": vpn["remote_id"]}))
        + _section("children", "".join(_section(child, _settings(each)) for child, each in children.items()))
    )
    return _section(name, body)


def _child(vpn: str, kind: str) -> str:
    return f"{vpn}-{kind}"


def _calls(vpn: Mapping[str, Any]) -> bool:
    """One of both ends calls; were it both, they would meet halfway and have all twice."""
    return bool(vpn["local_id"] < vpn["remote_id"])


def _called(vpns: Vpns) -> list[str]:
    return [_child(name, kind) for name, vpn in sorted(vpns.items()) if _calls(vpn) for kind in sorted(vpn["traffic"])]


def _caller(children: list[str]) -> str:
    """Call for each child that is down, and again: the daemon itself does not once the other end has said no.

    The other end says so while it does not have its part of the VPN, or another key.
    """
    up = 'swanctl --list-sas | grep -q "^  $child: .* INSTALLED,"'
    call = f"{up} || swanctl --initiate --child $child --timeout 10"
    loop = f"while :; do for child in {' '.join(children)}; do {call}; done; sleep {_CALL_INTERVAL_S}; done"
    start = f"/bin/sh -c '{loop}'" if children else "/bin/true"
    return f"""{HEADER}[Unit]
Description=Calls for VPNs that are down
BindsTo={UNIT}
After={UNIT}

[Service]
ExecStart={start}
"""


def _secret(name: str, vpn: Mapping[str, Any], key: str) -> str:
    return _section(f"ike-{name}", _settings({"id-1": vpn["local_id"], "id-2": vpn["remote_id"], "secret": f'"{key}"'}))


def _unit(vpns: Vpns, esp: Esp) -> str:
    """strongSwan's own ESP routes only for a host that has an address in each of its networks; theirs begins them.

    The network's own address is nobody else's, and no packet is sent from it.
    """
    ends = (selectors["local"] for vpn in vpns.values() for selectors in vpn["traffic"].values())
    networks = {network for networks in ends for network in networks} if esp == "process" else set()
    addresses = [f"{network.network_address}/32" for network in sorted(map(IPv4Network, networks))]
    forget = " ".join(FORGET_ADDRESSES)
    lines = [
        f"ExecStartPre=/usr/bin/{forget}",
        *(f"ExecStartPre=/usr/bin/ip address replace {address} dev lo label {_LABEL}" for address in addresses),
        f"ExecStopPost=/usr/bin/{forget}",
    ]
    return f"{HEADER}[Unit]\nWants={CALLER_UNIT}\n\n[Service]\n" + "".join(f"{line}\n" for line in lines)


def _section(name: str, body: str) -> str:
    return f"{name} {{\n" + "".join(f"    {line}\n" for line in body.splitlines()) + "}\n"


def _settings(settings: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in settings.items())
