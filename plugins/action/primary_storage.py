"""Bring a storage server to its desired state, sending those images that it has not."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from podwright.cache import cache_directory
from podwright.disk_images import DiskImage, inspect, pack
from podwright.errors import PodwrightError


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        storage = self._task.args.get("storage") or {}
        sources = {name: Path(image["source"]) for name, image in (storage.get("images") or {}).items()}
        try:
            images = {
                name: inspect(source, cache_directory() / "image-digests.json") for name, source in sources.items()
            }
        except PodwrightError as error:
            raise AnsibleActionFail(str(error)) from error
        answer = self._call(images, {}, task_vars)
        needed = answer.pop("images_needed", [])
        if needed:
            directory = answer.pop("image_directory")
            archives = {name: self._send(sources[name], f"{directory}/.podwright-{name}.tar") for name in needed}
            answer = self._call(images, archives, task_vars)
        if "left_behind" in answer:  # for the release stage, which frees the room of those that are not there
            answer["ansible_facts"] = {"podwright_left_behind": answer["left_behind"]}
        return result | answer

    def _call(
        self, images: dict[str, DiskImage], archives: dict[str, str], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        contents = {
            name: {"digest": image.digest, "size_bytes": image.size_bytes, "archive": archives.get(name)}
            for name, image in images.items()
        }
        answer: dict[str, Any] = self._execute_module(
            module_args=self._task.args | {"image_contents": contents}, task_vars=task_vars
        )
        return answer

    def _send(self, source: Path, archive: str) -> str:
        """Put an image down beside the others, where there is room for it and where the server finds it by name."""
        with TemporaryDirectory() as scratch:
            pack(source, Path(scratch, "image.tar"))
            self._transfer_file(str(Path(scratch, "image.tar")), archive)
        return archive
