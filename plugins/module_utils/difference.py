"""Changes as a reader of `--diff` sees them: nested mappings written as YAML text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def between(current: Any, changes: Any) -> dict[str, str]:
    """Write `changes` and, beside them, what is there now, for the `diff` that a module returns."""
    return {"before": text(_same_keys(current, changes)), "after": text(changes)}


def text(value: Any) -> str:
    """Write a mapping as YAML: one line per setting, the text of a file as it is."""
    return "".join(f"{line}\n" for line in _lines(value))


def _same_keys(current: Any, changes: Any) -> Any:
    """Take out of `current` what `changes` speaks of."""
    if not isinstance(changes, dict) or not isinstance(current, dict):
        return current
    return {key: _same_keys(current.get(key), value) for key, value in changes.items()}


def _lines(value: dict[str, Any]) -> Iterator[str]:
    for key, item in sorted(value.items()):
        if isinstance(item, dict) and item:
            yield f"{key}:"
            yield from (f"  {line}".rstrip() for line in _lines(item))
        elif isinstance(item, str) and "\n" in item:
            yield f"{key}: |"
            yield from (f"  {line}".rstrip() for line in item.splitlines())
        else:
            yield f"{key}: {json.dumps(item)}"
