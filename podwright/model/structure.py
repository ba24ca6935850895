"""The shape of a declaration: every key known, every value of its kind."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from podwright.model.cloud import Cloud, Declared
from podwright.model.document import Finding, Path, shown
from podwright.model.fields import SALVAGE


def read_structure(value: Any) -> tuple[Cloud, list[Finding]]:
    """The cloud and all that is wrong with its shape.

    Where something is wrong, the cloud is what could be salvaged: everything
    that was declared is there, with None for each value that is wrong or missing.
    """
    try:
        return Cloud.model_validate(value), []
    except ValidationError as error:
        findings = [_finding(details) for details in error.errors(include_url=False)]
    return Cloud.model_validate(value, context=SALVAGE), findings


def declared_at(path: Path) -> type[Declared]:
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


def nearest(name: str, known: Collection[str], among: str) -> str:
    """What to write instead of `name`: the nearest known one, or any of `known` (`among` in words)."""
    if close := get_close_matches(name, sorted(known), n=1):
        return f"write {close[0]}"
    if not known:
        return "none is declared"
    listed = ", ".join(sorted(known)[:12])
    return f"{among} {listed}" if len(known) <= 12 else f"{among} {listed}, ... ({len(known)} in all)"


def _finding(details: ErrorDetails) -> Finding:
    path = tuple(part for part in details["loc"] if part != "[key]")
    found, context = shown(details["input"]), details.get("ctx", {})
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
            return Finding(path, found, " or ".join(choices), nearest(found, choices, "the choices are"))
        case "path_type":
            return Finding(path, found, "a path", "write the name of a file or directory as text")
    return Finding(path, found, "right", details["msg"])


def _unknown_key(path: Path) -> Finding:
    declared = declared_at(path[:-1])
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", declared.__name__).lower()
    article = "an" if words[0] in "aeiou" else "a"
    key = str(path[-1])
    return Finding(path, key, f"a key of {article} {words}", nearest(key, declared.model_fields, "the keys are"))


def _description(path: Path) -> str:
    field = declared_at(path[:-1]).model_fields[str(path[-1])]
    return field.description or str(path[-1])
