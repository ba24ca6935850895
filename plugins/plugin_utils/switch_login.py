"""How the controller logs in to a pod switch: as Ansible itself would, save for the port."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from podwright.switches.access import Access
from podwright.switches.driver import Driver, open_driver
from podwright.switches.platforms import default_port


class SwitchAction(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Speaks to a pod switch by its driver."""

    @contextmanager
    def driver(
        self, platform: str, port: int | None, known_hosts_file: str | None, probes: tuple[str, ...] = ()
    ) -> Iterator[Driver]:
        """The driver of the host, logged out afterwards.

        Raises:
            DeviceError: no such platform.
        """
        with closing(
            open_driver(platform, self._access(port or default_port(platform), known_hosts_file, probes))
        ) as opened:
            yield opened

    def _access(self, port: int, known_hosts_file: str | None, probes: tuple[str, ...]) -> Access:
        option = self._connection.get_option
        if not option("private_key_file"):
            raise AnsibleActionFail(f"{self._task.action}: no key to log in with; set ansible_ssh_private_key_file")
        return Access(
            host=option("host"),
            port=port,
            user=option("remote_user") or getpass.getuser(),
            key_file=Path(option("private_key_file")).expanduser(),
            known_hosts_file=Path(known_hosts_file or self._known_hosts_of_ssh()).expanduser(),
            probes=probes,
        )

    def _known_hosts_of_ssh(self) -> str:
        """The UserKnownHostsFile (ssh_config(5)) that Ansible's ssh is told, or ssh's own default."""
        for name in ("ssh_extra_args", "ssh_common_args", "ssh_args"):
            for word in shlex.split(self._connection.get_option(name) or ""):
                option, _, value = word.removeprefix("-o").partition("=")
                if option.lower() == "userknownhostsfile":
                    return value
        return "~/.ssh/known_hosts"
