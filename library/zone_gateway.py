#!/usr/bin/python
"""Make a Linux device the gateway of a zone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: zone_gateway
short_description: Virtual gateway addresses, forwarding rules and routing of a zone switch
description:
  - Reads the device, compares it with O(gateway) and changes only what differs.
  - keepalived moves the virtual addresses (VRRPv3, virtual MACs) together from one zone switch to the other. nftables
    drops what is not named in O(gateway.forwarding), in a table of its own that is replaced in one step and loaded at
    boot.
  - Of the interfaces named in O(gateway.forwarding) the switch itself answers only VRRP and, on these interfaces' own
    addresses, ping.
  - keepalived, nftables and FRR check their new files before these take the place of the old ones. A change of routing
    takes itself back unless the controller, over a new connection, confirms it.
extends_documentation_fragment: [podwright.cloud.zone_device]
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
      routing:
        description: OSPF in the transit network; null is none, and what podwright made of it goes.
        type: dict
        suboptions:
          interface: {description: Where the neighbours are., type: str, required: true}
          router_id: {description: The device's own address there., type: str, required: true}
          network: {description: The network that neighbours' packets come from., type: str, required: true}
          neighbours: {description: The router ids of the neighbours., type: list, elements: str, required: true}
          announced: {description: Networks that the device leads to., type: list, elements: str, required: true}
          accepted: {description: Networks that neighbours may lead to., type: list, elements: str, required: true}
          preferred_with: {description: Neighbours prefer the device that has this address., type: str, required: true}
          key: {description: Whose the key is., type: str, required: true}
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
astray:
  description: Neighbours that are not in full exchange, and routes that are missing, each with how it is.
  returned: success
  type: dict
  sample: {neighbour 10.200.0.7: is not full}
confirm:
  description: The shell command that keeps the change; its absence says that none is needed.
  returned: when the change could have cut the controller off; the action plugin runs it
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils import ospf, rollback, virtual_routers, zone_gateway
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import compare, diff

PAIR: dict[str, object] = {"from": {"required": True}, "to": {"required": True}}
GATEWAY: dict[str, object] = {
    "virtual_addresses": {"type": "list", "elements": "dict", "required": True, "options": virtual_routers.ARGUMENTS},
    "forwarding": {"type": "list", "elements": "dict", "required": True, "options": PAIR},
    "tracked_ports": {"type": "list", "elements": "str", "default": []},
    "routing": {"type": "dict", "options": ospf.ARGUMENTS},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gateway": {"type": "dict", "required": True, "options": GATEWAY},
            "rollback_after_s": {"type": "int", "default": 60},
            "routing_key": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    gateway, key = module.params["gateway"], module.params["routing_key"]
    try:
        differences = compare(zone_gateway.desired(gateway), zone_gateway.read(gateway, key))
        result = {
            "changed": bool(differences),
            "actions": zone_gateway.actions(differences),
            "diff": diff(differences),
            "astray": {} if differences else ospf.astray(gateway["routing"]),
        }
        if differences and not module.check_mode:
            must_confirm = zone_gateway.apply(gateway, key, differences, module.params["rollback_after_s"])
            result |= {"confirm": rollback.CONFIRM} if must_confirm else {}
    except (OSError, RuntimeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
