#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Validate the inventory, allocate leases and work out every device's desired state
description:
  - Reads the cloud that the inventory declares, allocates VLAN ids, subnets, addresses, placements and
    volumes, and writes one desired state for each device to C(plan/) in the cloud's state directory. Touches no device.
  - Always plans the whole cloud, once, on the controller, whatever hosts the play is limited to.
  - The inventory plugin P(podwright.cloud.podwright#inventory) says where the declaration is.
  - Delegate it to C(localhost), because a routing appliance has no address to connect to before there is a plan.
version_added: "0.1.0"
author: The podwright developers
options:
  confirm_lost_hypervisors:
    description:
      - Hypervisors that left the declaration while machines were placed on them are dead for good, and those machines
        with them. They are placed anew.
      - Without this word the plan is refused, for nobody can stop the machines there and they would run twice.
    type: bool
    default: false
  confirm_lost_storage_servers:
    description:
      - Storage servers that left the declaration while disks were on them are dead for good, and those disks with them.
        Their machines get new ones elsewhere, which start as copies of their images.
      - Without this word the plan is refused, for nothing brings back what is on these disks.
    type: bool
    default: false
attributes:
  check_mode:
    description: >-
      Allocates and plans the same, keeps no lease, and writes the states to C(preview/) instead of C(plan/), where
      P(podwright.cloud.desired_state#lookup) finds them during the rest of the run.
    support: full
  diff_mode:
    description: Shows the leases and the states that change.
    support: full
"""

EXAMPLES = r"""
- name: Validate, allocate, plan
  podwright.cloud.plan:
    confirm_lost_hypervisors: "{{ podwright_confirm_lost_hypervisors | default(false) | bool }}"
  delegate_to: localhost
"""

RETURN = r"""
ansible_facts:
  description: What M(podwright.cloud.release) has to know of this run.
  returned: success
  type: dict
  contains:
    podwright_planned_at:
      description: When the leases of this plan were handed out (Unix time, s).
      type: int
      sample: 1763873281
plan:
  description: What there is and what changed.
  returned: success
  type: dict
  contains:
    devices:
      description: The number of devices that have a desired state.
      type: int
      sample: 9
    changed:
      description: The devices whose desired state changed, came or went.
      type: list
      elements: str
      sample: [east-p1-hv1, east-p1-sw1, east-p1-sw2]
    new_leases:
      description: What was handed out.
      type: list
      elements: str
      sample: ["guest_vlan east/p1 101 acme/default"]
    releasing:
      description: What the inventory no longer asks for, and is kept until no device carries it.
      type: list
      elements: str
      sample: []
invalid_input:
  description: Whether it failed because of what the inventory says; nothing was touched then.
  returned: failure
  type: bool
  sample: true
"""
