"""Where rendered configurations are kept: a directory for each device, and an index that is written last.

    <state_directory>/rendered/index.json         {files: {device/path: sha256}, sources: sha256}
    <state_directory>/rendered/<device>/<path>

Files are replaced one by one, each in one step, and only those that differ.
Whoever reads them compares the index, so that a run that was killed in the middle
and a declaration that changed since are seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = {f"{device}/{path}": text for device, files in configurations.items() for path, text in files.items()}
    there = {file.relative_to(directory).as_posix(): file for file in directory.rglob("*") if file.is_file()}
    changed = [name for name, text in wanted.items() if name not in there or not _holds(there[name], text)]
    gone = [name for name in there if name not in wanted and name != INDEX]
    for name in changed:
        _replace(directory / name, wanted[name])
    for name in gone:
        there[name].unlink()
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
    return {device.name: _read_device(device) for device in sorted(directory.iterdir()) if device.is_dir()}


def _read_device(device: Path) -> dict[str, str]:
    files = sorted(file for file in device.rglob("*") if file.is_file())
    try:
        return {file.relative_to(device).as_posix(): file.read_text(encoding="utf-8") for file in files}
    except UnicodeDecodeError:
        raise PlanError(f"{device}: has files that are not UTF-8; docs/offline.md says what belongs there") from None


def _holds(file: Path, text: str) -> bool:
    return file.read_bytes() == text.encode()


def _replace(file: Path, text: str) -> None:
    """Write a file in one step: readers see the old text or the new one."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def _remove_empty(directory: Path) -> None:
    for inside in sorted((path for path in directory.rglob("*") if path.is_dir()), reverse=True):
        if not any(inside.iterdir()):
            inside.rmdir()
