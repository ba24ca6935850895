"""The order in which people put names that have numbers in them."""

from __future__ import annotations

import re


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts eth2 before eth10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]
