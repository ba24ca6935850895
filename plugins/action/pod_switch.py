"""Bring a pod switch to its desired state, from the controller."""

from __future__ import annotations

import re
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.podwright.cloud.plugins.plugin_utils.switch_login import SwitchAction

from podwright.errors import PodwrightError
from podwright.switches.converge import converge
from podwright.switches.state import ALL_VLANS, SwitchState, as_data, forwarding_as_data, from_data


class ActionModule(SwitchAction):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "state": {"type": "dict"},
                "platform": {"type": "str"},
                "port": {"type": "int"},
                "known_hosts_file": {"type": "path"},
                "probes": {"type": "list", "elements": "str", "default": []},
            }
        )
        state = arguments["state"] or {}
        platform = arguments["platform"] or state.get("platform")
        if not platform:
            raise AnsibleActionFail("pod_switch: which driver? Give the device's state, or platform")
        try:
            port, probes = arguments["port"] or state.get("port"), _probes(arguments["probes"])
            with self.driver(platform, port, arguments["known_hosts_file"], probes) as driver:
                outcome = converge(driver, from_data(state.get("switch") or {}), dry_run=self._task.check_mode)
        except PodwrightError as error:
            raise AnsibleActionFail(str(error)) from None  # Ansible would add the text of every cause to ours
        return result | {
            "changed": bool(outcome.change),
            "diff": {"before": _yaml(outcome.before), "after": _yaml(outcome.after)},
            "observed": as_data(outcome.observed),
            "forwarding": outcome.forwarding and forwarding_as_data(outcome.forwarding),
            "astray": outcome.astray,
        }


def _probes(texts: list[str]) -> tuple[str, ...]:
    """Hosts to ask, checked before the switch is touched."""
    wrong = [text for text in texts if not re.fullmatch(r".+:\d{1,5}", text)]
    if wrong:
        raise AnsibleActionFail(f"pod_switch: probes: {', '.join(wrong)}: give address:port, as in 192.0.2.11:22")
    return tuple(texts)


def _yaml(state: SwitchState) -> str:
    data = as_data(state)
    for port in data.get("ports", {}).values():
        if len(port["tagged"]) == len(ALL_VLANS):  # of a switch from the factory, which has many of those
            port["tagged"] = "all"
    text: str = yaml.safe_dump(data, sort_keys=False)
    return text
