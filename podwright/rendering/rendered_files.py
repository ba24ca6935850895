"""Where rendered configurations are kept: a directory for each device, and an index that is written last.

    <state_directory>/rendered/index.json         {files: {device/path: sha256}, sources: sha256}
    <state_directory>/rendered/<device>/<path>

Files are replaced one by one, each in one step, and only those that differ.
Whoever reads them compares the index, so that a run that was killed in the middle
and a declaration that changed since are seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from podwright.errors import PlanError
from podwright.plan_files import digest

INDEX = "index.json"
_REMEDY = "run `podwright plan`"

Configurations = Mapping[str, Mapping[str, str]]
"""{device: {path below the device's directory: text}}"""


def rendered_directory(state_directory: Path) -> Path:
    """Where the configurations of the last rendering are."""
    return state_directory / "rendered"


def write(directory: Path, configurations: Configurations, sources: str) -> int:
    """Make the directory hold the configurations and nothing else; the number of files that had to change."""
    wanted = {f"{device}/{path}": text for device, files in configurations.items() for path, text in files.items()}
    there = set(_names(directory))
    changed = [name for name, text in wanted.items() if name not in there or not _holds(directory / name, text)]
    gone = there - wanted.keys() - {INDEX}
    for name in changed:
        _replace(directory / name, wanted[name])
    for name in gone:
        (directory / name).unlink()
    if gone:
        _remove_empty(directory)
    index = {"files": {name: digest(text) for name, text in wanted.items()}, "sources": sources}
    _replace(directory / INDEX, json.dumps(index, indent=1, sort_keys=True) + "\n")
    return len(changed) + len(gone)


def check(directory: Path, sources: str) -> None:
    """Refuse configurations that were not all written, or were changed, or are of another declaration.

    Raises:
        PlanError: they are.
    """
    try:
        index = json.loads((directory / INDEX).read_bytes())
        files, rendered_from = dict(index["files"]), index["sources"]
    except FileNotFoundError:
        raise PlanError(f"{directory}: nothing was rendered; {_REMEDY}") from None
    except (KeyError, TypeError, ValueError):
        raise PlanError(f"{directory / INDEX}: is not an index of configurations; {_REMEDY}") from None
    if rendered_from != sources:
        raise PlanError(f"{directory}: was rendered before the inventory changed; {_REMEDY}")
    for name, expected in files.items():
        file = directory / name
        if not file.is_file() or digest(file.read_bytes()) != expected:
            raise PlanError(f"{file}: is missing or not what was rendered; {_REMEDY}")


def read(directory: Path) -> dict[str, dict[str, str]]:
    """The configurations in a directory, by device and path.

    Raises:
        PlanError: there is no such directory, or a file that is no text.
    """
    if not directory.is_dir():
        raise PlanError(f"{directory}: is not a directory; name one that holds a directory for each device")
    devices: dict[str, dict[str, str]] = {device.name: {} for device in sorted(directory.iterdir()) if device.is_dir()}
    for name in sorted(_names(directory)):
        device, _, path = name.partition("/")
        if path:
            devices[device][path] = _text(directory / name)
    return devices


def _names(directory: Path) -> Iterator[str]:
    """The files in a directory, by their paths below it. Of a large cloud they are ten thousands."""
    for inside, _, files in os.walk(directory):
        below = os.path.relpath(inside, directory)
        yield from (file if below == "." else f"{below}/{file}" for file in files)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PlanError(f"{file}: is not UTF-8; docs/proof.md says what belongs there") from None


def _holds(file: Path, text: str) -> bool:
    return file.read_bytes() == text.encode()


def _replace(file: Path, text: str) -> None:
    """Write a file in one step: readers see the old text or the new one."""
    new = file.with_name(f".{file.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
    except FileNotFoundError:
        file.parent.mkdir(mode=0o700, parents=True)
        new.write_text(text, encoding="utf-8")
    new.replace(file)


def _remove_empty(directory: Path) -> None:
    for inside, _, _ in os.walk(directory, topdown=False):
        path = Path(inside)
        if path != directory and not any(path.iterdir()):
            path.rmdir()
