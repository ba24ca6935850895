from __future__ import annotations


class ModuleDocFragment:
    """Where a lookup finds the plan."""

    DOCUMENTATION = r"""
options:
  cloud_file:
    description: The declaration that the plan must be of. The inventory plugin sets it.
    type: path
    required: true
    vars:
      - name: podwright_cloud_file
  state_directory:
    description: The directory that holds the plan. The inventory plugin sets it.
    type: path
    required: true
    vars:
      - name: podwright_state_directory
"""
