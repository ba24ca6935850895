"""Where a device's files lie below the directory of the device."""

from __future__ import annotations

from collections.abc import Mapping


def files_of(wanted: Mapping[str, str | None]) -> dict[str, str]:
    """The files among all that a module wants to see ({path, or name of something else: text})."""
    return {path.lstrip("/"): text for path, text in wanted.items() if path.startswith("/") and text is not None}
