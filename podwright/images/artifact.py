"""Files that are built once and kept for as long as everything that they are made of stays the same."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from podwright.cache import cache_directory


def build_artifact(name: str, ingredients: tuple[str | Path, ...], make: Callable[[Path], None]) -> Path:
    """The directory that `make` filled; made when no directory of these ingredients is in the cache.

    Args:
        name: A part of the directory's name.
        ingredients: Texts and files; of a directory, all that is in it. A change in any of them makes it anew.
        make: Writes the files into the directory that it is given. If it dies, nothing counts as built.
    """
    directory = cache_directory() / "images" / f"{name}-{_digest(ingredients)}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            unfinished = directory.with_name(f"{directory.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(directory)
    return directory


def _digest(ingredients: tuple[str | Path, ...]) -> str:
    total = hashlib.sha256()
    for part in (part for ingredient in ingredients for part in _parts(ingredient)):
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


def _parts(ingredient: str | Path) -> Iterator[bytes]:
    if isinstance(ingredient, str):
        yield ingredient.encode()
    elif ingredient.is_file():
        yield f"{ingredient.name} {ingredient.stat().st_mode:o}".encode()
        yield ingredient.read_bytes()
    else:
        for inside in sorted(ingredient.iterdir()):
            yield from _parts(inside)
