from __future__ import annotations

import hashlib
from pathlib import Path

from ansible_collections.podwright.cloud.plugins.module_utils import boot_files


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def staged(directory: Path, *texts: str) -> str:
    directory.mkdir(exist_ok=True)
    for text in texts:
        (directory / digest(text)).write_text(text)
    return str(directory)


def test_first_image_then_nothing_differs(tmp_path: Path) -> None:
    wanted: boot_files.Files = {"tiny": {"kernel": digest("kernel"), "initrd": digest("initrd")}}
    changes = boot_files.plan(boot_files.read(tmp_path / "boot"), wanted)
    assert changes == wanted
    assert boot_files.missing(changes) == sorted([digest("kernel"), digest("initrd")])
    boot_files.apply(changes, staged(tmp_path / "staged", "kernel", "initrd"), tmp_path / "boot")
    assert (tmp_path / "boot/tiny/kernel").read_text() == "kernel"
    assert (tmp_path / "boot/tiny/kernel").stat().st_mode & 0o777 == 0o644
    assert boot_files.plan(boot_files.read(tmp_path / "boot"), wanted) == {}


def test_one_kernel_for_two_images(tmp_path: Path) -> None:
    wanted: boot_files.Files = {name: {"kernel": digest("kernel"), "initrd": None} for name in ("a", "b")}
    changes = boot_files.plan({}, wanted)
    assert boot_files.missing(changes) == [digest("kernel")]
    boot_files.apply(changes, staged(tmp_path / "staged", "kernel"), tmp_path / "boot")
    assert boot_files.read(tmp_path / "boot") == wanted


def test_only_the_new_kernel_is_asked_for() -> None:
    had: boot_files.Files = {"tiny": {"kernel": "old", "initrd": "same"}}
    assert boot_files.plan(had, {"tiny": {"kernel": "new", "initrd": "same"}}) == {"tiny": {"kernel": "new"}}


def test_an_initrd_and_an_image_that_are_not_wanted_go(tmp_path: Path) -> None:
    texts = ("kernel", "initrd")
    had: boot_files.Files = {name: {"kernel": digest("kernel"), "initrd": digest("initrd")} for name in ("a", "b")}
    boot_files.apply(boot_files.plan({}, had), staged(tmp_path / "staged", *texts), tmp_path / "boot")
    wanted: boot_files.Files = {"a": {"kernel": digest("kernel"), "initrd": None}}
    changes = boot_files.plan(had, wanted)
    assert changes == {"a": {"initrd": None}, "b": None}
    assert boot_files.missing(changes) == []
    boot_files.apply(changes, None, tmp_path / "boot")
    assert boot_files.read(tmp_path / "boot") == wanted
