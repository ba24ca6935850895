from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from podwright.observe.verdict import Finding, Topic, judge


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
                "comparisons": {"type": "list", "elements": "str", "required": True},
            }
        )
        variables = task_vars or {}
        present = set(variables["ansible_play_hosts_all"])
        states = {
            name: state
            for name, state in arguments["states"].items()
            # With --limit, only devices of the play were observed; an appliance's state tells of its account, too.
            if name in present or state["kind"] == "routing_appliance"
        }
        frames = _values(self._registered(variables, arguments["frames"]), "frames")
        answers = _values(self._registered(variables, arguments["answers"]), "answers")
        comparisons: dict[str, list[dict[str, Any]]] = {}
        for name in arguments["comparisons"]:
            for host, outcome in self._registered(variables, name).items():
                comparisons.setdefault(host, []).append(outcome)
        findings = [
            finding
            for finding in judge(states, frames, answers, comparisons)
            if finding.topic is not Topic.CONFIGURED or finding.subject in present
        ]
        if not findings:
            raise AnsibleActionFail("nothing was observed; declare a machine, or widen --limit")
        refuted = [finding for finding in findings if not finding.holds]
        drifted = [finding for finding in refuted if finding.topic is Topic.CONFIGURED]
        result |= {
            "changed": bool(drifted),
            "failed": len(refuted) > len(drifted),
            "findings": [asdict(finding) for finding in findings],
            "msg": _summary(findings, refuted),
        }
        return result

    @staticmethod
    def _registered(variables: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
        """{host: what its task registered as `name`}, of the hosts of the play on which it came to an end."""
        hostvars = variables["hostvars"]
        results = {host: hostvars[host].get(name) for host in variables["ansible_play_hosts_all"]}
        return {host: result for host, result in results.items() if result and _came_to_an_end(result)}


def _came_to_an_end(result: dict[str, Any]) -> bool:
    """A task that failed observed nothing, and its result must not pass for "no change"."""
    return not any(result.get(flag) for flag in ("failed", "unreachable", "skipped"))


def _values(results: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
    return {host: result[key] for host, result in results.items() if key in result}


def _summary(findings: list[Finding], refuted: list[Finding]) -> str:
    if not refuted:
        return f"{len(findings)} statements hold"
    lines = [f"{finding.subject}: {finding.statement}: {finding.seen}" for finding in refuted]
    return "\n".join([f"{len(refuted)} of {len(findings)} statements do not hold:", *lines])
