#!/usr/bin/python
"""Make a Linux device the gateway of a zone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: zone_gateway
short_description: Virtual gateway addresses and forwarding rules of a zone switch
description:
  - Reads the device, compares it with O(gateway) and changes only what differs.
  - keepalived moves the virtual addresses (VRRPv3, virtual MACs) together from one zone switch to the other. nftables
    drops what is not named in O(gateway.forwarding), in a table of its own that is replaced in one step and loaded at
    boot.
  - Of the interfaces named in O(gateway.forwarding) the switch itself answers only VRRP and, on these interfaces' own
    addresses, ping.
  - keepalived and nftables check their new files before these take the place of the old ones.
requirements:
  - Debian packages C(keepalived) and C(nftables) on the device.
options:
  gateway:
    description: The C(gateway) part of the device's desired state (docs/desired-state.md).
    type: dict
    required: true
    suboptions:
      virtual_addresses:
        description: Addresses that the pair of zone switches shares.
        type: list
        elements: dict
        required: true
        suboptions:
          interface: {description: Where the address lives., type: str, required: true}
          address: {description: Address and prefix length., type: str, required: true}
          virtual_router_id: {description: The same on both switches., type: int, required: true}
          priority: {description: The higher one is master., type: int, required: true}
          advertisement_interval_ms: {description: Milliseconds between advertisements., type: int, required: true}
      forwarding:
        description: Pairs C({from, to}) of interfaces that packets may cross; replies may always come back.
        type: list
        elements: dict
        required: true
        suboptions:
          from: {description: Where packets come in., type: str, required: true}
          to: {description: Where they leave., type: str, required: true}
      tracked_ports:
        description: Ports to the pods; a switch that has lost all of them hands its addresses over.
        type: list
        elements: str
        default: []
attributes:
  check_mode: {support: full, description: Predicts the change.}
  diff_mode: {support: full, description: Shows what changes, and only that.}
author: [podwright]
"""

EXAMPLES = r"""
- name: Gateway
  podwright.cloud.zone_gateway:
    gateway:
      virtual_addresses:
        - interface: vlan30
          address: 203.0.113.1/24
          virtual_router_id: 30
          priority: 150
          advertisement_interval_ms: 100
        - interface: swp3
          address: 198.51.100.1/24
          virtual_router_id: 1
          priority: 150
          advertisement_interval_ms: 100
      forwarding:
        - {from: vlan30, to: swp3}
        - {from: swp3, to: vlan30}
"""

RETURN = r"""
actions:
  description: What the change takes beyond the files.
  returned: success
  type: list
  elements: str
  sample: [reload keepalived]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils import zone_gateway
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import compare, diff


def main() -> None:
    address = {
        "interface": {"required": True},
        "address": {"required": True},
        "virtual_router_id": {"type": "int", "required": True},
        "priority": {"type": "int", "required": True},
        "advertisement_interval_ms": {"type": "int", "required": True},
    }
    pair = {"from": {"required": True}, "to": {"required": True}}
    options = {
        "virtual_addresses": {"type": "list", "elements": "dict", "required": True, "options": address},
        "forwarding": {"type": "list", "elements": "dict", "required": True, "options": pair},
        "tracked_ports": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(
        argument_spec={"gateway": {"type": "dict", "required": True, "options": options}},
        supports_check_mode=True,
    )
    try:
        differences = compare(zone_gateway.desired(module.params["gateway"]), zone_gateway.read())
        if differences and not module.check_mode:
            zone_gateway.apply(differences)
    except (OSError, RuntimeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(differences), actions=zone_gateway.actions(differences), diff=diff(differences))


if __name__ == "__main__":
    main()
