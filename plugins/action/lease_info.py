from __future__ import annotations

from typing import Any, get_args

from ansible.plugins.action import ActionBase
from ansible_collections.podwright.cloud.plugins.plugin_utils.lease_database import database_url

from podwright.allocation.database import Database, unix_time
from podwright.allocation.enquiry import ANY_POOL, Only, as_data, records
from podwright.allocation.grant import State
from podwright.errors import PodwrightError

_ARGUMENTS = {
    "database": {"type": "str"},
    "pool": {"type": "str", "choices": list(ANY_POOL)},
    "scope": {"type": "str"},
    "holder": {"type": "str"},
    "state": {"type": "str", "choices": list(get_args(State))},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Tell who has what, on the controller; documented in library/lease_info.py."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(_ARGUMENTS)
        only = Only(*(arguments[name] for name in Only._fields))
        try:
            with Database(database_url(arguments["database"], task_vars)) as database:
                found = database.read(lambda repository: records(repository, only, unix_time(None)), needed=False)
        except PodwrightError as error:
            return result | {"failed": True, "msg": str(error)}
        return result | {"changed": False, "leases": [as_data(record) for record in found]}
