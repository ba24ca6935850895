"""An SSH server on a port of 127.0.0.1 that lets the user of the tests in with a key of its own."""

from __future__ import annotations

import getpass
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podwright.switches.access import Access
from tests.devices.processes import running

# A client that is gone without a word is gone after two seconds.
CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
ClientAliveInterval 1
ClientAliveCountMax 1
{more}
"""


@contextmanager
def sshd(directory: Path, port: int, more: str = "") -> Iterator[None]:
    """A server with its keys in `directory`, and more lines of sshd_config(5), which ends with the block."""
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
    (directory / "known_hosts").write_text(f"127.0.0.1 {(directory / 'host_key.pub').read_text()}")
    (directory / "sshd_config").write_text(CONFIGURATION.format(port=port, directory=directory, more=more))
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd(8): where its unprivileged part is locked in
    command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(directory / "sshd_config")]
    with running(command, lambda: listens(port), directory / "sshd.log"):
        yield


def access_to(directory: Path, port: int) -> Access:
    """How to log in to the server with its keys in `directory`, by that port."""
    return Access("127.0.0.1", port, getpass.getuser(), directory / "key", directory / "known_hosts")


def shell(access: Access, script: str, *, timeout_s: float = 60, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a shell script on a device, as an operator; with more options of ssh_config(5)."""
    options = {"UserKnownHostsFile": access.known_hosts_file, "IdentitiesOnly": "yes", "LogLevel": "ERROR", **options}
    command = ["ssh", "-F", "none", "-i", str(access.key_file), "-p", str(access.port)]
    command += [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    command += [f"{access.user}@{access.host}", "sh", "-eu"]
    return subprocess.run(command, input=script, check=False, capture_output=True, text=True, timeout=timeout_s)


def greets(port: int) -> bool:
    """Whether a server greets (RFC 4253 section 4.2) who comes by a port of 127.0.0.1; if not, some time has passed."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.settimeout(1)
        try:
            greeted = client.recv(4) == b"SSH-"
        except OSError:
            greeted = False
    if not greeted:
        time.sleep(0.2)
    return greeted


def listens(port: int) -> bool:
    """Whether something listens on a port of 127.0.0.1."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
