"""What a machine needs before it can hold a lab."""

from __future__ import annotations

import os
import shutil

from podwright.errors import LabError

# {program: Debian package}
_PROGRAMS = {
    "ethtool": "ethtool",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "nsenter": "util-linux",
    "ping": "iputils-ping",
    "ssh": "openssh-client",
    "systemd-nspawn": "systemd-container",
}
_ADMINISTRATORS_PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin"


def missing() -> list[str]:
    """The Debian packages that the lab needs and this machine lacks, sorted."""
    path = f"{os.environ.get('PATH', os.defpath)}:{_ADMINISTRATORS_PROGRAMS}"
    return sorted(package for program, package in _PROGRAMS.items() if not shutil.which(program, path=path))


def check() -> None:
    """See that this machine can hold a lab.

    Raises:
        LabError: It cannot; the text says what to do.
    """
    if os.geteuid() != 0:
        raise LabError("a lab makes namespaces and mounts: run this as root")
    if packages := missing():
        raise LabError(f"this machine lacks programs that a lab needs; run: apt-get install {' '.join(packages)}")
