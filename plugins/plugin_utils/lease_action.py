"""What the modules have in common that lease values of one pool, each for many accounts at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase

from podwright.allocation.changes import diff
from podwright.allocation.database import Database
from podwright.allocation.demand import NETWORK_PURPOSE
from podwright.allocation.history import this_run
from podwright.allocation.pools import Pool
from podwright.allocation.single_pool import Asked, ask
from podwright.allocation.spoken import parsed_value
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

    @abstractmethod
    def pool(self, arguments: Mapping[str, Any]) -> Pool:
        """The pool that the arguments describe; with nothing in it, one that is declared already."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({**_ARGUMENTS, **self.own_arguments})
        try:
            asked = self._asked(arguments)
        except AllocationError as error:
            return result | {"failed": True, "msg": str(error)}
        held = {holder.partition("/")[0]: lease.as_data for holder, lease in sorted(asked.leases.items())}
        return result | {"changed": bool(asked.changes), "leases": held, "diff": diff(asked.changes)}

    def _asked(self, arguments: Mapping[str, Any]) -> Asked:
        pool = self.pool(arguments)
        with Database(arguments["database"], this_run(self._task.action.rpartition(".")[2])) as database:
            return ask(
                database,
                pool,
                [f"{account}/{arguments['network']}" for account in arguments["accounts"]],
                purpose=NETWORK_PURPOSE,
                state=arguments["state"],
                fixed=_fixed(arguments, pool),
                quarantine_hours=arguments["quarantine_hours"],
                preview=self._task.check_mode,
            )


def _fixed(arguments: Mapping[str, Any], pool: Pool) -> dict[str, int]:
    """{holder: the value that it must have}"""
    fixed, accounts = arguments["fixed"], arguments["accounts"]
    if unknown := sorted(set(fixed) - set(accounts)):
        raise AllocationError(f"fixed: {', '.join(unknown)} is not one of the accounts; name it there too")
    return {
        f"{account}/{arguments['network']}": parsed_value(pool.name, str(value), "fixed")
        for account, value in fixed.items()
    }
