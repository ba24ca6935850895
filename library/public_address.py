#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: public_address
short_description: Lease public addresses
description:
  - Gives each holder a public address that nothing else in the zone has.
version_added: "0.1.0"
author: The podwright developers
options:
  zone:
    description: The zone. Public addresses are unique in it.
    type: str
    required: true
  pod:
    description: The pod whose addresses to take from first. Needed for a new lease where a cloud's inventory declares
      the pool, which is divided among pods.
    type: str
  ranges:
    description:
      - The addresses that can be leased, such as C(203.0.113.11-203.0.113.250).
      - Left out, they are those that the pool was last declared to hold, by a cloud's inventory or by an earlier task.
        What an inventory declares can be changed only there.
    type: list
    elements: str
    default: []
  holders:
    description: Who needs an address. A cloud's own holders are its routing appliances, C(<account>-<zone>-router).
    type: list
    elements: str
    required: true
  purpose:
    description: What the address is for. A holder can have one for each purpose.
    type: str
    default: source_nat
extends_documentation_fragment:
  - podwright.cloud.lease
"""

EXAMPLES = r"""
- name: Have a public address for each load balancer
  podwright.cloud.public_address:
    database: /srv/podwright/leases.db
    zone: east
    ranges: [203.0.113.11-203.0.113.250]
    holders: [acme-shop, globex-mail]
    purpose: load_balancing
  register: addresses
  run_once: true

- name: Have one that is routed to a pod of the inventory's cloud
  podwright.cloud.public_address:
    zone: east
    pod: p1
    holders: [bastion]
    purpose: static_nat
  run_once: true

- name: Give up what globex had, once no device carries it
  podwright.cloud.public_address:
    database: /srv/podwright/leases.db
    zone: east
    holders: [globex-mail]
    purpose: load_balancing
    state: absent
  run_once: true
"""

RETURN = r"""
leases:
  description: The address of each holder that was asked for; empty with O(state=absent).
  returned: success
  type: dict
  sample: {acme-shop: 203.0.113.11, globex-mail: 203.0.113.12}
"""
