from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

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
        directory = Path(arguments["directory"]).absolute()
        try:
            make_room(directory, (task_vars or {})["ansible_play_hosts_all"])
        except PodwrightError as error:
            raise AnsibleActionFail(str(error)) from None
        return result | {"changed": False, "collection": str(directory)}
