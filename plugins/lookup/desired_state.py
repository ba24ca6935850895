from __future__ import annotations

DOCUMENTATION = r"""
name: desired_state
short_description: What a device must look like
description:
  - Returns the desired state of each named device, as M(podwright.cloud.plan) worked it out.
  - Fails when there is no plan or when it is not one of the inventory as it is now, and says what to run.
  - In check mode, returns what the plan stage of a run in check mode previewed, if there is such a preview.
version_added: "0.1.0"
author: The podwright developers
options:
  _terms:
    description: Names of devices.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - podwright.cloud.plan_location
"""

EXAMPLES = r"""
- name: Show what this switch must look like
  ansible.builtin.debug:
    msg: "{{ lookup('podwright.cloud.desired_state', inventory_hostname).switch }}"
"""

RETURN = r"""
_raw:
  description: A desired state for each term (docs/desired-state.md).
  type: list
  elements: dict
"""

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from podwright import plan_files
from podwright.errors import PlanError


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        check_mode = bool((variables or {}).get("ansible_check_mode"))
        directory = plan_files.current_directory(Path(self.get_option("state_directory")), check_mode=check_mode)
        try:
            sources = plan_files.sources_digest(Path(self.get_option("cloud_file")))
            return [plan_files.read_state(directory, device, sources) for device in terms]
        except PlanError as error:
            raise AnsibleLookupError(str(error)) from None
