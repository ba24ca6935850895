"""The modules that a state is handed to take every state of every case."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.unit.plan.clouds import ROOT
from tests.unit.plan.test_cases import CLOUDS

# {part of a state: (module, its option)}; machines go along with boot files.
MODULES = {
    "network": ("host_network", "network"),
    "firewall": ("zone_firewall", "firewall"),
    "gateway": ("zone_gateway", "gateway"),
    "storage": ("primary_storage", "storage"),
    "machines": ("machines", "machines"),
    "boot_files": ("machines", "boot_files"),
    "appliance": ("routing_appliance", "appliance"),
}
STATES = sorted(file for case in CLOUDS for file in (ROOT / "tests/cases/plan" / case).glob("*.yml"))


class SpecificationSeen(Exception):  # noqa: N818
    pass


def handed_over() -> Iterator[Any]:
    for module in sorted({module for module, _ in MODULES.values()}):
        for file in STATES:
            state = yaml.safe_load(file.read_text())
            arguments = {
                option: state[part] for part, (of, option) in MODULES.items() if of == module and part in state
            }
            if arguments:
                yield pytest.param(module, arguments, id=f"{module}-{file.parent.name}-{file.stem}")


@pytest.mark.parametrize(("module", "arguments"), list(handed_over()))
def test_module_takes_what_is_planned(module: str, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    result = ArgumentSpecValidator(specification(module, monkeypatch)).validate(json.loads(json.dumps(arguments)))
    assert result.error_messages == []


def specification(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a module tells Ansible about its options."""
    module = importlib.import_module(f"ansible_collections.podwright.cloud.plugins.modules.{name}")
    seen: dict[str, Any] = {}

    def see(argument_spec: dict[str, Any], **_: Any) -> None:
        seen.update(argument_spec)
        raise SpecificationSeen

    monkeypatch.setattr(module, "AnsibleModule", see)
    with pytest.raises(SpecificationSeen):
        module.main()
    return seen
