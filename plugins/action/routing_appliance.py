"""Configure a routing appliance and, when that could have cut us off, come back to confirm it."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        result.update(self._execute_module(task_vars=task_vars))
        if "confirm" in result:
            rollback_after_s = result["invocation"]["module_args"]["rollback_after_s"]
            self._confirm(result.pop("confirm"), time.monotonic() + rollback_after_s)
        return result

    def _confirm(self, command: str, deadline: float) -> None:
        """Run the confirming command over a new connection, for the one in use may outlive what lets new ones in."""
        while True:
            try:
                self._connection.reset()
                answer = self._low_level_execute_command(command)
            except AnsibleConnectionFailure as error:
                if time.monotonic() > deadline:
                    raise AnsibleActionFail(f"no answer after the change ({error}); {_TAKEN_BACK}") from error
                time.sleep(1)
            else:
                if answer["rc"]:
                    raise AnsibleActionFail(f"no answer in time after the change; {_TAKEN_BACK}")
                return


_TAKEN_BACK = (
    "the appliance takes it back by itself. Compare its declared management interface with the network, and run again"
)
