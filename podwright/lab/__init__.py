"""A declared cloud as real Debian hosts on this machine, in namespaces that lead nowhere else."""

from __future__ import annotations

from podwright.lab.lifecycle import down, enter, kill, power_off, power_on, status, up
from podwright.lab.world import directory

__all__ = ["directory", "down", "enter", "kill", "power_off", "power_on", "status", "up"]
