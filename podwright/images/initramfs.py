"""A first root file system in the kernel's memory: what goes in, and the archive that the kernel unpacks."""

from __future__ import annotations

import gzip
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

Content = Mapping[str, tuple[int, bytes]]
"""{path without leading slash: (mode with file type, data or link target)}"""


def archive(content: Content) -> bytes:
    """A gzipped `newc` archive of `content`; parent directories are added.

    The format is the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
    """
    directories = {str(parent) for path in content for parent in PurePosixPath(path).parents} - {"."}
    entries = dict.fromkeys(directories, (stat.S_IFDIR | 493, b"")) | dict(content)
    body = b"".join(_entry(path, *entries[path], inode) for inode, path in enumerate(sorted(entries), start=1))
    return gzip.compress(body + _entry("TRAILER!!!", 0, b"", 0), compresslevel=6, mtime=0)


def tree(root: Path) -> Content:
    """Every file and link under `root`; a file is executable for all or for none."""
    found = [path for path in sorted(root.rglob("*")) if path.is_symlink() or path.is_file()]
    return {str(path.relative_to(root)): _file(path) for path in found}


def files(root: Path, *paths: str) -> Content:
    """The files at `paths` of the file system `root`; a link yields the file it leads to within `root`."""
    return {path: _file(_followed(root, path)) for path in paths}


def libraries(root: Path, program: str) -> Content:
    """What the program at the path `program` of `root` is linked to, asked of the loader there (ld.so(8), --list)."""
    listed = _chroot(root, "/lib64/ld-linux-x86-64.so.2", "--list", f"/{program}")
    return files(root, *(word.lstrip("/") for word in listed.split() if word.startswith("/")))


def modules(root: Path, *names: str) -> Content:
    """The kernel modules `names` of `root` with all they need, and `lib/modules/load-order`, a path on each line."""
    order = needed_modules(root, *names)
    lines = "".join(f"/{path}\n" for path in order)
    return {**files(root, *order), "lib/modules/load-order": (stat.S_IFREG | 0o644, lines.encode())}


def needed_modules(root: Path, *names: str) -> list[str]:
    """The paths of the kernel modules `names` of `root` and of all they need, in the order to load them."""
    version = f"--set-version={kernel_version(root)}"
    shown = _chroot(root, "/sbin/modprobe", "--all", version, "--show-depends", *names)
    return list(dict.fromkeys(line.split()[1].lstrip("/") for line in shown.splitlines() if line.startswith("insmod ")))


def kernel_version(root: Path) -> str:
    """The only kernel version that `root` has modules of."""
    (version,) = (path.name for path in (root / "lib/modules").iterdir())
    return version


def _entry(path: str, mode: int, data: bytes, inode: int) -> bytes:
    name = path.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(header + name) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _file(path: Path) -> tuple[int, bytes]:
    if path.is_symlink():
        return stat.S_IFLNK | 0o777, str(path.readlink()).encode()
    return stat.S_IFREG | (0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644), path.read_bytes()


def _followed(root: Path, path: str) -> Path:
    found = root / path
    while found.is_symlink():
        link = str(found.readlink())
        found = root / link.lstrip("/") if link.startswith("/") else found.parent / link
    return found


def _chroot(root: Path, *arguments: str) -> str:
    return subprocess.run(["chroot", root, *arguments], check=True, capture_output=True, text=True).stdout
