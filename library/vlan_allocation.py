#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: vlan_allocation
short_description: Lease VLAN ids to guest networks
description:
  - Gives each account's guest network a VLAN id that no other network of the pod has.
  - An account keeps what it has; a new one gets the lowest free value. All accounts of a call are served in one
    transaction, or none is, so name all of them in one task rather than one in a loop, which would also
    preview the same value for each of them in check mode.
  - Runs on the controller. Any number of controllers on its machine can use one database at once.
  - A lease that a cloud's inventory asks for can be looked up with this module, but not given up.
version_added: "0.1.0"
author: The podwright developers
options:
  database:
    description: Path of the SQLite database of leases, or its URL such as C(sqlite:////srv/leases.db).
      Made when missing.
    type: str
    required: true
  zone:
    description: The zone that the pod is in.
    type: str
    required: true
  pod:
    description: The pod. VLAN ids are unique in it.
    type: str
    required: true
  ranges:
    description: The VLAN ids that can be leased, such as C(101-199) or C(250). Needed with O(state=present).
    type: list
    elements: str
    default: []
  accounts:
    description: The accounts whose network needs a VLAN id.
    type: list
    elements: str
    required: true
  network:
    description: The guest network of each account that the VLAN id is for.
    type: str
    default: default
  fixed:
    description: The VLAN id that an account must have, by account. The others get the lowest that are left.
    type: dict
    default: {}
  state:
    description:
      - With V(present), every account has a lease afterwards.
      - With V(absent), none has. Say so only after no device carries the VLAN id any more.
    type: str
    choices: [present, absent]
    default: present
  quarantine_hours:
    description: With O(state=absent), how long the VLAN id rests before another account can get it. In that time its
      last holder gets it back when it asks.
    type: int
    default: 24
attributes:
  check_mode:
    description: Returns the leases that the run would return, and writes nothing.
    support: full
  diff_mode:
    description: Shows a line for each lease that changes.
    support: full
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

- name: Give up what initech had, once no device carries it
  podwright.cloud.vlan_allocation:
    database: /srv/podwright/leases.db
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
