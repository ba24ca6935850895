"""Look at a target with one shell script: at its files, and at what programs print there.

A module runs the script where it is. An action plugin sends it over the connection instead of a module, whose start
costs many times more than the look, above all on an emulated processor; what is seen is read by the same code.
"""

from __future__ import annotations

import shlex
import subprocess
import uuid
from collections.abc import Mapping
from typing import NamedTuple


class Sights(NamedTuple):
    """What to look at: files by patterns of sh(1), paths of which only the presence counts, programs by a name."""

    files: tuple[str, ...]
    presences: tuple[str, ...]
    programs: Mapping[str, tuple[str, ...]]


class Program(NamedTuple):
    """What a program printed, and its exit status."""

    printed: str
    status: int


class Seen(NamedTuple):
    """What was seen: {path: text} of the files that are there, the paths that are, and programs by their names."""

    files: Mapping[str, str]
    present: frozenset[str]
    programs: Mapping[str, Program]


class Look(NamedTuple):
    """A look that is to be taken: `script` is for sh(1), and `read` understands what it prints."""

    script: str
    boundary: str

    def read(self, printed: str, complaints: str) -> Seen:
        """Take apart what the script printed.

        Args:
            printed: Its output.
            complaints: What it and its programs wrote to stderr.

        Raises:
            RuntimeError: It did not come to its end.
        """
        parts = [part.partition("\n") for part in printed.split(f"{self.boundary} ")[1:]]
        if not parts or parts[-1][0] != _END:
            raise RuntimeError(f"the target could not be looked at: {complaints.strip() or printed.strip()}")
        # The newline before each boundary is the script's, and no part of what precedes it.
        items = [(*key.split(" ", 1), text[:-1]) for key, _, text in parts[:-1]]
        statuses = {name: int(text) for kind, name, text in items if kind == _STATUS}
        return Seen(
            files={name: text for kind, name, text in items if kind == _FILE},
            present=frozenset(name for kind, name, _ in items if kind == _PRESENCE),
            programs={name: Program(text, statuses[name]) for kind, name, text in items if kind == _PROGRAM},
        )


def prepare(sights: Sights) -> Look:
    """Write the script for what is to be looked at."""
    boundary = uuid.uuid4().hex  # no file can have it in it
    lines = [f"boundary={boundary}", _FUNCTIONS]
    # The shell expands patterns; one that matches nothing is a path that is not there.
    lines += [f"for path in {pattern}; do file; done" for pattern in sights.files]
    lines += [f"path={shlex.quote(path)}; presence" for path in sights.presences]
    lines += [f"program {shlex.quote(name)} {shlex.join(argv)}" for name, argv in sights.programs.items()]
    return Look("\n".join([*lines, f"printf '%s {_END}\\n' $boundary", ""]), boundary)


def here(sights: Sights) -> Seen:
    """Look at this host.

    Raises:
        RuntimeError: The script did not come to its end.
    """
    look = prepare(sights)
    done = subprocess.run(["/bin/sh"], input=look.script, capture_output=True, text=True, check=False)
    return look.read(done.stdout, done.stderr)


_FILE, _PRESENCE, _PROGRAM, _STATUS, _END = "file", "presence", "program", "status", "end"

_FUNCTIONS = f"""\
file() {{ [ ! -e "$path" ] || {{ printf '%s {_FILE} %s\\n' $boundary "$path"; cat "$path"; echo; }}; }}
presence() {{ [ ! -e "$path" ] || printf '%s {_PRESENCE} %s\\n\\n' $boundary "$path"; }}
program() {{
    name=$1; shift
    printf '%s {_PROGRAM} %s\\n' $boundary "$name"
    "$@" </dev/null
    printf '\\n%s {_STATUS} %s\\n%s\\n' $boundary "$name" $?
}}"""
