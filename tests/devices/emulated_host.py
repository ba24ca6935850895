"""A host of a lab with a kernel of its own, Debian's, on an emulated processor (QEMU).

The kernel that tests run on may lack what a device needs.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from podwright.images import initramfs
from podwright.images.debian import build_root
from podwright.images.kernel import VIRTIO, build_kernel_root, kernel_image
from podwright.lab.image import HOST
from podwright.switches.access import Access
from tests.devices.processes import eventually, running
from tests.devices.sshd import access_to, greets, shell

BOOT_TIMEOUT_S = 180
MEMORY_MIB = 384
ADDRESS, CONTROLLER = "10.0.2.15", "10.0.2.2"
"""What QEMU's network gives the host, and who logs in to it (qemu(1), -netdev user)."""

# What brings nothing to a test and whose start costs on an emulated processor.
_MASKED = (
    *("getty.target", "systemd-binfmt.service", "systemd-logind.service", "systemd-modules-load.service"),
    *("systemd-pstore.service", "systemd-random-seed.service", "systemd-update-utmp.service"),
    *("systemd-update-utmp-runlevel.service", "systemd-user-sessions.service", "systemd-networkd-wait-online.service"),
)
_FILES = {
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/etc/ssh/sshd_config.d/test.conf": (
        "HostKey /etc/test/host_key\nAuthorizedKeysFile /etc/test/key.pub\nStrictModes no\nUsePAM no\nUseDNS no\n"
    ),
    "/etc/systemd/network/10-eth0.network": (
        f"[Match]\nName=eth0\n\n[Network]\nLinkLocalAddressing=no\nAddress={ADDRESS}/24\n"
    ),
}


@dataclass(frozen=True)
class EmulatedHost:
    """A host that runs; its interface eth0 is for those who log in."""

    directory: Path
    port: int
    """of 127.0.0.1, by which its sshd is reached"""

    @property
    def access(self) -> Access:
        """How to log in to it."""
        access = access_to(self.directory, self.port)
        return replace(access, user="root", known_hosts_file=self.directory / "known_hosts")

    def on(self, script: str) -> str:
        """What a shell script prints that runs on the host, as an operator's.

        Raises:
            AssertionError: it failed; the text has what it said.
        """
        # A login costs a second on an emulated processor.
        done = self._run(script, master=self.directory / "master")
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def forget_login(self) -> None:
        """End the connection that is kept."""
        command = ["ssh", "-F", "none", "-o", f"ControlPath={self.directory}/master", "-O", "exit", "127.0.0.1"]
        subprocess.run(command, check=False, capture_output=True)

    def reboot(self) -> None:
        """Restart it as if power was lost once all was written, and be there once it is up again."""
        before = self.on("cat /proc/sys/kernel/random/boot_id")
        self.on("sync; (sleep 0.3; systemctl reboot --force --force) >/dev/null 2>&1 &")
        self.forget_login()
        time.sleep(2)  # else it may let somebody in before it goes
        assert eventually(lambda: self._boot_id() not in ("", before), BOOT_TIMEOUT_S), self.console()

    def console(self) -> str:
        """The last that it wrote to its console."""
        return (self.directory / "console.log").read_text(errors="replace")[-3000:]

    def is_up(self) -> bool:
        """Whether it lets somebody in."""
        return bool(self._boot_id())

    def _run(self, script: str, timeout_s: float = 120, master: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a shell script, by the connection that is kept at `master`, if any."""
        kept = {"ControlMaster": "auto" if master else "no", "ControlPath": master or "none", "ControlPersist": "60"}
        return shell(self.access, script, timeout_s=timeout_s, **kept)

    def _boot_id(self) -> str:
        if not greets(self.port):
            return ""
        try:
            done = self._run("cat /proc/sys/kernel/random/boot_id", timeout_s=10)
        except subprocess.TimeoutExpired:  # it went off meanwhile
            return ""
        return done.stdout if done.returncode == 0 else ""


@contextmanager
def emulated_host(directory: Path, files: Mapping[str, str]) -> Iterator[EmulatedHost]:
    """A host that has been switched on, which ends with the block.

    Args:
        directory: Where its disk and its keys are.
        files: What it is sold with beside the image: {absolute path: text}.
    """
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {(directory / 'host_key.pub').read_text()}")
    keys = {f"/etc/test/{name}": (directory / name).read_text() for name in ("host_key", "host_key.pub", "key.pub")}
    kernel, root = build_kernel_root(print), build_root(HOST, print)
    _make_disk(directory, kernel, root, {**_FILES, **files, **keys})
    host = EmulatedHost(directory, port)
    mount = f"mount --bind {directory} {root}/mnt; exec chroot {root} {' '.join(_command(port))}"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", mount]
    with running(command, lambda: (directory / "console.log").exists(), directory / "qemu.log"):
        try:
            assert eventually(host.is_up, BOOT_TIMEOUT_S), host.console()
            yield host
        finally:
            host.forget_login()
            (directory / "disk.raw").unlink()


def _command(port: int) -> list[str]:
    """QEMU as the host; `restrict` leaves the host nobody to talk to but who logs in."""
    kernel = "root=/dev/vda console=ttyS0 no_timer_check net.ifnames=0 mitigations=off quiet"
    units = ["systemd.wants=systemd-networkd.service", *(f"systemd.mask={unit}" for unit in _MASKED)]
    network = f"user,id=management,restrict=on,hostfwd=tcp:127.0.0.1:{port}-{ADDRESS}:22"
    return [
        *("qemu-system-x86_64", "-machine", "q35,usb=off", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"),
        *("-m", f"{MEMORY_MIB}M", "-nodefaults", "-display", "none", "-serial", "file:/mnt/console.log"),
        *("-kernel", "/mnt/vmlinuz", "-initrd", "/mnt/initrd.gz"),
        *("-append", f"'{' '.join([kernel, *units])}'"),
        *("-drive", "file=/mnt/disk.raw,format=raw,if=virtio,cache=unsafe"),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=management"),
        *("-device", "virtio-rng-pci"),
    ]


def _make_disk(directory: Path, kernel: Path, root: Path, files: Mapping[str, str]) -> None:
    """The kernel, what it starts from, and a disk with the image, all modules of the kernel, and `files`."""
    content = {
        **initramfs.files(kernel, "bin/busybox"),
        **initramfs.modules(kernel, *VIRTIO),
        **initramfs.tree(Path(initramfs.__file__).parent / "content/boot"),
    }
    (directory / "initrd.gz").write_bytes(initramfs.archive(content))
    (directory / "vmlinuz").write_bytes(kernel_image(kernel).read_bytes())
    beside, merged, disk = (directory / name for name in ("files", "merged", "disk.raw"))
    for path, text in files.items():
        (beside / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (beside / path.lstrip("/")).write_text(text)
    (beside / "etc/test/host_key").chmod(0o600)
    (beside / "usr/lib/modules").mkdir(parents=True)
    merged.mkdir()
    with disk.open("wb") as file:
        file.truncate(2 << 30)
    steps = (
        f"mount -t overlay -o lowerdir={beside}:{root} overlay {merged}",
        f"mount --bind {kernel}/lib/modules {merged}/usr/lib/modules",
        f"exec mke2fs -q -F -t ext4 -d {merged} {disk}",
    )
    subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", "; ".join(steps)], check=True)
