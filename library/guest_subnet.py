#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: guest_subnet
short_description: Lease subnets to guest networks
description:
  - Gives each account's guest network a /24 that no other network of the zone has.
version_added: "0.1.0"
author: The podwright developers
options:
  networks:
    description:
      - The networks whose /24s can be leased.
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
- name: Have a subnet for every customer
  podwright.cloud.guest_subnet:
    database: /srv/podwright/leases.db
    zone: east
    networks: [172.16.0.0/12]
    accounts: [acme, globex]
  register: subnets
  run_once: true

- name: Give up what initech had, once no device carries it
  podwright.cloud.guest_subnet:
    database: /srv/podwright/leases.db
    zone: east
    accounts: [initech]
    state: absent
  run_once: true
"""

RETURN = r"""
leases:
  description: The subnet of each account that was asked for; empty with O(state=absent).
  returned: success
  type: dict
  sample: {acme: 172.16.0.0/24, globex: 172.16.1.0/24}
"""
