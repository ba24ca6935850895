"""Modules that need keys of the controller beside a desired state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.podwright.cloud.plugins.plugin_utils.confirmation import ConfirmingAction

from podwright import shared_keys
from podwright.errors import PodwrightError


class KeyedAction(ConfirmingAction):
    """Adds keys to the arguments of a module, which may not log them."""

    def keys(self, kind: shared_keys.Kind, names: Iterable[str], variables: Mapping[str, Any] | None) -> dict[str, str]:
        """Look up the keys that there are, and for a real run make those that are missing: {name: key}."""
        wanted = sorted(names)
        if not wanted:
            return {}
        directory = (variables or {}).get("podwright_state_directory")
        if directory is None:
            raise AnsibleActionFail(
                f"{self._task.action}: podwright_state_directory is not set; give the directory of {kind.directory}"
            )
        look_up = shared_keys.known if self._task.check_mode else shared_keys.made
        try:
            return look_up(Path(directory), kind, wanted)
        except PodwrightError as error:
            raise AnsibleActionFail(str(error)) from error

    def routing_key(self, state: Mapping[str, Any], variables: Mapping[str, Any] | None) -> str | None:
        """Look up the key of the OSPF of a device with `state`, if it has that."""
        name = (state.get("routing") or {}).get("key")
        return self.keys(shared_keys.ROUTING, [name], variables).get(name) if name else None
