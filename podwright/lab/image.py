"""What a lab starts from: the images of its machines, and the root file system of every host.

On a host, what any device might run is installed, and nothing is enabled.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from podwright.images import routing_appliance, tiny
from podwright.images.debian import Recipe, Report, build_root

_BASE = "systemd systemd-sysv dbus udev openssh-server iproute2 iputils-ping iputils-arping ethtool procps tcpdump curl"
_ANSIBLE = "python3 python3-apt python3-dbus python3-libvirt python3-lxml python3-yaml"
_NETWORK = (
    "openvswitch-switch keepalived frr frr-pythontools nftables conntrack netconfd libyang-tools dnsmasq-base haproxy"
)
# kernel-libipsec, which encrypts where the kernel has no ESP, is among the extra plugins.
_FIREWALL = "charon-systemd strongswan-swanctl libcharon-extra-plugins libstrongswan-standard-plugins"
_STORAGE = "nfs-ganesha nfs-ganesha-vfs nfs-common rpcbind libnfs-utils tgt libiscsi-bin"
_HYPERVISOR = (
    "libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-daemon-driver-storage-iscsi-direct libvirt-clients"
    " qemu-system-x86 qemu-utils qemu-block-extra busybox-static socat"
)

HOST = Recipe(
    name="lab-host",
    packages=tuple(" ".join((_BASE, _ANSIBLE, _NETWORK, _FIREWALL, _STORAGE, _HYPERVISOR)).split()),
    files={"/etc/systemd/system-preset/00-lab.preset": "enable ssh.service\ndisable *\n"},
    commands=(
        # A host enables what its kind is sold with (podwright/lab/files/<kind>.units), Ansible the rest.
        "systemctl preset-all",
        "rm /etc/systemd/system-preset/00-lab.preset",
        "systemctl mask console-getty.service systemd-firstboot.service",
        # A login is not worth a user manager of its own.
        "pam-auth-update --package --remove systemd",
        # Each host has a name, an id and a key of its own.
        "rm -f /etc/hostname /etc/ssh/ssh_host_*",
        "truncate --size=0 /etc/machine-id",
    ),
)


def build(report: Report) -> tuple[Path, dict[str, Path]]:
    """Build all that is not in the cache; the hosts' root beside the rest, for each keeps but one processor busy.

    Returns:
        The root file system of hosts, and the images' files, each under its name.

    Raises:
        LabError: A package is not to be had, or a command of a recipe failed.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        root = pool.submit(build_root, HOST, report)
        images = tiny.build(report) | routing_appliance.build(report)
        return root.result(), images
