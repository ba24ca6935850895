"""Debian root file systems, built by mmdebstrap from a recipe and cached by the recipe's hash.

They come from wherever this machine's own packages come from: its apt sources
and its apt's way out (proxies) are used as they are, and neither stays in what
is built.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from podwright.cache import cache_directory
from podwright.errors import LabError

Report = Callable[[str], None]

# Namespaces of its own, and death with us: whatever a build mounts or starts is gone when it is killed.
_CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
)


@dataclass(frozen=True)
class Recipe:
    """What a root file system is made of, in the order it is put together.

    Attributes:
        name: What it is for; a part of the cache's directory name.
        packages: Debian packages, added to those of `variant`. Recommended ones
            are left out; so are documentation and translations.
        files: {absolute path: content}; mode 0644, owned by root.
        commands: Shell lines, run one after the other inside the root (chroot) until one fails.
        variant: What the packages are added to (mmdebstrap(1)); `extract` unpacks them and installs nothing.
    """

    name: str
    packages: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    variant: str = "minbase"


def build_root(recipe: Recipe, report: Report) -> Path:
    """The directory of the root file system that `recipe` describes; built when it is not in the cache.

    Nobody may write to it: running hosts stand on it. A build that dies leaves nothing that counts as built.

    Raises:
        LabError: A package is not to be had, or a command of the recipe failed.
    """
    root = cache_directory() / "roots" / f"{recipe.name}-{_digest(recipe)}"
    root.parent.mkdir(parents=True, exist_ok=True)
    with _locked(root.with_name(f"{root.name}.lock")):
        if not root.exists():
            _build(recipe, root, report)
    return root


def _digest(recipe: Recipe) -> str:
    ingredients = [
        *(_codename(), platform.machine()),
        *(recipe.variant, recipe.packages, sorted(recipe.files.items()), recipe.commands, _OPTIONS),
    ]
    return hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()[:16]


def _codename() -> str:
    """The release that this machine runs, as its archive calls it (os-release(5))."""
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


_OPTIONS = (
    "--mode=root",
    "--format=directory",
    "--aptopt=APT::Install-Recommends false",
    "--dpkgopt=force-unsafe-io",  # a build that is cut short is thrown away: fsync buys nothing
    *(f"--dpkgopt=path-exclude=/usr/share/{left_out}/*" for left_out in ("doc", "info", "locale", "man")),
)


def _build(recipe: Recipe, root: Path, report: Report) -> None:
    began = time.monotonic()

    def step(what: str) -> None:
        report(f"{time.monotonic() - began:7.1f} s  {recipe.name} image: {what}")

    unfinished = root.with_name(f"{root.name}.unfinished")
    _remove(unfinished)
    step(f"{len(recipe.packages)} packages of {_codename()}, once; later runs take it from {root.parent}")
    contents = [f"--variant={recipe.variant}", f"--include={','.join(recipe.packages)}"]
    options = [*contents, *_OPTIONS, *_machine_apt_options()]
    _run(["mmdebstrap", *options, _codename(), str(unfinished), *_machine_sources()], step)
    _forget_this_machine(unfinished)
    for path, content in recipe.files.items():
        target = unfinished / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    if recipe.commands:
        _run(["chroot", str(unfinished), "sh", "-exc", "\n".join(recipe.commands)], lambda _: None)
    unfinished.rename(root)
    step("built")


def _remove(directory: Path) -> None:
    if directory.exists():
        # Never into another file system, should a mount have been left in there by hand.
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(directory)], check=True)


def _machine_sources() -> list[str]:
    """The files that name this machine's distribution as a source; others' repositories are of no use here."""
    fields = "$(SOURCESENTRY)\t$(ORIGIN)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "Created-By: Packages", "--format", fields],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    distribution = platform.freedesktop_os_release()["ID"]
    entries = (line.rpartition("\t") for line in listed.splitlines())
    files = {entry.rpartition(":")[0] for entry, _, origin in entries if origin.lower() == distribution}
    if not files:
        raise LabError(f"apt knows no packages of {distribution} {_codename()}; run: apt-get update")
    return sorted(files)


def _machine_apt_options() -> list[str]:
    """How this machine's apt reaches its sources and what it accepts there (apt.conf(5))."""
    dump = subprocess.run(
        ["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"], check=True, capture_output=True, text=True
    ).stdout
    wanted = ("Acquire::http::", "Acquire::https::", "Acquire::Check-")
    return [f"--aptopt={line}" for line in dump.splitlines() if line.startswith(wanted)]


def _forget_this_machine(root: Path) -> None:
    apt = root / "etc/apt"
    for path in [apt / "sources.list", *apt.glob("sources.list.d/*"), apt / "apt.conf.d/99mmdebstrap"]:
        path.unlink(missing_ok=True)


def _run(argv: list[str], step: Callable[[str], None]) -> None:
    """Run contained; pass on the lines that mmdebstrap means for people (`I: `).

    Raises:
        LabError: It failed; the text ends with its last lines.
    """
    lines: list[str] = []
    with subprocess.Popen(
        [*_CONTAINED, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith("I: "):
                step(lines[-1].removeprefix("I: "))
    if process.returncode:
        last = "\n".join(lines[-15:])
        raise LabError(f"{shlex.join(argv[:1])} ended with {process.returncode}; the last it said:\n{last}")
