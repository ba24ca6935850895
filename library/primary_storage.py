#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: primary_storage
short_description: Export primary storage with images and volumes
description:
  - Makes a server the primary storage of a pod. NFS-Ganesha exports one directory to the declared clients and listens
    on the storage address only. The directory holds images, copied from the controller, and volumes that start as
    copies of them.
  - Takes the whole storage as one value. Images that are not in it go. Volumes that are not in it are listed and stay,
    until O(confirm_removal). Files that podwright did not make are never touched.
  - A change of clients reaches the running server at once and interrupts nobody.
version_added: "0.1.0"
author: The podwright developers
requirements:
  - nfs-ganesha 4 with nfs-ganesha-vfs, rpcbind, systemd, tar
  - a file system at the export that gives out file handles, such as ext4 or xfs, and not an overlay
options:
  storage:
    description: What the storage should be.
    type: dict
    required: true
    suboptions:
      address: {description: The only address to listen on., type: str, required: true}
      export: {description: Directory to export., type: str, required: true}
      export_id: {description: Number of the export., type: int, required: true}
      clients:
        description: Addresses that may read and write; nobody else may do either.
        type: list
        elements: str
        required: true
      images:
        description: By name, a C(source) each, the path of a raw disk on the controller.
        type: dict
        required: true
      volumes:
        description: By file name, the C(image) that it starts as and its C(size_gib), which may grow and never shrinks.
        type: dict
        required: true
  confirm_removal:
    description: Remove the volumes that are not declared any more, with all that is on them.
    type: bool
    default: false
  image_contents:
    description: Given by the action plugin of the same name, which knows the controller's files.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Predicts the change.
    support: full
  diff_mode:
    description: Shows files, running state, images and volumes, before and after.
    support: full
"""

EXAMPLES = r"""
- name: Export primary storage to two hypervisors
  podwright.cloud.primary_storage:
    storage:
      address: 192.0.2.21
      export: /srv/primary
      export_id: 1
      clients: [192.0.2.31, 192.0.2.32]
      images:
        tiny: {source: /var/lib/images/tiny.raw}
      volumes:
        acme-web1.raw: {image: tiny, size_gib: 1}
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, to services, after files were written.
  returned: success
  type: list
  elements: str
  sample: [update export]
left_behind:
  description: Volumes that are not declared any more and are still there.
  returned: success
  type: list
  elements: str
ansible_facts:
  description: What M(podwright.cloud.release) has to know of this server.
  returned: success
  type: dict
  contains:
    podwright_left_behind:
      description: The same as RV(left_behind).
      type: list
      elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils import primary_storage, volumes
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import compare, diff

STORAGE = {
    "address": {"type": "str", "required": True},
    "export": {"type": "str", "required": True},
    "export_id": {"type": "int", "required": True},
    "clients": {"type": "list", "elements": "str", "required": True},
    "images": {"type": "dict", "required": True},
    "volumes": {"type": "dict", "required": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "storage": {"type": "dict", "required": True, "options": STORAGE},
            "confirm_removal": {"type": "bool", "default": False},
            "image_contents": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    try:
        result = bring(module.params["storage"], module.params, module.check_mode)
    except (RuntimeError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def bring(storage: dict[str, Any], params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    contents = params["image_contents"]
    archives = {name: content["archive"] for name, content in contents.items() if content["archive"]}
    found = volumes.read(storage["export"], set(archives.values()))
    primary_storage.check(storage, found, {name: content["size_bytes"] for name, content in contents.items()})

    digests = {name: content["digest"] for name, content in contents.items()}
    differences = compare(primary_storage.desired(storage, digests), primary_storage.read(storage, found))
    left_behind = [] if params["confirm_removal"] else primary_storage.left_behind(storage, found)
    differences = primary_storage.spare(differences, left_behind)
    result = {
        "changed": bool(differences),
        "actions": primary_storage.actions(differences),
        "diff": diff(differences),
        "left_behind": left_behind,
    }
    if differences and not check_mode:
        volumes.make_directories(storage["export"])
        needed = sorted(set(primary_storage.images_needed(differences)) - set(archives))
        if needed:  # nothing is done until all is there
            return result | {"images_needed": needed, "image_directory": volumes.image_directory(storage["export"])}
        primary_storage.apply(storage, differences, archives)
    return result


if __name__ == "__main__":
    main()
