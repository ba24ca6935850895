"""Changes as a reader of `--diff` sees them: nested mappings written as YAML text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def shown(before: Any, after: Any) -> dict[str, str]:
    """Write what is there and what will be, for the `diff` that a module returns."""
    return {"before": text(before), "after": text(after)}


def text(value: Any) -> str:
    """Write a value as YAML: one line per setting, the text of a file as it is."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> Iterator[str]:
    for key, item in sorted(value.items()):
        if isinstance(item, dict) and item:
            yield f"{key}:"
            yield from (f"  {line}".rstrip() for line in _lines(item))
        elif isinstance(item, str) and "\n" in item:
            yield f"{key}: |"
            yield from (f"  {line}".rstrip() for line in item.splitlines())
        else:
            yield f"{key}: {json.dumps(item)}"
