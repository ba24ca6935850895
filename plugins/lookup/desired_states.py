from __future__ import annotations

DOCUMENTATION = r"""
name: desired_states
short_description: What every device must look like
description:
  - Returns the desired state of every device of the cloud, by name, as M(podwright.cloud.plan) worked it out.
  - Fails when there is no plan or when it is not one of the inventory as it is now, and says what to run.
  - In check mode, returns what the plan stage of a run in check mode previewed, if there is such a preview.
version_added: "0.1.0"
author: The podwright developers
extends_documentation_fragment:
  - podwright.cloud.plan_location
"""

EXAMPLES = r"""
- name: Show what pod switches must look like
  ansible.builtin.debug:
    msg: "{{ lookup('podwright.cloud.desired_states').values() | selectattr('kind', 'eq', 'pod_switch') }}"
"""

RETURN = r"""
_raw:
  description: One mapping of device to desired state (docs/desired-state.md).
  type: list
  elements: dict
"""

from pathlib import Path
from typing import Any

from ansible_collections.podwright.cloud.plugins.plugin_utils.plan_lookup import PlanLookup

from podwright import plan_files


class LookupModule(PlanLookup):
    def look_up(self, directory: Path, sources: str, terms: list[str]) -> list[dict[str, Any]]:
        return [plan_files.read_states(directory, sources)]
