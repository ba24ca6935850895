"""The root file system that every lab host starts from: what any device might run is installed, nothing is enabled."""

from __future__ import annotations

from podwright.images.debian import Recipe

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
