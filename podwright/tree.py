"""Where the Ansible side of podwright lies: roles, playbooks and plugins, in a checkout or a wheel."""

from __future__ import annotations

from pathlib import Path

_BESIDE = Path(__file__).resolve().parent.parent


def root() -> Path:
    """The directory of the collection `podwright.cloud`: the checkout, or its copy beside an installed package."""
    return _BESIDE if is_checkout() else _BESIDE / "ansible_collections" / "podwright" / "cloud"


def is_checkout() -> bool:
    """Whether we run from a checkout; an installed package has no galaxy.yml beside it."""
    return (_BESIDE / "galaxy.yml").is_file()


def ansible_configuration() -> Path:
    """The ansible.cfg to run with; Ansible itself would look in the working directory only."""
    return root() / "ansible.cfg"
