#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: vlan_allocation
short_description: Lease VLAN ids to guest networks
description:
  - Gives each account's guest network a VLAN id that no other network of the pod has.
version_added: "0.1.0"
author: The podwright developers
options:
  pod:
    description: The pod. VLAN ids are unique in it. Left out, they come from a pool of the whole zone, and are unique
      among the leases of that pool alone.
    type: str
  ranges:
    description:
      - The VLAN ids that can be leased, such as C(101-199) or C(250).
      - Left out, they are those that the pool was last declared to hold, by a cloud's inventory or by an earlier task.
        What an inventory declares can be changed only there.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - podwright.cloud.lease
  - podwright.cloud.lease.networks
"""

EXAMPLES = r"""
- name: Have a VLAN id for every customer
  podwright.cloud.vlan_allocation:
    database: /srv/podwright/leases.db
    zone: east
    pod: p1
    ranges: [101-199, "250"]
    accounts: [acme, globex]
  register: vlan_ids
  run_once: true

- name: Have a VLAN id from what the inventory declares for the pod
  podwright.cloud.vlan_allocation:
    zone: east
    pod: p1
    accounts: [initech]
  run_once: true

- name: Give up what initech had, once no device carries it
  podwright.cloud.vlan_allocation:
    database: mariadb://podwright@db.example.com/leases
    zone: east
    pod: p1
    accounts: [initech]
    state: absent
  run_once: true
"""

RETURN = r"""
leases:
  description: The VLAN id of each account that was asked for; empty with O(state=absent).
  returned: success
  type: dict
  sample: {acme: 101, globex: 102}
"""
