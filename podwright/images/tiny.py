"""The image `tiny`: a machine that takes a lease, counts its boots on its disk and obeys the guest agent.

It lives in its initramfs; 96 MiB of memory are enough.
"""

from __future__ import annotations

from pathlib import Path

from podwright.images import initramfs
from podwright.images.artifact import build_artifact
from podwright.images.debian import Report
from podwright.images.kernel import VIRTIO, build_kernel_root, kernel_image

_CONTENT = Path(__file__).parent / "content" / "tiny"
_DISK_BYTES = 1 << 20


def build(report: Report) -> dict[str, Path]:
    """`tiny.raw`, `tiny.cpio.gz` and `vmlinuz`, each under its name; built when they are not in the cache.

    Raises:
        LabError: A package is not to be had.
    """
    root = build_kernel_root(report)

    def make(directory: Path) -> None:
        report("tiny image: initramfs and disk")
        (directory / "tiny.cpio.gz").write_bytes(initramfs.archive(_content(root)))
        (directory / "tiny.raw").write_bytes(b"boots 0\n".ljust(_DISK_BYTES, b"\0"))

    made = build_artifact("tiny", (root.name, _CONTENT, Path(__file__), Path(initramfs.__file__)), make)
    return {
        "tiny.raw": made / "tiny.raw",
        "tiny.cpio.gz": made / "tiny.cpio.gz",
        "vmlinuz": kernel_image(root),
    }


def _content(root: Path) -> initramfs.Content:
    agent = "usr/sbin/qemu-ga"
    return {
        **initramfs.files(root, "bin/busybox", agent),
        **initramfs.libraries(root, agent),
        **initramfs.modules(root, *VIRTIO),
        **initramfs.tree(_CONTENT),
    }
