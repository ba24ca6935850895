"""What a new plan changes, device by device."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff

from podwright.plan.state import State, canonical


def difference(old: Mapping[str, State], new: Mapping[str, State]) -> dict[str, str]:
    """A unified diff of each device whose state is not the same in both plans: {device: text}, by name."""
    return {
        device: _unified_diff(device, old.get(device), new.get(device))
        for device in sorted(old.keys() | new.keys())
        if old.get(device) != new.get(device)
    }


def _unified_diff(device: str, old: State | None, new: State | None) -> str:
    before, after = (canonical(state).splitlines(keepends=True) if state else [] for state in (old, new))
    return "".join(unified_diff(before, after, f"{device} (before)", f"{device} (after)"))
