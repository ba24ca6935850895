"""The cache of root file systems; that they boot is what tests/lab shows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from podwright.errors import LabError
from podwright.images import debian
from podwright.images.debian import Recipe, build_root

RECIPE = Recipe(name="trial", packages=("busybox-static",))


@pytest.mark.parametrize(
    "other",
    [
        Recipe(name="trial", packages=("busybox-static", "dash")),
        Recipe(name="trial", packages=("busybox-static",), files={"/etc/motd": "x"}),
        Recipe(name="trial", packages=("busybox-static",), commands=("true",)),
        Recipe(name="trial", packages=("busybox-static",), variant="extract"),
    ],
)
def test_another_recipe_is_another_root(other: Recipe) -> None:
    assert debian._digest(other) != debian._digest(RECIPE)


def test_a_root_in_the_cache_is_not_built_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PODWRIGHT_CACHE", str(tmp_path))
    root = tmp_path / "roots" / f"trial-{debian._digest(RECIPE)}"
    root.mkdir(parents=True)
    said: list[str] = []
    assert build_root(RECIPE, said.append) == root
    assert said == []


def test_what_a_dead_build_left_is_no_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A build is renamed into place as its last step, and what is unfinished is removed first."""
    monkeypatch.setenv("PODWRIGHT_CACHE", str(tmp_path))
    recipe = Recipe(name="trial", packages=("there-is-no-such-package",), variant="extract")
    left = tmp_path / "roots" / f"trial-{debian._digest(recipe)}.unfinished" / "left"
    left.mkdir(parents=True)
    with pytest.raises(LabError, match=r"(?s)mmdebstrap ended with \d+; the last it said:.*there-is-no-such-package"):
        build_root(recipe, lambda line: None)
    assert not left.exists()
    assert not list((tmp_path / "roots").glob("trial-????????????????"))


def test_sources_are_those_of_this_machines_distribution() -> None:
    for source in debian._machine_sources():
        assert Path(source).is_file()


def test_a_failed_command_ends_the_build_with_its_words() -> None:
    with pytest.raises(LabError, match=r"(?s)sh ended with 3; the last it said:\nsuch is life"):
        debian._run(["sh", "-c", "echo such is life; exit 3"], lambda step: None)


def test_a_build_dies_with_its_maker() -> None:
    """Otherwise a second build would start over what the first still writes."""
    build = ["sleep", f"60.{os.getpid()}"]
    script = "import subprocess, sys; from podwright.images import debian; "
    script += f"subprocess.Popen([*debian._CONTAINED, *{build!r}]); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as maker:
        assert _eventually(lambda: _runs(build))
        maker.kill()
    assert _eventually(lambda: not _runs(build))


def _runs(argv: list[str]) -> bool:
    wanted = b"".join(word.encode() + b"\0" for word in argv)
    return any(_content(process) == wanted for process in Path("/proc").glob("[0-9]*/cmdline"))


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process ended while we looked
        return b""


def _eventually(condition: Callable[[], bool], within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
