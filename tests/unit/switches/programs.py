"""Programs of the lab's pod switch, as modules."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

DIRECTORY = Path(__file__).parents[3] / "podwright/lab/files/pod_switch/usr/local/lib/pod_switch"


def load(name: str) -> ModuleType:
    """The program of that name, not run."""
    spec = spec_from_file_location(f"pod_switch_{name}", DIRECTORY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # dataclasses looks a class's module up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
