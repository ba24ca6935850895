"""The image of a routing appliance: the least Debian that routes for an account and that Ansible can log in to.

A limit: the SSH host key is made with the image, so all appliances of one image share it. The controller knows it
beforehand (`routing-appliance.host_key.pub`) and can insist on it from the first connection.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from podwright.images import initramfs
from podwright.images.artifact import build_artifact
from podwright.images.debian import Recipe, Report, build_root
from podwright.images.kernel import VIRTIO, build_kernel_root, kernel_image

_CONTENT = Path(__file__).parent / "content"
_ROOT_CONTENT = _CONTENT / "routing-appliance"

_PACKAGES = (
    *("conntrack", "dbus", "dnsmasq", "iproute2", "iputils-ping", "kmod", "nftables", "openssh-server", "python3"),
    *("qemu-guest-agent", "systemd", "systemd-sysv", "udev"),
    "usr-is-merged",  # else usrmerge comes, and with it the whole of perl
)

# Units that bring nothing to a router and whose start costs on an emulated processor.
_MASKED = (
    *("dpkg-db-backup.timer", "fstrim.timer", "systemd-tmpfiles-clean.timer"),
    *("getty.target", "systemd-ask-password-console.path", "systemd-ask-password-wall.path"),
    *("systemd-logind.service", "systemd-user-sessions.service"),
    *("systemd-update-utmp.service", "systemd-update-utmp-runlevel.service"),
    *("systemd-binfmt.service", "proc-sys-fs-binfmt_misc.automount"),
    *("systemd-journal-flush.service", "systemd-machine-id-commit.service", "systemd-firstboot.service"),
    *("systemd-pstore.service", "systemd-random-seed.service", "systemd-repart.service", "systemd-sysusers.service"),
    *("systemd-initctl.socket", "systemd-journald-audit.socket", "systemd-modules-load.service"),
    *("systemd-tmpfiles-setup-dev.service", "cryptsetup.target", "integritysetup.target", "veritysetup.target"),
    *("systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "kmod-static-nodes.service"),
    *("systemd-remount-fs.service", "systemd-network-generator.service", "systemd-networkd-wait-online.service"),
    *("dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
)

# The rules that name interfaces and announce devices to systemd; disks, sound and the like are not looked at.
_UDEV_RULES = ("50-udev-default", "60-qemu-guest-agent", "75-net-description", "80-net-setup-link", "99-systemd")

_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"

# What a router may come to need; the kernel loads them when something asks for them.
_MODULES = (
    *("net/netfilter", "net/ipv4", "net/ipv6", "net/8021q", "net/xfrm", "net/key", "net/sched"),
    *("drivers/net/dummy.ko", "drivers/net/macvlan.ko", "drivers/net/veth.ko", "drivers/net/vrf.ko"),
    *("drivers/net/wireguard", "crypto"),
)


def build(report: Report) -> dict[str, Path]:
    """The image's files, each under its name; built when they are not in the cache.

    `routing-appliance.raw` (ext4, no partition table; grows to its disk at boot), `routing-appliance.cpio.gz`,
    `routing-appliance.host_key.pub` and `vmlinuz`.

    Raises:
        LabError: A package is not to be had, or a command of the recipe failed.
    """
    kernel_root = build_kernel_root(report)
    root = build_root(_recipe(), report)

    def make(directory: Path) -> None:
        report("routing-appliance image: initramfs and disk")
        content = {
            **initramfs.files(kernel_root, "bin/busybox"),
            **initramfs.modules(kernel_root, *VIRTIO),
            **initramfs.tree(_CONTENT / "boot"),
        }
        (directory / "routing-appliance.cpio.gz").write_bytes(initramfs.archive(content))
        (directory / "routing-appliance.host_key.pub").write_bytes((root / f"{_HOST_KEY}.pub").read_bytes())
        _write_disk(directory / "routing-appliance.raw", root, kernel_root)

    ingredients = (root.name, kernel_root.name, _CONTENT / "boot", Path(__file__), Path(initramfs.__file__))
    made = build_artifact("routing-appliance", ingredients, make)
    names = ("routing-appliance.raw", "routing-appliance.cpio.gz", "routing-appliance.host_key.pub")
    return {name: made / name for name in names} | {"vmlinuz": kernel_image(kernel_root)}


def _recipe() -> Recipe:
    rules = " ".join(f"{rule}.rules" for rule in _UDEV_RULES)
    return Recipe(
        name="routing-appliance",
        variant="essential",
        packages=_PACKAGES,
        files={
            f"/{path.relative_to(_ROOT_CONTENT)}": path.read_text()
            for path in sorted(_ROOT_CONTENT.rglob("*"))
            if path.is_file()
        },
        commands=(
            f"systemctl mask {' '.join(_MASKED)}",
            "rm /usr/lib/systemd/system-generators/*",  # 2 s of processor time that find nothing to generate
            "rm /usr/share/dbus-1/system-services/org.freedesktop.login1.service",
            "chmod 755 /usr/lib/podwright/shutdown && ln -sf /usr/lib/podwright/shutdown /usr/sbin/shutdown",
            "systemctl disable dnsmasq",
            "systemctl enable systemd-networkd podwright-credentials podwright-grow-root",
            "systemctl set-default multi-user.target",
            f"mkdir /tmp/rules && cd /usr/lib/udev/rules.d && mv {rules} /tmp/rules",
            "rm -rf /usr/lib/udev/rules.d /usr/lib/udev/hwdb.d /usr/lib/udev/hwdb.bin",
            "mv /tmp/rules /usr/lib/udev/rules.d",
            "rm -rf /usr/lib/x86_64-linux-gnu/gconv /usr/share/i18n /usr/share/bash-completion /var/log/*",
            "rm -f /etc/hostname /etc/ssh/ssh_host_rsa_key* /etc/ssh/ssh_host_ecdsa_key*",
            f"rm -f /{_HOST_KEY} && ssh-keygen -q -t ed25519 -N '' -C '' -f /{_HOST_KEY}",
            ": >/etc/machine-id",
        ),
    )


def _write_disk(disk: Path, root: Path, kernel_root: Path) -> None:
    """An ext4 file system of `root` with the kernel's modules, at the least size with room to boot."""
    with TemporaryDirectory(dir=disk.parent) as scratch:
        staged = Path(scratch) / "root"
        # Hard links: `root` is only read, and nothing that is written below exists in it.
        subprocess.run(["cp", "--archive", "--link", root, staged], check=True)
        _add_modules(staged, kernel_root)
        used_kib = int(subprocess.run(["du", "-sk", staged], check=True, capture_output=True).stdout.split()[0])
        size_kib = used_kib * 5 // 4 + 16 * 1024
        options = ["-q", "-t", "ext4", "-m", "0", "-I", "256", "-J", "size=4", "-E", "root_owner=0:0"]
        subprocess.run(["mke2fs", *options, "-d", staged, disk, f"{size_kib}k"], check=True, stdout=subprocess.DEVNULL)
    disk.chmod(0o600)  # it holds the private host key


def _add_modules(staged: Path, kernel_root: Path) -> None:
    version = initramfs.kernel_version(kernel_root)
    directory = kernel_root / "lib/modules" / version
    found = (directory / "kernel" / module for module in _MODULES)
    names = sorted(ko.stem for path in found for ko in ([path] if path.is_file() else path.rglob("*.ko")))
    listings = (f"lib/modules/{version}/modules.{kind}" for kind in ("builtin", "builtin.modinfo", "order"))
    paths = [*initramfs.needed_modules(kernel_root, *names), *listings]
    for path, (_, data) in initramfs.files(kernel_root, *paths).items():
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        (staged / path).write_bytes(data)
    subprocess.run(["chroot", staged, "depmod", version], check=True)
