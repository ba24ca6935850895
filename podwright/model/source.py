"""Reading a declaration, from files and the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from podwright.errors import InvalidInput, Mistake
from podwright.model.checks import cross_check
from podwright.model.cloud import Cloud
from podwright.model.document import Document, Finding, KeyPath, Place, merge, read_document
from podwright.model.fields import PUBLIC_KEY, concealed
from podwright.model.files import WORKING_TREE, Files
from podwright.model.structure import read_structure

# Everything that names a file of the controller; * is any name.
_LOCAL_FILES: tuple[KeyPath, ...] = (
    ("administrator_key_file",),
    ("state_directory",),
    ("images", "*", "disk"),
    ("images", "*", "kernel"),
    ("images", "*", "initrd"),
)
_VARIABLE = re.compile(r"\$\{(\w+)\}")

# The password in the URL of a server, which may be wrong as a URL: up to the last @ that could end it.
_PASSWORD = re.compile(r"(?!sqlite:)[^/:]*://[^/:@]*:(?P<password>.*)@", re.DOTALL)


def load(path: Path, environment: Mapping[str, str] = os.environ, files: Files = WORKING_TREE) -> Cloud:
    """Read, check and freeze the cloud that `path` (a cloud.yml) and `cloud.d/*.yml` beside it declare.

    `${NAME}` in the path of a local file and in `database` stands for a variable of `environment`.
    Relative paths are relative to the file that they stand in. In `database`, a password is a variable:
    inventories are kept in version control, and this is how one is told from a password in the open.

    Args:
        path: where cloud.yml is.
        environment: the variables.
        files: where the text of a file comes from; whatever that is, paths mean the files of this machine.

    Raises:
        InvalidInput: with every mistake of every file.
    """
    directory = path.absolute().parent
    parts = [path, *files.matching(directory / "cloud.d", "*.yml")]
    document = merge(_read(part, directory, files) for part in parts)
    document.mistakes += _overlooked(directory, files)
    findings = [
        *_signed(document),
        *_resolve(document, directory, environment),
        *_add_administrator_keys(document, files),
    ]
    wrong = {finding.path for finding in findings}
    cloud, misshapen, wrong_or_missing = read_structure(document.value)
    findings += [finding for finding in misshapen if finding.path not in wrong]
    if document.complete:
        findings += cross_check(cloud, document, wrong | wrong_or_missing)
    else:  # what looks missing or unknown may stand in the file that we cannot read
        findings = [finding for finding in findings if finding.found is not None]
    mistakes = document.mistakes + [document.mistake(finding) for finding in findings]
    if mistakes:
        raise InvalidInput(sorted(mistakes, key=_order))
    return cloud


def _read(file: Path, directory: Path, files: Files) -> Document:
    name = os.path.relpath(file.absolute(), directory)
    try:
        return read_document(name, files.read_text(file))
    except (OSError, UnicodeDecodeError) as error:
        mistake = Mistake(name, None, "", str(file), "a readable file", f"{_reason(error)}: name an existing YAML file")
        return Document(mistakes=[mistake], complete=False, places={(): Place(name, None)})


def _overlooked(directory: Path, files: Files) -> Iterator[Mistake]:
    """Files that somebody meant for a part of the declaration: what they declare would be taken for removed."""
    for file in files.matching(directory / "cloud.d", "*.yaml"):
        name = os.path.relpath(file, directory)
        yield Mistake(name, None, "", file.name, "a name that ends with .yml", f"rename it to {file.stem}.yml")


def _signed(document: Document) -> Iterator[Finding]:
    """A file with `plugin` is not taken for a list of hosts by another inventory plugin when we refuse it."""
    if "plugin" not in document.value:
        plugin = Cloud.model_fields["plugin"]
        yield Finding(("plugin",), None, "a required key", f"add {plugin.description}")


def _resolve(document: Document, directory: Path, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Make local paths absolute, expand variables and fill in what is left out, in place."""
    root: dict[str, Any] = document.value
    for path, holder in _present(root, _LOCAL_FILES):
        yield from _expand(path, holder, environment)
        if isinstance(text := holder[path[-1]], str):
            beside = (directory / document.place(path).file).parent
            holder[path[-1]] = str(beside / text)
    root.setdefault("state_directory", str(directory / ".podwright"))
    if "database" in root:
        yield from _open_password(root["database"])
        yield from _expand(("database",), root, environment)
    else:
        root["database"] = f"sqlite:///{root['state_directory']}/leases.db"


def _open_password(url: Any) -> Iterator[Finding]:
    found = _PASSWORD.match(url) if isinstance(url, str) else None
    if found and found["password"] and not _VARIABLE.fullmatch(found["password"]):
        remedy = (
            "write ${PODWRIGHT_DATABASE_PASSWORD} for the password, and put that into the environment of the controller"
        )
        yield Finding(("database",), concealed(found.string), "a URL without a password", remedy)


def _present(root: Any, patterns: tuple[KeyPath, ...]) -> Iterator[tuple[KeyPath, dict[Any, Any]]]:
    """Each path that is declared, with the mapping that holds its last key."""
    for pattern in patterns:
        holders: list[tuple[KeyPath, Any]] = [((), root)]
        for part in pattern[:-1]:
            holders = [
                ((*path, key), holder[key])
                for path, holder in holders
                if isinstance(holder, dict)
                for key in (holder if part == "*" else {part} & holder.keys())
            ]
        for path, holder in holders:
            if isinstance(holder, dict) and pattern[-1] in holder:
                yield (*path, pattern[-1]), holder


def _expand(path: KeyPath, holder: dict[Any, Any], environment: Mapping[str, str]) -> Iterator[Finding]:
    text = holder[path[-1]]
    if not isinstance(text, str):
        return
    unset = sorted({name for name in _VARIABLE.findall(text) if name not in environment})
    for name in unset:
        yield Finding(path, f"${{{name}}}", "an environment variable that is set", f"run `export {name}=...` first")
    password = _PASSWORD.match(text) if path == ("database",) else None

    def value_of(found: re.Match[str]) -> str:
        is_password = password is not None and found.span() == password.span("password")
        return quote(environment[found[1]], safe="") if is_password else environment[found[1]]

    holder[path[-1]] = None if unset else _VARIABLE.sub(value_of, text)


def _add_administrator_keys(document: Document, files: Files) -> Iterator[Finding]:
    """Put the keys of the administrator's file after those declared, in place."""
    file, declared = document.value.get("administrator_key_file"), document.value.get("administrator_keys", [])
    if not isinstance(file, str) or not isinstance(declared, list):
        return
    path: KeyPath = ("administrator_key_file",)
    try:
        lines = [line.strip() for line in files.read_text(Path(file)).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        yield Finding(path, file, "a readable file", f"{_reason(error)}: name a file of OpenSSH public keys")
        return
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or not all(map(PUBLIC_KEY.fullmatch, keys)):  # maybe a private key: show no line of it
        yield Finding(path, file, "a file of OpenSSH public keys", "name a .pub file (sshd(8), AUTHORIZED_KEYS)")
        return
    document.value["administrator_keys"] = declared + keys


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"


def _order(mistake: Mistake) -> tuple[str, int, str]:
    return (mistake.file, mistake.line or 0, mistake.path)
