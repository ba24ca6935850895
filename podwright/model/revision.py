"""A declaration as it was at a revision of the git repository that it is kept in.

Nothing is checked out: texts are read out of the repository, and paths mean what
they mean beside the declaration of today. So an image that git does not keep, a
state directory and a path out of the repository are the same for both.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Sequence
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path

from podwright.errors import InvalidInput, Mistake

_OPTION = "--against"


class Revision:
    """The files of a repository at one of its revisions, and those around it as they are now.

    Of a file of the repository that the revision does not have, such as an image, what is there now is read.
    """

    def __init__(self, name: str, cloud_file: Path) -> None:
        """Find the revision.

        Args:
            name: what git takes for a revision: a branch, a tag, HEAD~1 (gitrevisions(7)).
            cloud_file: where the declaration is now.

        Raises:
            InvalidInput: it is in no repository, or there is no such revision, or that does not have the declaration.
        """
        self.name = name
        # git knows no symbolic links on the way to its tree, and the directory's own name may be one.
        directory = cloud_file.absolute().parent.resolve()
        self._tree = _tree_around(directory)
        self._declared = directory
        self._contents: dict[str, bytes | None] = {}
        self.commit = self._resolve(directory)
        self._names = set(self._listed(directory))
        if cloud_file.name not in self._names:
            file = self._in_tree(directory / cloud_file.name)
            raise _refused(
                name, f"a revision that has {file}", "name a revision since the one that added the inventory"
            )

    def read_text(self, file: Path) -> str:
        """The text of a file at the revision."""
        path = file.absolute().parent.resolve() / file.name
        if path.is_relative_to(self._tree):
            name = self._in_tree(path)
            self._read([name])
            content = self._contents[name]
            if content is not None:
                return content.decode()
            if path.is_relative_to(self._declared) and path.suffix in (".yml", ".yaml"):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
        return file.read_text(encoding="utf-8")

    def matching(self, directory: Path, pattern: str) -> list[Path]:
        """The files of a directory at the revision whose names match a pattern, by name."""
        there = directory.resolve()
        names = sorted(name for name in self._listed(there) if fnmatchcase(name, pattern))
        self._read([self._in_tree(there / name) for name in names])
        return [directory / name for name in names]

    def _resolve(self, directory: Path) -> str:
        done = _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{self.name}^{{commit}}")
        if done.returncode:
            raise _refused(
                self.name, f"a revision of the repository {self._tree}", "name a branch, a tag or a commit of `git log`"
            )
        return done.stdout.decode().strip()

    def _listed(self, directory: Path) -> list[str]:
        """The names in a directory at the revision; none where it is not there."""
        inside = self._in_tree(directory).removeprefix(".")  # the tree itself has an empty name in git
        done = _git(self._tree, "ls-tree", "-z", "--name-only", f"{self.commit}:{inside}")
        return [name for name in done.stdout.decode().split("\0") if name]

    def _read(self, names: Sequence[str]) -> None:
        """Read what files hold, in one go, symbolic links followed (git-cat-file(1), --follow-symlinks)."""
        new = [name for name in names if name not in self._contents]
        asked = "".join(f"{self.commit}:{name}\n" for name in new).encode()
        answer = BytesIO(_git(self._tree, "cat-file", "--batch", "--follow-symlinks", asked=asked).stdout)
        for name in new:
            *_, kind, size = [b"", *answer.readline().split()]
            # Of a file that is not there, the answer is its name and `missing`; of a bad link, `dangling` and a size.
            content = answer.read(int(size) + 1)[:-1] if size.isdigit() else None
            self._contents[name] = content if kind == b"blob" else None

    def _in_tree(self, path: Path) -> str:
        return path.relative_to(self._tree).as_posix()


def _tree_around(directory: Path) -> Path:
    done = _git(directory, "rev-parse", "--show-toplevel")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        remedy = f"keep it in one (`git init`, `git add`, `git commit`), or leave out {_OPTION}"
        expected = f"a git repository around the inventory ({said})"
        raise InvalidInput([Mistake(str(directory), None, "", None, expected, remedy)])
    return Path(done.stdout.decode().rstrip("\n"))


def _git(directory: Path, *arguments: str, asked: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-C", str(directory), *arguments]
    try:
        return subprocess.run(command, input=asked, capture_output=True, check=False)
    except FileNotFoundError:
        remedy = f"install git, or leave out {_OPTION}"
        raise InvalidInput([Mistake(_OPTION, None, "", None, "the command git", remedy)]) from None


def _refused(found: str, expected: str, remedy: str) -> InvalidInput:
    return InvalidInput([Mistake(_OPTION, None, "", found, expected, remedy)])
