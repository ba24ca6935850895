"""What the modules have in common that lease values of one pool, each for many accounts at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase

from podwright.allocation.pools import Pool
from podwright.allocation.single_pool import ask
from podwright.errors import AllocationError

_ARGUMENTS = {
    "database": {"type": "str", "required": True},
    "accounts": {"type": "list", "elements": "str", "required": True},
    "network": {"type": "str", "default": "default"},
    "fixed": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "quarantine_hours": {"type": "int", "default": 24},
}


class LeaseAction(ActionBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Lease values of the pool that a module's own arguments describe, on the controller."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    own_arguments: ClassVar[Mapping[str, Mapping[str, Any]]]
    values_argument: ClassVar[str]
    """The argument that says what the pool holds: nothing can be leased without it."""

    @abstractmethod
    def pool(self, arguments: Mapping[str, Any]) -> Pool:
        """The pool that the arguments describe."""

    @abstractmethod
    def value(self, text: str) -> int:
        """A value of the pool as an operator writes it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {**_ARGUMENTS, **self.own_arguments}, required_if=[("state", "present", [self.values_argument])]
        )
        try:
            return result | ask(
                arguments["database"],
                self.pool(arguments),
                arguments["accounts"],
                network=arguments["network"],
                state=arguments["state"],
                fixed={account: self.value(str(value)) for account, value in arguments["fixed"].items()},
                quarantine_hours=arguments["quarantine_hours"],
                preview=self._task.check_mode,
            )
        except AllocationError as error:
            return result | {"failed": True, "msg": str(error)}
