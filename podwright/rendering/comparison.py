"""What a change of the declaration changes on devices, in their own syntax."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path

from podwright.allocation import preview_in_turn
from podwright.errors import InvalidInput
from podwright.model import Cloud, load
from podwright.model.revision import Revision
from podwright.rendering.rendered_files import Configurations
from podwright.rendering.stage import configurations_of

NOW = "inventory"
"""What messages and differences call the declaration as it is now."""


@dataclass(frozen=True)
class Comparison:
    """The configurations of two declarations."""

    against: str
    commit: str
    before: Configurations
    after: Configurations

    @property
    def differences(self) -> dict[str, dict[str, str]]:
        """{device: {path: unified difference}}, of what is not the same, by name."""
        devices = sorted(self.before.keys() | self.after.keys())
        return {device: diffs for device in devices if (diffs := dict(self._of_device(device)))}

    def fate(self, device: str) -> str:
        """What becomes of a device that differs: added, removed or changed."""
        if device not in self.before:
            return "added"
        return "changed" if device in self.after else "removed"

    def _of_device(self, device: str) -> Iterator[tuple[str, str]]:
        before, after = self.before.get(device, {}), self.after.get(device, {})
        for path in sorted(before.keys() | after.keys()):
            if before.get(path) != after.get(path):
                yield path, self._difference(f"{device}/{path}", before.get(path), after.get(path))

    def _difference(self, name: str, before: str | None, after: str | None) -> str:
        old, new = (
            "/dev/null" if text is None else f"{side}:{name}" for side, text in ((self.against, before), (NOW, after))
        )
        lines = unified_diff(_lines(before), _lines(after), old, new)
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _lines(text: str | None) -> list[str]:
    return (text or "").splitlines(keepends=True)


def compare(cloud_file: Path, against: str) -> Comparison:
    """Render the declaration at a git revision and that of now, and compare.

    Both are planned with the leases of today's database, the old one first, as a preview; nothing is written.

    Raises:
        InvalidInput: there is no such revision, or one of the declarations is wrong.
        AllocationError: a lease cannot be had.
    """
    now = load(cloud_file)
    revision = Revision(against, cloud_file)
    clouds: Mapping[str, Cloud] = {against: _load(cloud_file, revision), NOW: now}
    leases = preview_in_turn(clouds, now.database)
    before, after = (configurations_of(cloud, leases[name]) for name, cloud in clouds.items())
    return Comparison(against, revision.commit, before, after)


def _load(cloud_file: Path, revision: Revision) -> Cloud:
    try:
        return load(cloud_file, files=revision)
    except InvalidInput as error:
        raise InvalidInput(
            replace(mistake, file=f"{revision.name}:{mistake.file}") for mistake in error.mistakes
        ) from error
