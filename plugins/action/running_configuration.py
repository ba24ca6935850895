"""Write down on the controller what a device runs with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.podwright.cloud.plugins.plugin_utils.switch_login import SwitchAction

from podwright.collection import keep
from podwright.errors import PodwrightError
from podwright.rendering.linux_network import OVS_DATABASE, TABLES
from podwright.rendering.ovs_database import reply_text
from podwright.rendering.pod_switch import RUNNING_CONFIGURATION


class ActionModule(SwitchAction):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "state": {"type": "dict", "required": True},
                "directory": {"type": "path", "required": True},
                "known_hosts_file": {"type": "path"},
            }
        )
        variables, state = task_vars or {}, arguments["state"]
        try:
            if state["kind"] == "pod_switch":
                with self.driver(state["platform"], state.get("port"), arguments["known_hosts_file"]) as driver:
                    files = {RUNNING_CONFIGURATION: driver.collect()}
            else:
                answer = self._of_linux(state, variables)
                if "files" not in answer:
                    return result | answer
                files = _files(answer)
            collected = keep(Path(arguments["directory"]).absolute(), variables["inventory_hostname"], files)
        except PodwrightError as error:
            raise AnsibleActionFail(str(error)) from None  # Ansible would add the text of every cause to ours
        return result | {"changed": False, "collected": collected}

    def _of_linux(self, state: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        backend = state.get("network", {}).get("backend", "linux")
        answer: dict[str, Any] = self._execute_module(
            module_name="podwright.cloud.running_files",
            module_args={"kind": state["kind"], "backend": backend},
            task_vars=variables,
        )
        return answer


def _files(answer: Mapping[str, Any]) -> dict[str, str]:
    """What the module read, by paths below the device's directory."""
    files = {path.lstrip("/"): text for path, text in answer["files"].items()}
    database = answer["openvswitch"]
    return files if database is None else {**files, OVS_DATABASE: reply_text(database, TABLES)}
