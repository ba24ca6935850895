#!/usr/bin/python
"""Give a Linux device its network."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_network
short_description: Give a Linux device its uplinks, VLAN segments, addresses and routes
description:
  - Reads the device, compares it with O(network) and changes only what differs.
  - The backend V(openvswitch) makes a bridge for each bond, or for trunk ports, the segments as fake bridges and the
    host's interfaces as internal ports, all in one transaction of the database. The backend V(linux) makes bonds or
    VLAN-aware bridges, VLAN interfaces and bridges. Addresses, routes and the links of the backend V(linux) are files
    of systemd-networkd, so all of it comes back after a reboot.
  - What podwright made and O(network) does not name goes. What podwright did not make is never touched, nor is C(eth0).
requirements:
  - Debian packages C(systemd), C(iproute2) and, for the backend V(openvswitch), C(openvswitch-switch), on the device.
options:
  network:
    description: The C(network) part of the device's desired state (docs/desired-state.md).
    type: dict
    required: true
    suboptions:
      backend:
        description: What makes bridges and VLANs.
        type: str
        choices: [linux, openvswitch]
        default: linux
      datapath:
        description: Where Open vSwitch forwards, in its own process or in the kernel.
        type: str
        choices: [netdev, system]
        default: system
      uplinks:
        description: An active-backup bond, C({members, tagged}).
        type: dict
        suboptions:
          members: {description: Interfaces of the bond., type: list, elements: str, required: true}
          tagged: {description: All VLANs that it carries., type: list, elements: int, required: true}
          share:
            description:
              - What one of these VLANs keeps of each member, whatever the others send.
              - Needs C(tc) of C(iproute2), and C(sch_htb) and C(cls_bpf) of the kernel.
            type: dict
            suboptions:
              vlan: {description: The VLAN., type: int, required: true}
              guaranteed_mbit_s: {description: What it keeps., type: int, required: true}
              link_mbit_s: {description: What a member carries., type: int, required: true}
      public_uplinks:
        description:
          - A second bond like O(network.uplinks), where public pod switches are apart from private ones.
          - A segment or an interface is on the bond that carries its VLAN. Nothing joins the two bonds, which with the
            backend V(openvswitch) are on two bridges, and no VLAN may be on both.
        type: dict
        suboptions:
          members: {description: Interfaces of the bond., type: list, elements: str, required: true}
          tagged: {description: All VLANs that it carries., type: list, elements: int, required: true}
      trunks:
        description: Ports of VLAN-aware bridges, C({name:{tagged, bridge}}); the bridge is C(br0) where it is left out.
        type: dict
        default: {}
      spanning_tree:
        description: RSTP on each of these bridges.
        type: dict
        suboptions:
          priority: {description: A multiple of 4096 (IEEE 802.1Q 13.26)., type: int, required: true}
      segments:
        description: A bridge per VLAN for machines, C({name:{vlan, description}}).
        type: dict
        default: {}
      interfaces:
        description: VLAN interfaces with addresses of the device, C({name:{vlan, addresses, description, bridge}}).
        type: dict
        default: {}
      routed_ports:
        description: Interfaces without VLANs, C({name:{addresses, description}}).
        type: dict
        default: {}
      transparent_bridge:
        description:
          - A bridge in a cable, of a transparent firewall; backend V(linux) only.
          - Its port outside stays down until M(podwright.cloud.zone_firewall) has loaded the rules. The one inside is
            down while the other has no carrier.
          - Refused where the kernel does not track connections over a bridge.
        type: dict
        suboptions:
          outside: {description: The port to the provider., type: str, required: true}
          inside: {description: The port to the zone switch., type: str, required: true}
      routes:
        description: Static routes.
        type: list
        elements: dict
        default: []
        suboptions:
          destination: {description: A network., type: str, required: true}
          gateway: {description: An address in the network of an interface., type: str, required: true}
          metric: {description: Of two ways the one with the lower metric is taken; none is 0., type: int}
  remove:
    description:
      - Whether segments that O(network) does not name go. V(false) keeps them, with their VLANs on the uplinks, until
        their machines are gone; call with V(false) before machines are brought in order, and with V(true) after.
      - A segment with machines in it is never taken away. With V(true) all other changes are made and then the module
        fails, naming the machines' devices. In check mode it predicts that the machines will have gone.
    type: bool
    default: true
attributes:
  check_mode: {support: full, description: Predicts the change.}
  diff_mode: {support: full, description: Shows what changes, and only that.}
author: [podwright]
"""

EXAMPLES = r"""
- name: Network
  podwright.cloud.host_network:
    network:
      backend: openvswitch
      datapath: system
      uplinks: {members: [eth1, eth2], tagged: [20, 101]}
      segments:
        guest101: {vlan: 101, description: acme/default}
      interfaces:
        vlan20: {vlan: 20, addresses: [192.0.2.31/24], description: storage}
"""

RETURN = r"""
busy:
  description: Segments that have to go and still hold machines, with the machines' devices.
  returned: always
  type: dict
  sample: {guest102: [vnet3]}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils import (
    difference,
    host_network,
    transparent_firewall,
)


def main() -> None:
    uplinks: dict[str, dict[str, Any]] = {
        "members": {"type": "list", "elements": "str", "required": True},
        "tagged": {"type": "list", "elements": "int", "required": True},
    }
    options = {
        "backend": {"choices": ["linux", "openvswitch"], "default": "linux"},
        "datapath": {"choices": ["netdev", "system"], "default": "system"},
        "uplinks": {
            "type": "dict",
            "options": {
                **uplinks,
                "share": {
                    "type": "dict",
                    "options": {
                        key: {"type": "int", "required": True} for key in ("vlan", "guaranteed_mbit_s", "link_mbit_s")
                    },
                },
            },
        },
        "public_uplinks": {"type": "dict", "options": uplinks},
        "trunks": {"type": "dict", "default": {}},
        "spanning_tree": {"type": "dict", "options": {"priority": {"type": "int", "required": True}}},
        "segments": {"type": "dict", "default": {}},
        "interfaces": {"type": "dict", "default": {}},
        "routed_ports": {"type": "dict", "default": {}},
        "transparent_bridge": {
            "type": "dict",
            "options": {side: {"type": "str", "required": True} for side in ("outside", "inside")},
        },
        "routes": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"destination": {"required": True}, "gateway": {"required": True}, "metric": {"type": "int"}},
        },
    }
    module = AnsibleModule(
        argument_spec={
            "network": {"type": "dict", "required": True, "options": options},
            "remove": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        result = _converge(module)
    except RuntimeError as error:
        module.fail_json(msg=str(error))
    if result["busy"] and module.params["remove"] and not module.check_mode:
        module.fail_json(
            msg=f"segments that have to go still hold machines: {result['busy']}; stop these machines and run again",
            **result,
        )
    module.exit_json(**result)


def _converge(module: AnsibleModule) -> dict[str, Any]:
    network = host_network.complete(module.params["network"])
    current = host_network.read(network)
    surplus = host_network.surplus_segments(current, network)
    busy = {name: segment for name, segment in surplus.items() if segment["occupants"]}
    if not module.params["remove"]:
        network = host_network.keep(surplus, network)
    elif not module.check_mode:
        network = host_network.keep(busy, network)
    changes = host_network.plan(current, network)
    if changes and network["transparent_bridge"]:
        transparent_firewall.check_kernel()
    if changes and not module.check_mode:
        host_network.apply(changes, network)
    return {
        "changed": bool(changes),
        "diff": difference.between(current, changes),
        "busy": {name: segment["occupants"] for name, segment in busy.items()},
    }


if __name__ == "__main__":
    main()
