"""Configure a zone switch with the key of its routing; when that could have cut us off, come back to confirm it."""

from __future__ import annotations

from typing import Any

from ansible_collections.podwright.cloud.plugins.plugin_utils.keyed import KeyedAction


class ActionModule(KeyedAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        arguments["routing_key"] = self.routing_key(arguments.get("gateway") or {}, task_vars)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        self.confirm(result, _TAKEN_BACK)
        return result


_TAKEN_BACK = "the zone switch takes it back by itself. See how the controller reaches it, and run again"
