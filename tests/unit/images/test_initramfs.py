from __future__ import annotations

import gzip
import stat
from pathlib import Path

from podwright.images import initramfs


def test_archive_holds_files_links_and_their_directories() -> None:
    content = {"init": (stat.S_IFREG | 0o755, b"#!/bin/sh\n"), "etc/udhcpc/lease": (stat.S_IFLNK | 0o777, b"/init")}
    assert unpacked(initramfs.archive(content)) == [
        ("etc", stat.S_IFDIR | 0o755, b""),
        ("etc/udhcpc", stat.S_IFDIR | 0o755, b""),
        ("etc/udhcpc/lease", stat.S_IFLNK | 0o777, b"/init"),
        ("init", stat.S_IFREG | 0o755, b"#!/bin/sh\n"),
        ("TRAILER!!!", 0, b""),
    ]


def test_archive_of_the_same_content_is_the_same() -> None:
    one = {"a": (stat.S_IFREG | 0o644, b"1"), "b": (stat.S_IFREG | 0o644, b"2")}
    assert initramfs.archive(one) == initramfs.archive(dict(reversed(one.items())))


def test_tree_keeps_links_and_who_may_execute(tmp_path: Path) -> None:
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin/init").write_text("run")
    (tmp_path / "sbin/init").chmod(0o700)
    (tmp_path / "data").write_text("read")
    (tmp_path / "link").symlink_to("sbin/init")
    assert initramfs.tree(tmp_path) == {
        "data": (stat.S_IFREG | 0o644, b"read"),
        "link": (stat.S_IFLNK | 0o777, b"sbin/init"),
        "sbin/init": (stat.S_IFREG | 0o755, b"run"),
    }


def test_files_follow_absolute_links_within_the_root(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/loader-2").write_text("the root's own")
    (tmp_path / "lib/loader").symlink_to("loader-2")
    (tmp_path / "loader").symlink_to("/lib/loader")
    assert initramfs.files(tmp_path, "loader") == {"loader": (stat.S_IFREG | 0o644, b"the root's own")}


def unpacked(archive: bytes) -> list[tuple[str, int, bytes]]:
    """(path, mode, data) of each entry, read as the kernel's buffer-format.rst says."""
    body = gzip.decompress(archive)
    entries = []
    at = 0
    while at < len(body):
        assert body[at : at + 6] == b"070701"
        fields = [int(body[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = body[at + 110 : at + 110 + name_size - 1].decode()
        start = -(-(at + 110 + name_size) // 4) * 4
        entries.append((name, mode, body[start : start + size]))
        at = -(-(start + size) // 4) * 4
    return entries
