"""Changes that take themselves back unless the controller confirms them."""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase


class ConfirmingAction(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Comes back over a new connection, for the one in use may outlive what lets new ones in."""

    def confirm(self, result: dict[str, Any], taken_back: str) -> None:
        """Confirm the change of a module's result, where it asks for that; a change that is lost is a failure."""
        if "confirm" not in result:
            return
        rollback_after_s = result["invocation"]["module_args"]["rollback_after_s"]
        if complaint := self._complaint(result.pop("confirm"), rollback_after_s):
            result.update(failed=True, msg=f"{complaint}; {taken_back}")

    def reconnect(self, command: str, timeout_s: float) -> dict[str, Any]:
        """Run a command over a new connection, tried for `timeout_s` seconds before its failure is raised."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._connection.reset()
                answer: dict[str, Any] = self._low_level_execute_command(command)
            except AnsibleConnectionFailure:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
            else:
                return answer

    def _complaint(self, command: str, rollback_after_s: float) -> str | None:
        """Run the confirming command; what went wrong, if anything."""
        try:
            answer = self.reconnect(command, rollback_after_s)
        except AnsibleConnectionFailure as error:
            return f"no answer after the change ({error})"
        return "no answer in time after the change" if answer["rc"] else None
