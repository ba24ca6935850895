from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from podwright.allocation import diff
from podwright.errors import PodwrightError
from podwright.plan.release import release_leases


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Give up leases that no device carries any more; runs once, on the controller, at the end of site.yml."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={"confirm_lost_devices": {"type": "bool", "default": False}}
        )
        variables = task_vars or {}
        planned_at = variables["ansible_facts"].get("podwright_planned_at")
        if planned_at is None:
            raise AnsibleActionFail("this run made no plan; run playbooks/site.yml")
        # Whoever is here came through every stage, which read the device and took off what is not planned.
        missing = sorted(set(variables["groups"]["all"]) - set(variables["ansible_play_hosts"]))
        left_behind = {
            server: variables["hostvars"][server]["ansible_facts"]["podwright_left_behind"]
            for server in variables["groups"].get("storage_servers", [])
            if "podwright_left_behind" in variables["hostvars"][server].get("ansible_facts", {})
        }
        if missing:
            return result | {"changed": False, "msg": f"nothing is released: this run did not see {', '.join(missing)}"}
        try:
            settled = release_leases(
                Path(variables["podwright_cloud_file"]),
                planned_at=planned_at,
                left_behind=left_behind,
                lost_devices_confirmed=options["confirm_lost_devices"],
                preview=self._task.check_mode,
            )
        except PodwrightError as error:
            return result | {"failed": True, "msg": str(error)}
        result["changed"] = bool(settled.changes)
        if settled.lost:
            result["msg"] = _waits_for(settled.lost)
            result.setdefault("warnings", []).append(result["msg"])
        if self._task.diff:
            result["diff"] = diff(settled.changes)
        return result


def _waits_for(lost: Sequence[str]) -> str:
    return (
        f"nothing is released: {', '.join(lost)} left the declaration and may still carry what is to be released; "
        "switch it off for good, and deploy with -e podwright_confirm_lost_devices=true"
    )
