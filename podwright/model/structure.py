"""The shape of a declaration: every key known, every value of its kind."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from podwright.model.cloud import Cloud
from podwright.model.declared import Declared
from podwright.model.document import Finding, KeyPath, shown
from podwright.model.fields import SALVAGE, concealed

_KEY = "[key]"  # how pydantic's locations end where not a value but its key is wrong


def read_structure(value: Any) -> tuple[Cloud, list[Finding], set[KeyPath]]:
    """The cloud, all that is wrong with its shape, and the paths whose values are wrong or missing.

    Where something is wrong, the cloud is what could be salvaged: everything
    that was declared is there, with None for each value that is wrong or missing.
    """
    try:
        return Cloud.model_validate(value), [], set()
    except ValidationError as error:
        errors = error.errors(include_url=False)
    found = [(details["type"], _finding(details)) for details in errors]
    # A misspelt key is one mistake, although the right one is missing, too.
    misspelt = {
        (*finding.path[:-1], _nearest(str(finding.path[-1]), declared_at(finding.path[:-1]).model_fields))
        for kind, finding in found
        if kind == "extra_forbidden"
    }
    findings = [finding for kind, finding in found if kind != "missing" or finding.path not in misspelt]
    wrong = {details["loc"] for details in errors if details["loc"][-1:] != (_KEY,)}
    return Cloud.model_validate(value, context=SALVAGE), findings, wrong


def declared_at(path: KeyPath) -> type[Declared]:
    """The type of what stands at `path`.

    Raises:
        TypeError: it is not a mapping of known keys.
    """
    annotation: Any = Cloud
    for part in path:
        if get_origin(annotation) is Mapping:
            annotation = get_args(annotation)[1]
        else:
            annotation = annotation.model_fields[part].annotation
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
    if not (isinstance(annotation, type) and issubclass(annotation, Declared)):
        raise TypeError(f"{path} is of type {annotation}")
    return annotation


def alternative(name: str, known: Collection[str]) -> str:
    """What to write instead of `name`: the nearest of `known`, or any."""
    return _nearest(name, known) or ("one of " if len(known) > 1 else "") + listed(known)


def listed(names: Collection[str]) -> str:
    """Names for people, the first dozen of many."""
    first = ", ".join(sorted(names)[:12])
    return first if len(names) <= 12 else f"{first}, ... ({len(names)} in all)"


def _finding(details: ErrorDetails) -> Finding:
    path = tuple(part for part in details["loc"] if part != _KEY)
    given = details["input"]
    # Reports are read by people who are not to read a password.
    is_url = isinstance(given, str) and (path == ("database",) or "://" in given)
    found = shown(concealed(given) if is_url else given)
    context = details.get("ctx", {})
    match details["type"]:
        case "mistake":
            return Finding(path, found, context["expected"], context["remedy"])
        case "missing":
            return Finding(path, None, "a required key", f"add {_description(path)}")
        case "extra_forbidden":
            return _unknown_key(path)
        case "model_type" | "dict_type" | "mapping_type":
            return Finding(path, found, "a mapping", "put `key: value` lines under it, or write {} for an empty one")
        case "tuple_type":
            return Finding(path, found, "a list", "write [ ] around its items, or a line with a hyphen for each")
        case "literal_error":
            choices = re.findall(r"'([^']*)'", context["expected"])
            return Finding(path, found, " or ".join(choices), f"write {alternative(found, choices)}")
        case "path_type":
            return Finding(path, found, "a path", "write the name of a file or directory as text")
    return Finding(path, found, "right", details["msg"])


def _unknown_key(path: KeyPath) -> Finding:
    declared = declared_at(path[:-1])
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", declared.__name__).lower()
    article = "an" if words[0] in "aeiou" else "a"
    key = str(path[-1])
    remedy = f"write {alternative(key, declared.model_fields)}, or remove it"
    return Finding(path, key, f"a key of {article} {words}", remedy)


def _nearest(name: str, known: Collection[str]) -> str | None:
    return next(iter(get_close_matches(name, sorted(known), n=1)), None)


def _description(path: KeyPath) -> str:
    field = declared_at(path[:-1]).model_fields[str(path[-1])]
    return field.description or str(path[-1])
