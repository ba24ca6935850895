"""Configure a routing appliance, once it has booted; when that could have cut us off, come back to confirm it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.podwright.cloud.plugins.module_utils import look, routing_appliance
from ansible_collections.podwright.cloud.plugins.plugin_utils.confirmation import ConfirmingAction


class ActionModule(ConfirmingAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        # The first two are for us: a machine that is not there cannot say so.
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "starting": {"type": "bool", "default": False},
                "boot_timeout_s": {"type": "int", "default": _BOOT_TIMEOUT_S},
                **routing_appliance.ARGUMENTS,
            }
        )
        starting, boot_timeout_s = arguments.pop("starting"), arguments.pop("boot_timeout_s")
        if starting and self._task.check_mode:
            return result | _everything(arguments["appliance"])
        try:
            result.update(self._converge(arguments, task_vars))
        except AnsibleConnectionFailure:  # it may be booting: started by this run, or with its hypervisor
            self._wait_for_boot(boot_timeout_s)
            result.update(self._converge(arguments, task_vars))
        self.confirm(result, _TAKEN_BACK)
        return result

    def _converge(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Look at the appliance, and send the module when something there is not as it should be."""
        if self._is_as_desired(arguments["appliance"]):
            return routing_appliance.told({})
        answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return answer

    def _is_as_desired(self, appliance: Mapping[str, Any]) -> bool:
        planned = look.prepare(routing_appliance.sights(appliance))
        answer = self._low_level_execute_command("/bin/sh", in_data=planned.script)
        try:
            return not routing_appliance.compare(appliance, planned.read(answer["stdout"], answer["stderr"]))
        except RuntimeError:
            return False  # the module meets with the same, and says it as modules do

    def _wait_for_boot(self, boot_timeout_s: float) -> None:
        try:
            self.reconnect("true", boot_timeout_s)
        except AnsibleConnectionFailure as error:
            raise AnsibleActionFail(
                f"does not answer within {boot_timeout_s} s: {error}; see on its hypervisor that it runs (virsh list)"
            ) from error


def _everything(appliance: Mapping[str, Any]) -> dict[str, Any]:
    """What check mode says of a machine that the run would start: all of it is new."""
    return {"changed": True, "diff": {"before": "", "after": json.dumps(appliance, indent=2, sort_keys=True)}}


# Ten times what a small machine needs under full emulation on a busy host.
_BOOT_TIMEOUT_S = 300

_TAKEN_BACK = (
    "the appliance takes it back by itself. Compare its declared management interface with the network, and run again"
)
