#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: packet_watch
short_description: Count the frames on interfaces by their source
description:
  - Listens on the interfaces of a host for a while and counts what passes, by source MAC and source IPv4 address.
  - Changes nothing. Run it with O(async) while something else sends.
version_added: "0.1.0"
author: The podwright developers
options:
  interfaces:
    description: Interfaces to listen on; one that does not exist is left out of the result.
    type: list
    elements: str
    required: true
  duration_s:
    description: Seconds to listen.
    type: int
    required: true
attributes:
  check_mode:
    description: Changes nothing, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Count what passes the storage network for ten seconds
  podwright.cloud.packet_watch:
    interfaces: [vlan20]
    duration_s: 10
"""

RETURN = r"""
frames:
  description: By interface, RV(frames[].macs) and RV(frames[].addresses) with the number of frames from each.
  returned: always
  type: dict
  sample: {vlan20: {macs: {"02:70:77:00:00:01": 3}, addresses: {192.0.2.1: 3}}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils.packet_watch import watch


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "list", "elements": "str", "required": True},
            "duration_s": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    frames = watch(module.params["interfaces"], module.params["duration_s"])
    module.exit_json(changed=False, frames=frames)


if __name__ == "__main__":
    main()
