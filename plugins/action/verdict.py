from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from podwright.observe.proof import judge


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Hold what the other plays of verify.yml saw against the plan; runs once, on the controller."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            argument_spec={
                "states": {"type": "dict", "required": True},
                "frames": {"type": "str", "required": True},
                "answers": {"type": "str", "required": True},
            }
        )
        variables = task_vars or {}
        present = set(variables["ansible_play_hosts_all"])
        states = {
            name: state
            for name, state in arguments["states"].items()
            # An appliance's state says who its account is; with --limit, only present devices were observed.
            if name in present or state["kind"] == "routing_appliance"
        }
        frames = self._registered(variables, arguments["frames"], "frames")
        answers = self._registered(variables, arguments["answers"], "answers")
        findings = judge(states, frames, answers)
        failed = [finding for finding in findings if not finding.holds]
        result |= {"changed": False, "findings": [asdict(finding) for finding in findings]}
        if not findings:
            raise AnsibleActionFail("nothing was observed; declare a machine, or widen --limit")
        if failed:
            lines = [f"{finding.subject}: {finding.statement}: {finding.seen}" for finding in failed]
            result |= {"failed": True, "msg": "\n".join([f"{len(failed)} of {len(findings)} do not hold:", *lines])}
        else:
            result["msg"] = f"{len(findings)} statements hold"
        return result

    @staticmethod
    def _registered(variables: dict[str, Any], name: str, key: str) -> dict[str, Any]:
        """{host: what its task registered as `name` holds under `key`}, of the hosts that ran it."""
        hostvars = variables["hostvars"]
        results = {host: hostvars[host].get(name) for host in variables["ansible_play_hosts_all"]}
        return {host: result[key] for host, result in results.items() if result and key in result}
