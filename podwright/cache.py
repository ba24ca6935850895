"""Where everything is kept that can be built or worked out again."""

from __future__ import annotations

import os
from pathlib import Path

from podwright import tree


def cache_directory() -> Path:
    """$PODWRIGHT_CACHE, or `.cache` in a checkout, or the user's (XDG Base Directory Specification) when installed."""
    if named := os.environ.get("PODWRIGHT_CACHE"):
        return Path(named)
    if tree.is_checkout():
        return tree.root() / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "podwright"
