"""Where the Ansible side of podwright lies: roles, playbooks and plugins, in a checkout or a wheel."""

from __future__ import annotations

from pathlib import Path


def root() -> Path:
    """The directory of the collection `podwright.cloud`: the checkout, or its copy beside an installed package."""
    beside = Path(__file__).resolve().parent.parent
    if (beside / "galaxy.yml").is_file():
        return beside
    return beside / "ansible_collections" / "podwright" / "cloud"


def ansible_configuration() -> Path:
    """The ansible.cfg to run with; Ansible itself would look in the working directory only."""
    return root() / "ansible.cfg"
