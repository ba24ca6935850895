"""The kernel that images boot, with its modules and what an initramfs is made of: Debian's kernel for clouds."""

from __future__ import annotations

from pathlib import Path

from podwright.images import initramfs
from podwright.images.debian import Recipe, Report, build_root

# Unpacked, not installed: nothing of it runs but modprobe and the loader.
_RECIPE = Recipe(
    name="kernel",
    variant="extract",
    packages=("busybox-static", "dash", "kmod", "linux-image-cloud-amd64", "qemu-guest-agent"),
    commands=("cd /lib/modules", "for version in *; do /sbin/depmod $version; done"),
)

# virtio, the only hardware that machines have (virtio-v1.2): network, disk and the guest agent's channel.
VIRTIO = ("virtio_pci", "virtio_net", "virtio_blk", "virtio_console")


def build_kernel_root(report: Report) -> Path:
    """A root file system with one kernel in boot/, its modules, busybox and the guest agent; cached."""
    return build_root(_RECIPE, report)


def kernel_image(root: Path) -> Path:
    """The bootable kernel of `root`."""
    return root / "boot" / f"vmlinuz-{initramfs.kernel_version(root)}"
