from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from podwright.allocation.single_pool import ask, subnet, subnet_pool
from podwright.errors import AllocationError

ARGUMENTS = {
    "database": {"type": "str", "required": True},
    "zone": {"type": "str", "required": True},
    "networks": {"type": "list", "elements": "str", "default": []},
    "accounts": {"type": "list", "elements": "str", "required": True},
    "network": {"type": "str", "default": "default"},
    "fixed": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "quarantine_hours": {"type": "int", "default": 24},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Lease subnets to guest networks, on the controller; documented in library/guest_subnet.py."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS, required_if=[("state", "present", ["networks"])])
        try:
            return result | ask(
                arguments["database"],
                subnet_pool(arguments["zone"], arguments["networks"]),
                arguments["accounts"],
                network=arguments["network"],
                state=arguments["state"],
                fixed={account: subnet(str(value)) for account, value in arguments["fixed"].items()},
                quarantine_hours=arguments["quarantine_hours"],
                preview=self._task.check_mode,
            )
        except AllocationError as error:
            return result | {"failed": True, "msg": str(error)}
