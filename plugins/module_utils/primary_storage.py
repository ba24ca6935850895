"""Primary storage of a pod: an NFS export with images and volumes, read, compared and brought to what is desired."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.podwright.cloud.plugins.module_utils import (
    change_marker,
    ganesha,
    managed_files,
    services,
    volumes,
)
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State, file_texts
from ansible_collections.podwright.cloud.plugins.module_utils.services import run

_SERVER, _PORTMAPPER, _LOCKS = "nfs-ganesha.service", "rpcbind.socket", "nfs-ganesha-lock.service"
_PART = "primary-storage"
_START_TIMEOUT_S = 20


def desired(storage: Mapping[str, Any], digests: Mapping[str, str]) -> State:
    """Work out all that should be seen on the server.

    Args:
        storage: The part `storage` of a desired state.
        digests: {image: SHA-256 of its source}.
    """
    return {
        **ganesha.render(storage),
        f"unit {_SERVER}": "enabled active",
        f"unit {_PORTMAPPER}": "enabled active",
        f"unit {_LOCKS}": "masked inactive",  # rpc.statd: it listens on every address, and nothing here takes locks
        "export": ganesha.export_text(storage["export"], storage["clients"]),
        **{f"image {name}": digests[name] for name in storage["images"]},
        **{f"volume {name}": _size(volume["size_gib"] * volumes.GIB) for name, volume in storage["volumes"].items()},
        change_marker.INTERRUPTED: None,
    }


def read(storage: Mapping[str, Any], found: volumes.Found) -> State:
    """Read what is seen on the server, `found` below the export included; changes nothing.

    Raises:
        RuntimeError: A program failed.
    """
    units = services.read((_SERVER, _PORTMAPPER, _LOCKS))
    return {
        **managed_files.read(ganesha.render(storage)),
        **{f"unit {name}": unit.standing for name, unit in units.items()},
        "export": ganesha.read_export(storage["export_id"]) if units[_SERVER].active else None,
        **below_export(found),
        **change_marker.read(_PART),
    }


def below_export(found: volumes.Found) -> State:
    """Say what lies below the export, as a part of what is seen."""
    return {
        **{f"image {name}": digest for name, digest in found.images.items()},
        **{f"volume {name}": _size(size) for name, size in found.volumes.items()},
        **{f"unfinished {path}": "left by an interrupted run" for path in found.unfinished},
    }


def check(storage: Mapping[str, Any], found: volumes.Found, image_bytes: Mapping[str, int]) -> None:
    """Refuse what cannot be had, before anything is touched.

    Raises:
        RuntimeError: A volume would shrink, or not hold its image, or take the name of a foreign file.
    """
    mistakes = []
    for name, volume in sorted(storage["volumes"].items()):
        has, wants = found.volumes.get(name), volume["size_gib"] * volumes.GIB
        if volume["image"] not in image_bytes:
            mistakes.append(f"volumes.{name}.image: {volume['image']} is not one of the images; declare its source")
        elif name in found.foreign:
            mistakes.append(f"volumes.{name}: a file of that name is not podwright's; move it away")
        elif has is None and image_bytes[volume["image"]] > wants:
            mistakes.append(
                f"volumes.{name}.size_gib: {_size(wants)} is less than image {volume['image']} "
                f"({_size(image_bytes[volume['image']])}); take a larger offering"
            )
        elif has is not None and has > wants:
            mistakes.append(
                f"volumes.{name}.size_gib: found {_size(has)}, expected {_size(wants)}; a volume never shrinks, "
                "declare at least what it has"
            )
    if mistakes:
        raise RuntimeError("\n".join(mistakes))


def left_behind(storage: Mapping[str, Any], found: volumes.Found) -> list[str]:
    """List volumes that nobody wants any more."""
    return sorted(set(found.volumes) - set(storage["volumes"]))


def spare(differences: Differences, names: Iterable[str]) -> Differences:
    """Take the removal of volumes out of the differences: it needs the operator's word."""
    kept = {f"volume {name}" for name in names}
    return {key: sides for key, sides in differences.items() if key not in kept}


def images_needed(differences: Differences) -> list[str]:
    """List the images whose content has to be sent."""
    return [
        key.removeprefix("image ") for key, (_, wanted) in differences.items() if key.startswith("image ") and wanted
    ]


def actions(differences: Differences) -> list[str]:
    """Say what the differences take beyond files, images and volumes, in the order to do it."""
    keys = set(differences)
    if change_marker.INTERRUPTED in keys:  # a run ended between writing and doing: nothing is known to be in force
        keys |= {ganesha.PORTMAPPER_UNIT, ganesha.SERVER_UNIT}
    restarts_portmapper = {ganesha.PORTMAPPER_UNIT, f"unit {_PORTMAPPER}"}
    causes = {
        "reload units": {ganesha.PORTMAPPER_UNIT, ganesha.SERVER_UNIT},
        "mask locks": {f"unit {_LOCKS}"},
        "enable units": {f"unit {_SERVER}", f"unit {_PORTMAPPER}"},
        "restart portmapper": restarts_portmapper,
        # A server registers with the portmapper when it starts.
        "restart server": {ganesha.SERVER, ganesha.SERVER_UNIT, f"unit {_SERVER}", *restarts_portmapper},
        "update export": {ganesha.EXPORT, "export"},
    }
    steps = [step for step, keys_of_step in causes.items() if keys_of_step & keys]
    return [step for step in steps if step != "update export" or "restart server" not in steps]


def apply(storage: Mapping[str, Any], differences: Differences, archives: Mapping[str, str]) -> None:
    """Make the changes; run again after a crash, it does what the crash left out.

    Args:
        storage: The part `storage` of a desired state.
        differences: What to change.
        archives: {image: path on this host of the tar archive that was sent}.

    Raises:
        RuntimeError: A program failed, or the server does not export what it should.
    """
    with change_marker.under_way(_PART):
        _change_files_below_export(storage, differences, archives)
        managed_files.write(file_texts(differences))
        for step in actions(differences):
            _take(step, storage)


def _change_files_below_export(
    storage: Mapping[str, Any], differences: Differences, archives: Mapping[str, str]
) -> None:
    export = storage["export"]
    for key, (seen, wanted) in differences.items():  # sorted: images come before the volumes made of them
        kind, _, name = key.partition(" ")
        if kind == "image" and wanted:
            volumes.put_image(export, name, archives[name], wanted)
        elif kind == "image":
            volumes.remove(f"{volumes.image_directory(export)}/{name}")
        elif kind == "volume" and not wanted:
            volumes.remove(f"{export}/{name}")
        elif kind == "volume" and seen:
            volumes.grow_volume(export, name, storage["volumes"][name]["size_gib"])
        elif kind == "volume":
            volumes.create_volume(export, name, **storage["volumes"][name])
        elif kind == "unfinished":
            volumes.remove(name)


def _take(step: str, storage: Mapping[str, Any]) -> None:
    if step == "update export":
        ganesha.update_export(storage, ganesha.read_export(storage["export_id"]))
    for command in _COMMANDS.get(step, []):
        run("systemctl", *command)
    if step in ("restart server", "update export"):
        _await_export(storage)


_COMMANDS: dict[str, list[tuple[str, ...]]] = {
    "reload units": [("daemon-reload",)],
    "mask locks": [("mask", "--quiet", "--now", _LOCKS)],
    "enable units": [("enable", "--quiet", _SERVER, _PORTMAPPER)],
    "restart portmapper": [("stop", _SERVER, "rpcbind.service", _PORTMAPPER), ("start", _PORTMAPPER)],
    "restart server": [("restart", _SERVER)],
}


def _await_export(storage: Mapping[str, Any]) -> None:
    """Wait until the server, which says that it runs before it has read all, exports what it should."""
    wanted = ganesha.export_text(storage["export"], storage["clients"])
    deadline = time.monotonic() + _START_TIMEOUT_S
    while (seen := ganesha.read_export(storage["export_id"])) != wanted:
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"export {storage['export_id']}: found {seen or 'none'} for {_START_TIMEOUT_S} s, expected {wanted}; "
                "see /var/log/ganesha/ganesha.log on the server"
            )
        time.sleep(0.1)


def _size(size: int) -> str:
    return f"{size / volumes.GIB:g} GiB" if size % 2**20 == 0 else f"{size} bytes"
