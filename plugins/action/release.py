from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from podwright.allocation import diff, settle
from podwright.errors import PodwrightError
from podwright.model import load


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Give up leases that no device carries any more; runs once, on the controller, at the end of site.yml."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        # Whoever is here came through every stage, which read the device and took off what is not planned.
        missing = sorted(set(variables["groups"]["all"]) - set(variables["ansible_play_hosts"]))
        if missing:
            return result | {"changed": False, "msg": f"nothing is released: this run did not see {', '.join(missing)}"}
        try:
            cloud = load(Path(variables["podwright_cloud_file"]))
            changes = settle(cloud, still_seen=(), preview=self._task.check_mode)
        except PodwrightError as error:
            return result | {"failed": True, "msg": str(error)}
        result["changed"] = bool(changes)
        if self._task.diff:
            result["diff"] = diff(changes)
        return result
