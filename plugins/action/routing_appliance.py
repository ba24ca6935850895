"""Configure a routing appliance, once it has booted; when that could have cut us off, come back to confirm it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        # Both are for us: a machine that is not there cannot say so.
        starting = boolean(arguments.pop("starting", False))
        boot_timeout_s = int(arguments.pop("boot_timeout_s", _BOOT_TIMEOUT_S))
        if starting and self._task.check_mode:
            return result | _everything(arguments["appliance"])
        try:
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        except AnsibleConnectionFailure:  # it may be booting: started by this run, or with its hypervisor
            self._wait_for_boot(boot_timeout_s)
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        if "confirm" in result:
            complaint = self._confirm(result.pop("confirm"), result["invocation"]["module_args"]["rollback_after_s"])
            if complaint:
                result.update(failed=True, msg=f"{complaint}; {_TAKEN_BACK}")
        return result

    def _wait_for_boot(self, boot_timeout_s: float) -> None:
        try:
            self._reconnect("true", boot_timeout_s)
        except AnsibleConnectionFailure as error:
            raise AnsibleActionFail(
                f"does not answer within {boot_timeout_s} s: {error}; see on its hypervisor that it runs (virsh list)"
            ) from error

    def _confirm(self, command: str, rollback_after_s: float) -> str | None:
        """Run the confirming command over a new connection, for the one in use may outlive what lets new ones in.

        Returns:
            What went wrong, if anything.
        """
        try:
            answer = self._reconnect(command, rollback_after_s)
        except AnsibleConnectionFailure as error:
            return f"no answer after the change ({error})"
        return "no answer in time after the change" if answer["rc"] else None

    def _reconnect(self, command: str, timeout_s: float) -> dict[str, Any]:
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


def _everything(appliance: Mapping[str, Any]) -> dict[str, Any]:
    """What check mode says of a machine that the run would start: all of it is new."""
    return {"changed": True, "diff": {"before": "", "after": json.dumps(appliance, indent=2, sort_keys=True)}}


# Ten times what a small machine needs under full emulation on a busy host.
_BOOT_TIMEOUT_S = 300

_TAKEN_BACK = (
    "the appliance takes it back by itself. Compare its declared management interface with the network, and run again"
)
