"""A target's state as one flat mapping, {what can be seen there: text}: files by path, all else by name.

What is wanted and what is seen take the same form, so that one comparison serves the change, check mode and the diff.
"""

from __future__ import annotations

from ansible_collections.podwright.cloud.plugins.module_utils import difference

State = dict[str, "str | None"]
Differences = dict[str, "tuple[str | None, str | None]"]


def compare(wanted: State, seen: State) -> Differences:
    """Pick what differs, as {key: (seen, wanted)}; what is seen and not wanted has to go."""
    keys = sorted({*wanted, *seen})
    return {key: (seen.get(key), wanted.get(key)) for key in keys if seen.get(key) != wanted.get(key)}


def diff(differences: Differences) -> dict[str, str]:
    """Show both sides in the form of a module's `diff`; what is absent has no line."""
    return {
        "before": difference.text({key: seen for key, (seen, _) in differences.items() if seen is not None}),
        "after": difference.text({key: wanted for key, (_, wanted) in differences.items() if wanted is not None}),
    }


def file_texts(differences: Differences) -> State:
    """Pick the files of the differences, with the text that each should have."""
    return {key: wanted for key, (_, wanted) in differences.items() if key.startswith("/")}
