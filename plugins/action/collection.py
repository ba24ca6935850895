from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from podwright import plan_files
from podwright.collection import make_room
from podwright.errors import PodwrightError


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Make room for what will be collected from the hosts of the play; runs once, on the controller."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec={"directory": {"type": "path", "required": True}})
        directory, variables = Path(arguments["directory"]).absolute(), task_vars or {}
        try:
            if "podwright_cloud_file" in variables:
                self._check_plan(variables)
            make_room(directory, variables["ansible_play_hosts_all"])
        except PodwrightError as error:
            raise AnsibleActionFail(str(error)) from None
        return result | {"changed": False, "collection": str(directory)}

    def _check_plan(self, variables: Mapping[str, Any]) -> None:
        """Refuse at once, and before anything is taken away, what every host would be refused for."""
        states = Path(variables["podwright_state_directory"])
        directory = plan_files.current_directory(states, check_mode=self._task.check_mode)
        plan_files.check_sources(directory, plan_files.sources_digest(Path(variables["podwright_cloud_file"])))
