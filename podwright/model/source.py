"""Reading a declaration: the only part of the model that touches files and the environment."""

from __future__ import annotations

import os
import string
from pathlib import Path

import yaml

from podwright.model.cloud import Cloud


def load(path: Path) -> Cloud:
    """Read, check and freeze the cloud that `path` (a cloud.yml) declares."""
    raw = yaml.safe_load(string.Template(path.read_text()).substitute(os.environ))
    raw.setdefault("state_directory", path.resolve().parent / ".podwright")
    raw.setdefault("database", f"sqlite:///{raw['state_directory']}/leases.db")
    raw["administrator_keys"] = Path(raw["administrator_key_file"]).read_text().splitlines()
    return Cloud.model_validate(raw)
