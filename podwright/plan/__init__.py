"""The plan: what every device must look like, worked out from the declaration and the leases alone."""

from __future__ import annotations

from podwright.plan.planner import plan
from podwright.plan.state import State, canonical
from podwright.plan_files import digest

__all__ = ["State", "canonical", "digest", "plan"]
