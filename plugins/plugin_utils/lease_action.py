"""What the modules have in common that lease values of one pool, each for many holders at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase
from ansible_collections.podwright.cloud.plugins.plugin_utils.lease_database import database_url

from podwright.allocation.changes import diff
from podwright.allocation.database import Database
from podwright.allocation.history import this_run
from podwright.allocation.pools import Pool
from podwright.allocation.single_pool import Asked, ask
from podwright.allocation.spoken import parsed_value
from podwright.errors import AllocationError, PodwrightError

_ARGUMENTS = {
    "database": {"type": "str"},
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
    named_by: ClassVar[str]
    """The argument that names who needs a lease"""

    @abstractmethod
    def pool(self, arguments: Mapping[str, Any]) -> Pool:
        """The pool that the arguments describe; with nothing in it, one that is declared already."""

    @abstractmethod
    def holder(self, name: str, arguments: Mapping[str, Any]) -> str:
        """The holder that one of `named_by` stands for."""

    @abstractmethod
    def purpose(self, arguments: Mapping[str, Any]) -> str:
        """What the leases are for."""

    def sections(self, arguments: Mapping[str, Any]) -> list[str]:
        """The sections of the pool to take from first; empty means what is dedicated to the holder's account."""
        return []

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({**_ARGUMENTS, **self.own_arguments})
        try:
            holders = {self.holder(name, arguments): name for name in arguments[self.named_by]}
            asked = self._asked(arguments, holders, database_url(arguments["database"], task_vars))
        except PodwrightError as error:
            return result | {"failed": True, "msg": str(error)}
        held = {holders[holder]: lease.as_data for holder, lease in sorted(asked.leases.items())}
        return result | {"changed": bool(asked.changes), "leases": held, "diff": diff(asked.changes)}

    def _asked(self, arguments: Mapping[str, Any], holders: Mapping[str, str], url: str) -> Asked:
        pool = self.pool(arguments)
        with Database(url, this_run(self._task.action.rpartition(".")[2])) as database:
            return ask(
                database,
                pool,
                list(holders),
                purpose=self.purpose(arguments),
                state=arguments["state"],
                fixed=self._fixed(arguments, holders, pool),
                quarantine_hours=arguments["quarantine_hours"],
                preview=self._task.check_mode,
                sections=self.sections(arguments),
                named_by=self.named_by,
            )

    def _fixed(self, arguments: Mapping[str, Any], holders: Mapping[str, str], pool: Pool) -> dict[str, int]:
        """{holder: the value that it must have}"""
        fixed = arguments["fixed"]
        if unknown := sorted(set(fixed) - set(holders.values())):
            raise AllocationError(f"fixed: {', '.join(unknown)} is not one of the {self.named_by}; name it there too")
        return {
            holder: parsed_value(pool.name, str(fixed[name]), "fixed")
            for holder, name in holders.items()
            if name in fixed
        }
