#!/usr/bin/python
"""Make a Linux device the firewall of a zone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: zone_firewall
short_description: Packet filter, shared addresses and VPNs of a zone's firewall
description:
  - Reads the device, compares it with O(firewall) and changes only what differs.
  - nftables lets nobody in whom O(firewall.rules) does not allow, lets out what has a public source address, and
    translates management addresses one by one, in a table of its own that is replaced in one step. At boot it is loaded
    before the network; packets are forwarded only then.
  - keepalived moves the shared addresses (VRRPv3, virtual MACs) from one firewall to the other, and with them the VPNs.
  - Of a transparent firewall, nftables filters what the bridge of M(podwright.cloud.host_network) passes, in a table
    beside that one, loaded in the same step. The bridge's port outside comes up only then.
  - strongSwan joins networks to those of other zones (IKEv2). It uses the kernel's ESP, or its own where the kernel has
    none. Pre-shared keys are made on the controller, in the directory C(vpn-keys) of C(podwright_state_directory).
  - A change of rules takes itself back unless the controller, over a new connection, confirms it.
requirements:
  - For VPNs, Debian packages C(charon-systemd), C(strongswan-swanctl) and, where the kernel has no ESP,
    C(libcharon-extra-plugins) on the device.
extends_documentation_fragment: [podwright.cloud.zone_device]
options:
  firewall:
    description: The C(firewall) part of the device's desired state (docs/desired-state.md).
    type: dict
    required: true
    suboptions:
      virtual_addresses:
        description: Addresses that the firewalls of the zone share.
        type: list
        elements: dict
        required: true
        suboptions:
          interface: {description: Where the address lives., type: str, required: true}
          address: {description: Address and prefix length., type: str, required: true}
          virtual_router_id: {description: The same on both firewalls., type: int, required: true}
          priority: {description: The higher one is master., type: int, required: true}
          advertisement_interval_ms: {description: Milliseconds between advertisements., type: int, required: true}
          moves_alone: {description: Whether it goes where its own interface works., type: bool, default: false}
      tracked_ports:
        description: Ports to the zone switches; a firewall that has lost all of them hands its addresses over.
        type: list
        elements: str
        default: []
      outside: {description: Interfaces to the provider., type: list, elements: str, required: true}
      inside: {description: Interfaces to the zone switches., type: list, elements: str, required: true}
      public_networks:
        description: What the zone is known by outside; nothing else leaves it or is reached in it.
        type: list
        elements: str
        required: true
      rules:
        description: Who may connect to whom; what one rule denies no other allows.
        type: list
        elements: dict
        required: true
        suboptions:
          name: {description: Name., type: str, required: true}
          direction: {description: Way of the connection., type: str, choices: [in, out], required: true}
          action: {description: What is done., type: str, choices: [allow, deny], required: true}
          sources: {description: Networks; null is any., type: list, elements: str}
          destinations: {description: Networks; null is any., type: list, elements: str}
          protocol: {description: The protocol; null is any., type: str, choices: [icmp, tcp, udp]}
          ports: {description: Ports and ranges of the destination., type: list, elements: str, default: []}
      management:
        description: What controllers may do.
        type: dict
        required: true
        suboptions:
          interface: {description: Where they come in., type: str, required: true}
          controllers: {description: Their networks; null is any., type: list, elements: str}
          translation:
            description: The management network, and the one that stands for it.
            type: dict
            suboptions:
              network: {description: As it is inside., type: str, required: true}
              reached_through: {description: As controllers know it., type: str, required: true}
          ports: {description: The firewall's address on each of its ports inside., type: dict, default: {}}
      vpns:
        description:
          - By name, C(local_address), C(remote_address), C(local_id), C(remote_id) and C(traffic).
          - C(traffic) has, for C(customers) behind the zone switches and for C(management), the networks at both ends
            that may talk to each other, C(local) and C(remote).
        type: dict
        default: {}
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
      transparent:
        description:
          - Who is on the link that the bridge from O(firewall.outside) to O(firewall.inside) stands in, by addresses.
            Null is a firewall that routes, and what is left of a bridge's rules goes.
          - Needs a kernel with C(CONFIG_NF_CONNTRACK_BRIDGE).
        type: dict
        suboptions:
          network: {description: The provider's network., type: str, required: true}
          gateway: {description: The provider's router., type: str, required: true}
          shared: {description: The address that the zone switches share., type: str, required: true}
          behind: {description: The own address of the zone switch that is inside., type: str, required: true}
          beyond: {description: Those of the other zone switches., type: list, elements: str, required: true}
  keys:
    description: The pre-shared keys of the VPNs. The action plugin fills them in.
    type: dict
    default: {}
author: [podwright]
"""

EXAMPLES = r"""
- name: Firewall
  podwright.cloud.zone_firewall:
    firewall:
      virtual_addresses:
        - interface: eth1
          address: 198.51.100.1/24
          virtual_router_id: 1
          priority: 150
          advertisement_interval_ms: 100
      outside: [eth1]
      inside: [vlan40]
      public_networks: [203.0.113.0/24]
      rules:
        - {name: web, direction: in, action: allow, protocol: tcp, ports: ["80", "443"]}
      management: {interface: eth0, controllers: [192.0.2.0/24]}
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, after the files were written.
  returned: success
  type: list
  elements: str
  sample: [load rules]
esp:
  description: Who encrypts, the kernel or strongSwan's own process.
  returned: success
  type: str
  sample: kernel
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
from ansible_collections.podwright.cloud.plugins.module_utils import (
    ipsec,
    ospf,
    rollback,
    virtual_routers,
    zone_firewall,
)
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import compare, diff

TEXT: dict[str, object] = {"type": "str", "required": True}


def texts(**more: object) -> dict[str, object]:
    return {"type": "list", "elements": "str", **more}


def part(options: dict[str, object], **more: object) -> dict[str, object]:
    return {"type": "dict", "options": options, **more}


def parts(options: dict[str, object]) -> dict[str, object]:
    return {"type": "list", "elements": "dict", "required": True, "options": options}


RULE: dict[str, object] = {
    "name": TEXT,
    "direction": {**TEXT, "choices": ["in", "out"]},
    "action": {**TEXT, "choices": ["allow", "deny"]},
    "sources": texts(),
    "destinations": texts(),
    "protocol": {"type": "str", "choices": ["icmp", "tcp", "udp"]},
    "ports": texts(default=[]),
}
MANAGEMENT: dict[str, object] = {
    "interface": TEXT,
    "controllers": texts(),
    "translation": part({"network": TEXT, "reached_through": TEXT}),
    "ports": {"type": "dict", "default": {}},
}
NEIGHBOURHOOD: dict[str, object] = {
    **dict.fromkeys(("network", "gateway", "shared", "behind"), TEXT),
    "beyond": texts(required=True),
}
FIREWALL: dict[str, object] = {
    "virtual_addresses": parts({**virtual_routers.ARGUMENTS, "moves_alone": {"type": "bool", "default": False}}),
    "tracked_ports": texts(default=[]),
    "outside": texts(required=True),
    "inside": texts(required=True),
    "public_networks": texts(required=True),
    "rules": parts(RULE),
    "management": part(MANAGEMENT, required=True),
    "vpns": {"type": "dict", "default": {}},
    "routing": part(ospf.ARGUMENTS),
    "transparent": part(NEIGHBOURHOOD),
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "firewall": part(FIREWALL, required=True),
            "rollback_after_s": {"type": "int", "default": 60},
            "keys": {"type": "dict", "default": {}, "no_log": True},
            "routing_key": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    firewall, keys, routing_key = (module.params[name] for name in ("firewall", "keys", "routing_key"))
    try:
        esp = ipsec.esp()
        differences = compare(zone_firewall.desired(firewall, esp), zone_firewall.read(firewall, keys, routing_key))
        zone_firewall.check(firewall, differences)
        result = {
            "changed": bool(differences),
            "actions": zone_firewall.actions(differences),
            "esp": esp,
            "diff": diff(differences),
            "astray": {} if differences else ospf.astray(firewall["routing"]),
        }
        if differences and not module.check_mode:
            rollback_after_s = module.params["rollback_after_s"]
            must_confirm = zone_firewall.apply(firewall, keys, routing_key, differences, rollback_after_s)
            result |= {"confirm": rollback.CONFIRM} if must_confirm else {}
    except (OSError, RuntimeError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
