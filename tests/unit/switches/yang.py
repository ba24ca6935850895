"""YANG modules that judge payloads, by yanglint(1), which shares no code with drivers or servers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from lxml import etree

from podwright.switches.netconf import OPERATION

ROOT = Path(__file__).parents[3]
CASES = sorted((ROOT / "tests/cases/switches").glob("*.yml"))
PUBLISHED = Path(os.environ.get("PODWRIGHT_YANG", ROOT.parent / "shared" / "yang"))
"""A directory with modules as they were published."""


def published(module: str, source: str) -> Path:
    """The directory with a module as it was published, which may be had from `source`."""
    assert (PUBLISHED / f"{module}.yang").exists(), (
        f"{PUBLISHED}: the published module {module} is not there; set PODWRIGHT_YANG to a directory with it and those "
        f"that it imports, such as from {source}"
    )
    return PUBLISHED


def payload_of(path: Path, platform: str) -> str:
    """The golden payload of a case."""
    payload: str = yaml.safe_load(path.read_text())["payload"][platform]
    return payload


def created(payload: str) -> Any:
    """What a payload creates: a `<config>` without what it removes."""
    config = etree.fromstring(payload)
    for element in list(config.iter()):
        parent = element.getparent()
        if element.get(OPERATION) == "remove" and parent is not None:
            parent.remove(element)
        elif OPERATION in element.attrib:
            del element.attrib[OPERATION]
    return config


def judge(
    config: Any, modules: Sequence[str], search: Sequence[Path], scratch: Path
) -> subprocess.CompletedProcess[str]:
    """Have yanglint judge a `<config>`.

    Args:
        config: the element.
        modules: what to judge it by. What holds identities comes first: yanglint knows those of modules that it was
            given, not of those it only imports.
        search: where modules are; the first directory that has one counts.
        scratch: a directory for a file.
    """
    file = scratch / "created.xml"
    file.write_text("".join(etree.tostring(child, encoding="unicode") for child in config))
    found = [next(d / f"{name}.yang" for d in search if (d / f"{name}.yang").exists()) for name in modules]
    arguments = [word for directory in search for word in ("-p", str(directory))]
    return subprocess.run(
        ["yanglint", "-i", "-t", "config", *arguments, *map(str, found), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
