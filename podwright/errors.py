"""Every error that podwright raises on the controller.

    PodwrightError
    ├── InvalidInput          the declaration is wrong; nothing was touched (exit code 4)
    ├── AllocationError       a lease cannot be had (exit code 4)
    ├── DeviceError           a device refused, vanished or lied (exit code 3)
    └── LabError              the lab cannot start, stop or be entered (exit code 3)

A message says where, what was found, what was expected and what to do.
"""

from __future__ import annotations


class PodwrightError(Exception):
    """Base of all; its text is meant for the operator."""


class InvalidInput(PodwrightError):
    """The declaration is wrong; the text lists every mistake, a line each."""


class AllocationError(PodwrightError):
    """A lease cannot be had: a pool is empty, a value is taken, a database cannot be used."""


class DeviceError(PodwrightError):
    """A device refused a change, could not be reached or did not keep what it accepted."""


class LabError(PodwrightError):
    """The lab cannot start, stop or be entered."""
