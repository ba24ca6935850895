"""Two sides of one flat mapping, {what can be seen on a target: text}: what differs, and how a person sees it."""

from __future__ import annotations

from collections.abc import Mapping

State = dict[str, "str | None"]
Differences = dict[str, "tuple[str | None, str | None]"]


def compare(wanted: Mapping[str, str | None], seen: Mapping[str, str | None]) -> Differences:
    """Pick what differs, as {key: (seen, wanted)}; what is seen and not wanted has to go."""
    keys = sorted({*wanted, *seen})
    return {key: (seen.get(key), wanted.get(key)) for key in keys if seen.get(key) != wanted.get(key)}


def diff(differences: Differences) -> dict[str, str]:
    """Show both sides in the form of a module's `diff`: YAML, each key with a block of lines."""
    return {
        "before": "".join(_block(key, seen) for key, (seen, _) in sorted(differences.items())),
        "after": "".join(_block(key, wanted) for key, (_, wanted) in sorted(differences.items())),
    }


def _block(key: str, text: str | None) -> str:
    if text is None:
        return ""
    return f"{key}: |\n" + "".join(f"  {line}\n" for line in text.splitlines())
