"""Where the configurations that were collected from devices are kept: a directory for each device.

    <directory>/.podwright-collection     says that what is here may be taken away
    <directory>/<device>/<path>           0600, in directories of 0700

A device has a directory once all of it was read, and none after a collection in which it failed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from podwright.errors import CollectionError

_MARK = ".podwright-collection"
_MARK_TEXT = "Collected by podwright, which takes it away when it collects again.\n"


def make_room(directory: Path, devices: Iterable[str]) -> None:
    """Make the directory, and take out of it what was collected before of these devices.

    Raises:
        CollectionError: it holds something else, or cannot be made.
    """
    try:
        with _private():
            directory.mkdir(parents=True, exist_ok=True)
            names = {file.name for file in directory.iterdir()}
            if names and _MARK not in names:
                raise CollectionError(
                    f"{directory}: holds {min(names)}, which was not collected; name an empty directory, or a new one"
                )
            directory.chmod(0o700)
            (directory / _MARK).write_text(_MARK_TEXT, encoding="ascii")
        for name in names.intersection(name for device in devices for name in (device, _unfinished(device))):
            shutil.rmtree(directory / name)
    except OSError as error:
        raise CollectionError(
            f"{directory}: {error.strerror or error}; name a directory that can be written to"
        ) from error


def keep(directory: Path, device: str, files: Mapping[str, str]) -> list[str]:
    """Write the files of a device ({path below its directory: text}), all of them or none; their paths, sorted.

    Raises:
        CollectionError: a path leads elsewhere, or the directory cannot be written to.
    """
    for path in map(PurePosixPath, files):
        if path.is_absolute() or ".." in path.parts:
            raise CollectionError(f"{device}: would write to {path}, outside of its directory; do not trust the device")
    unfinished = directory / _unfinished(device)
    try:
        with _private():
            unfinished.mkdir()
            for name, text in files.items():
                file = unfinished / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        unfinished.rename(directory / device)
    except OSError as error:
        raise CollectionError(f"{error.filename}: {error.strerror or error}; collect into another directory") from error
    return sorted(files)


def _unfinished(device: str) -> str:
    return f".{device}.new"


@contextmanager
def _private() -> Iterator[None]:
    """Have what is made meanwhile be for its owner alone (umask(2))."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
