"""Storage servers: their network, the NFS server's files, and what lies below the export."""

from __future__ import annotations

from ansible_collections.podwright.cloud.plugins.module_utils import ganesha

from podwright.plan.state import Storage, StorageServerState
from podwright.rendering.linux_network import network_files
from podwright.rendering.paths import files_of

_BELOW_EXPORT = "below-export.txt"
"""Images and volumes, a line each: they are files too large to be shown."""


def storage_server_files(state: StorageServerState) -> dict[str, str]:
    """Render a storage server: {path: text}."""
    storage = state["storage"]
    return {
        **network_files(state["network"]),
        **files_of(ganesha.render(storage)),
        _BELOW_EXPORT: "".join(f"{line}\n" for line in _below_export(storage)),
    }


def _below_export(storage: Storage) -> list[str]:
    images = [f"image {name}" for name in sorted(storage["images"])]
    volumes = [
        f"volume {name} of {volume['size_gib']} GiB, made from {volume['image']}"
        for name, volume in sorted(storage["volumes"].items())
    ]
    return images + volumes
