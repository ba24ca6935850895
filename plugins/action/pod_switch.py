"""Bring a pod switch to its desired state, from the controller."""

from __future__ import annotations

import getpass
import re
import shlex
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from podwright.errors import PodwrightError
from podwright.switches.access import Access
from podwright.switches.converge import converge
from podwright.switches.driver import open_driver
from podwright.switches.platforms import default_port
from podwright.switches.state import SwitchState, as_data, forwarding_as_data, from_data


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
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
            port = arguments["port"] or state.get("port") or default_port(platform)
            access = self._access(port, arguments["known_hosts_file"])
            access = replace(access, probes=_probes(arguments["probes"]))
            with closing(open_driver(platform, access)) as driver:
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

    def _access(self, port: int, known_hosts_file: str | None) -> Access:
        """Log in as Ansible itself would, save for the port."""
        option = self._connection.get_option
        if not option("private_key_file"):
            raise AnsibleActionFail("pod_switch: no key to log in with; set ansible_ssh_private_key_file")
        return Access(
            host=option("host"),
            port=port,
            user=option("remote_user") or getpass.getuser(),
            key_file=Path(option("private_key_file")).expanduser(),
            known_hosts_file=Path(known_hosts_file or self._known_hosts_of_ssh()).expanduser(),
        )

    def _known_hosts_of_ssh(self) -> str:
        """The UserKnownHostsFile (ssh_config(5)) that Ansible's ssh is told, or ssh's own default."""
        for name in ("ssh_extra_args", "ssh_common_args", "ssh_args"):
            for word in shlex.split(self._connection.get_option(name) or ""):
                option, _, value = word.removeprefix("-o").partition("=")
                if option.lower() == "userknownhostsfile":
                    return value
        return "~/.ssh/known_hosts"


def _probes(texts: list[str]) -> tuple[str, ...]:
    """Hosts to ask, checked before the switch is touched."""
    wrong = [text for text in texts if not re.fullmatch(r".+:\d{1,5}", text)]
    if wrong:
        raise AnsibleActionFail(f"pod_switch: probes: {', '.join(wrong)}: give address:port, as in 192.0.2.11:22")
    return tuple(texts)


def _yaml(state: SwitchState) -> str:
    text: str = yaml.safe_dump(as_data(state), sort_keys=False)
    return text
