"""Rendering: every device's configuration in its own syntax, worked out of its desired state with no device at hand.

It calls the functions by which drivers and modules themselves write what they
write, so what is rendered is what a deployment brings about.
"""

from __future__ import annotations

from podwright.rendering.devices import render

__all__ = ["render"]
