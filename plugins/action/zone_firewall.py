"""Configure a firewall with its keys; when that could have cut us off, come back to confirm it."""

from __future__ import annotations

from typing import Any

from ansible_collections.podwright.cloud.plugins.plugin_utils.keyed import KeyedAction

from podwright import shared_keys


class ActionModule(KeyedAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        firewall = arguments.get("firewall") or {}
        arguments["keys"] = self.keys(shared_keys.VPN, firewall.get("vpns") or {}, task_vars)
        arguments["routing_key"] = self.routing_key(firewall, task_vars)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        self.confirm(result, _TAKEN_BACK)
        return result


_TAKEN_BACK = "the firewall takes it back by itself. See that the zone's controllers include this one, and run again"
