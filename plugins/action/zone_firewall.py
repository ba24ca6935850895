"""Configure a firewall with the keys of its VPNs; when that could have cut us off, come back to confirm it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.podwright.cloud.plugins.plugin_utils.confirmation import ConfirmingAction

from podwright import vpn_keys
from podwright.errors import PodwrightError


class ActionModule(ConfirmingAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        vpns = (arguments.get("firewall") or {}).get("vpns") or {}
        arguments["keys"] = self._keys(vpns, (task_vars or {}).get("podwright_state_directory"))
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        self.confirm(result, _TAKEN_BACK)
        return result

    def _keys(self, vpns: dict[str, Any], state_directory: str | None) -> dict[str, str]:
        """What there is, and for a real run all that is needed."""
        if not vpns:
            return {}
        if state_directory is None:
            raise AnsibleActionFail("zone_firewall: podwright_state_directory is not set; give the directory of keys")
        keys = vpn_keys.known if self._task.check_mode else vpn_keys.made
        try:
            return keys(Path(state_directory), vpns)
        except PodwrightError as error:
            raise AnsibleActionFail(str(error)) from error


_TAKEN_BACK = "the firewall takes it back by itself. See that the zone's controllers include this one, and run again"
