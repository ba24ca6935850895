"""An SSH connection to a device whose host key is known."""

from __future__ import annotations

import socket

import paramiko

from podwright.errors import DeviceError
from podwright.switches.access import Access

CONNECT_TIMEOUT_S = 10


def connect(access: Access) -> paramiko.Transport:
    """Log in to a device.

    Raises:
        DeviceError: its host key is not known.
        paramiko.SSHException: it has another host key, or does not take ours.
        OSError: it does not answer, or there is no key to log in with.
    """
    host_key = known_host_key(access)
    connection = socket.create_connection((access.host, access.port), CONNECT_TIMEOUT_S)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(connection)
        transport.banner_timeout = transport.auth_timeout = CONNECT_TIMEOUT_S
        # A device may have keys of several types: it is to show the one that is known.
        transport.get_security_options().key_types = _signatures(host_key)
        transport.connect(hostkey=host_key, username=access.user, pkey=paramiko.PKey.from_path(access.key_file))
    except BaseException:
        connection.close()
        raise
    return transport


def known_host_key(access: Access) -> paramiko.PKey:
    """The device's host key, from the known hosts.

    Raises:
        DeviceError: there is none.
    """
    names = (f"[{access.host}]:{access.port}", access.host)
    known = paramiko.HostKeys(str(access.known_hosts_file))
    keys = next((keys for name in names if (keys := known.lookup(name))), None)
    if not keys:
        raise DeviceError(
            f"{access.host}: no host key in {access.known_hosts_file}, expected one of {' or '.join(names)}; "
            f"add the line that `ssh-keyscan -p {access.port} {access.host}` prints once you have checked it"
        )
    key = keys.get("ssh-ed25519") or next(iter(keys.values()))
    assert key is not None
    return key


def _signatures(key: paramiko.PKey) -> tuple[str, ...]:
    """The algorithms by which a device proves that it has a key; those of RSA have other names (RFC 8332)."""
    return ("rsa-sha2-512", "rsa-sha2-256") if key.get_name() == "ssh-rsa" else (key.get_name(),)
