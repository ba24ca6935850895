"""What the lookups have in common that read the plan."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from podwright import plan_files
from podwright.errors import PlanError


class PlanLookup(LookupBase):  # type: ignore[misc]  # Ansible's classes are not annotated
    """Look something up in the current plan, or in check mode in the previewed one."""

    @abstractmethod
    def look_up(self, directory: Path, sources: str, terms: list[str]) -> list[dict[str, Any]]:
        """Find what the terms ask for in the plan of `directory`, which must be one of those `sources`.

        Raises:
            PlanError: there is no such plan.
        """

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        check_mode = bool((variables or {}).get("ansible_check_mode"))
        directory = plan_files.current_directory(Path(self.get_option("state_directory")), check_mode=check_mode)
        try:
            return self.look_up(directory, plan_files.sources_digest(Path(self.get_option("cloud_file"))), terms)
        except PlanError as error:
            raise AnsibleLookupError(str(error)) from None
