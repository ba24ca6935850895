"""Bring a hypervisor's machines to their desired state, sending those boot files that it has not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        images = self._task.args.get("boot_files") or {}
        digests = {path: _digest(path) for files in images.values() for path in files.values() if path}
        module_args = self._task.args | {
            "boot_files": {
                image: {kind: digests.get(files.get(kind)) for kind in ("kernel", "initrd")}
                for image, files in images.items()
            }
        }
        answer: dict[str, Any] = self._execute_module(module_args=module_args, task_vars=task_vars)
        if answer.get("missing_boot_files"):
            sources = {digest: path for path, digest in digests.items()}
            staged_in = self._make_tmp_path()
            for digest in answer["missing_boot_files"]:
                self._transfer_file(sources[digest], self._connection._shell.join_path(staged_in, digest))
            answer = self._execute_module(module_args=module_args | {"staged_in": staged_in}, task_vars=task_vars)
        return result | answer


def _digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise AnsibleActionFail(f"boot file {path}: {error.strerror}; build the image or correct its path") from error
