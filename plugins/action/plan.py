from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from podwright.errors import PodwrightError
from podwright.plan.stage import plan_cloud


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Validate, allocate and plan the whole cloud; runs once, on the controller, whatever --limit says."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                "confirm_lost_hypervisors": {"type": "bool", "default": False},
                "confirm_lost_storage_servers": {"type": "bool", "default": False},
            }
        )
        cloud_file = (task_vars or {}).get("podwright_cloud_file")
        if cloud_file is None:
            raise AnsibleActionFail("podwright_cloud_file is not set; use an inventory of podwright.cloud.podwright")
        try:
            outcome = plan_cloud(
                Path(cloud_file),
                preview=self._task.check_mode,
                lost_hypervisors_confirmed=options["confirm_lost_hypervisors"],
                lost_storage_servers_confirmed=options["confirm_lost_storage_servers"],
            )
        except PodwrightError as error:
            invalid = {"invalid_input": True} if error.is_invalid_input else {}
            return result | {"failed": True, "msg": str(error), **invalid}
        result |= {
            "changed": outcome.changed,
            "plan": outcome.summary,
            "ansible_facts": {"podwright_planned_at": outcome.allocated.at},
        }
        if self._task.diff:
            result["diff"] = outcome.diff
        return result
