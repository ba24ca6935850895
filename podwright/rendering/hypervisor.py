"""Hypervisors: their network, a libvirt domain for each of their machines, and what starts these at boot."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

from ansible_collections.podwright.cloud.plugins.module_utils import libvirt_domain, machine_starter_unit

from podwright.plan.state import BootFiles, HypervisorState, Machine
from podwright.rendering.linux_network import network_files
from podwright.rendering.paths import files_of

DOMAINS = libvirt_domain.DIRECTORY.lstrip("/")
"""Where domains are, `<name>.xml` each."""


def hypervisor_files(state: HypervisorState) -> dict[str, str]:
    """Render a hypervisor: {path: text}."""
    files = network_files(state["network"]) | files_of(machine_starter_unit.desired(bool(state["machines"])))
    for name, machine in state["machines"].items():
        files[f"{DOMAINS}/{name}.xml"] = _domain(name, machine, state["boot_files"])
    return files


def _domain(name: str, machine: Machine, boot_files: dict[str, BootFiles]) -> str:
    image = machine["boot"]["image"]
    digests = _digests(boot_files[image]) if image else {}
    domain: ET.Element = libvirt_domain.domain_element(name, dict(machine), digests)
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode") + "\n"


def _digests(files: BootFiles) -> dict[str, str | None]:
    """As the action plugin `machines` has them."""
    return {"kernel": _digest(files["kernel"]), "initrd": _digest(files["initrd"]) if files["initrd"] else None}


@cache
def _digest(path: str) -> str:
    """The SHA-256 of a boot file, once a process; an image that is not built yet counts as an empty one."""
    file = Path(path)
    return hashlib.sha256(file.read_bytes() if file.is_file() else b"").hexdigest()
