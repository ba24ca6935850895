"""Where the plan is kept: a file for each device, and an index that is written last.

The index names the SHA-256 of every state and of the sources that the plan was
made from. Whoever reads a state compares both, so a run that was killed in the
middle, a torn file, a change by hand and a plan older than the inventory are
all seen, and the remedy is always to plan again.

    <state_directory>/plan/index.json    {devices: {device: sha256}, sources: sha256}
    <state_directory>/plan/<device>.yml
    <state_directory>/preview/           the same, made in check mode

States are YAML for people to review. The index is JSON: every lookup reads all of
it, and at 5,000 devices that takes 1 ms instead of 31.

This module reads no declaration and works out no state, so that importing it
costs little: a lookup plugin does so in every process that Ansible forks.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from podwright.errors import PlanError

_INDEX = "index.json"
_REMEDY = "run playbooks/plan.yml"
# No variable that is a password in a URL: another one says nothing else, and nobody is to guess it by its digest.
_VARIABLE = re.compile(rb"(?<!:)\$\{(\w+)\}|\$\{(\w+)\}(?!@)")


def plan_directory(state_directory: Path) -> Path:
    """Where the plan of the last run is."""
    return state_directory / "plan"


def preview_directory(state_directory: Path) -> Path:
    """Where the plan of the last run in check mode is, until the plan is made."""
    return state_directory / "preview"


def current_directory(state_directory: Path, *, check_mode: bool) -> Path:
    """Where to read from: in check mode what was previewed, if anything was since the plan was made."""
    preview = preview_directory(state_directory)
    return preview if check_mode and preview.is_dir() else plan_directory(state_directory)


@contextmanager
def exclusive(state_directory: Path) -> Iterator[None]:
    """Keep other runs from planning into the same directory; a killed run frees it (flock(2))."""
    state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state_directory / "plan.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sources_digest(cloud_file: Path, environment: Mapping[str, str] = os.environ) -> str:
    """A SHA-256 of all that a declaration says: its files and the variables that they name."""
    result = hashlib.sha256()
    names: set[bytes] = set()
    for file in [cloud_file, *sorted((cloud_file.parent / "cloud.d").glob("*.yml"))]:
        content = file.read_bytes()
        names.update(found[1] or found[2] for found in _VARIABLE.finditer(content))
        result.update(b"%s %d\n%s" % (os.fsencode(file.name), len(content), content))
    for name in sorted(names):
        result.update(b"%s=%s\n" % (name, environment.get(name.decode(), "").encode()))
    return result.hexdigest()


def digest(state: str | bytes) -> str:
    """The SHA-256 of a written state, as `sha256sum` says it of the file."""
    return hashlib.sha256(state.encode() if isinstance(state, str) else state).hexdigest()


def write(directory: Path, states: Mapping[str, str], sources: str) -> None:
    """Make the directory hold `states` ({device: YAML}), all of it or, after a crash, recognizably not all.

    Touches only files that differ and removes those of devices that are gone.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    devices = {name: digest(text) for name, text in states.items()}
    index = json.dumps({"devices": devices, "sources": sources}, indent=1, sort_keys=True) + "\n"
    before = read_texts(directory)
    for name, text in states.items():
        if before.get(name) != text:
            _replace(directory / f"{name}.yml", text)
    _remove_all_but(directory, {*(f"{name}.yml" for name in states), _INDEX})
    if not (directory / _INDEX).is_file() or (directory / _INDEX).read_text(encoding="utf-8") != index:
        _replace(directory / _INDEX, index)


def discard(directory: Path) -> None:
    """Remove a plan that is no longer of use, the index first."""
    if directory.is_dir():
        (directory / _INDEX).unlink(missing_ok=True)
        shutil.rmtree(directory)


def read_texts(directory: Path) -> dict[str, str]:
    """Every state that is there, as it was written: {device: YAML}, by name."""
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(directory.glob("*.yml"))}


def check_sources(directory: Path, sources: str) -> None:
    """Refuse a plan that was made from other sources.

    Raises:
        PlanError: it was, or there is none.
    """
    _index(directory, sources)


def read_state(directory: Path, device: str, sources: str) -> dict[str, Any]:
    """The desired state of a device.

    Raises:
        PlanError: there is none, or it was made from other sources, or is not what was planned.
    """
    return _checked_state(directory, device, _index(directory, sources))


def read_states(directory: Path, sources: str) -> dict[str, dict[str, Any]]:
    """The desired state of every device, by name.

    Raises:
        PlanError: as `read_state` does, for any of them.
    """
    devices = _index(directory, sources)
    return {device: _checked_state(directory, device, devices) for device in sorted(devices)}


_parsed: dict[str, Any] = {}
"""{SHA-256 of a file: its value}, so that a process parses nothing twice"""


def _index(directory: Path, sources: str) -> dict[str, str]:
    try:
        index = json.loads((directory / _INDEX).read_bytes())
        planned_from, devices = index["sources"], dict(index["devices"])
    except FileNotFoundError:
        raise PlanError(f"{directory}: there is no plan; {_REMEDY}") from None
    except (KeyError, TypeError, ValueError):
        raise PlanError(f"{directory / _INDEX}: is not an index of a plan; {_REMEDY}") from None
    if planned_from != sources:
        raise PlanError(f"{directory}: the plan was made before the inventory changed; {_REMEDY}")
    return devices


def _checked_state(directory: Path, device: str, devices: Mapping[str, str]) -> dict[str, Any]:
    if device not in devices:
        raise PlanError(f"{directory}: {device} is not a device of the plan; name one of its {len(devices)} devices")
    file = directory / f"{device}.yml"
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        content = b""
    if digest(content) != devices[device]:
        raise PlanError(f"{file}: is missing or not what was planned; {_REMEDY}")
    return dict(_parse(content))


def _parse(content: bytes) -> Any:
    key = digest(content)
    if key not in _parsed:
        _parsed[key] = yaml.load(content, Loader=yaml.CSafeLoader)
    return _parsed[key]


def _replace(file: Path, text: str) -> None:
    """Write a file in one step: readers see the old text or the new one."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def _remove_all_but(directory: Path, keep: set[str]) -> None:
    for file in directory.iterdir():
        if file.name not in keep and file.is_file():
            file.unlink()
