#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: lease_info
short_description: Tell who has which VLAN id, subnet, address or place
description:
  - Returns leases, placements and volumes, sorted by pool, scope and value; changes nothing.
  - Runs on the controller, and waits for no other one. Where there is no database yet, nothing is leased.
version_added: "0.1.0"
author: The podwright developers
options:
  pool:
    description: Only leases of this pool; V(placement) are machines on hypervisors, V(volume) their disks on storage
      servers.
  scope:
    description: Only leases in this scope, such as C(east/p1), or in those of a pattern, such as C(east/*).
    type: str
  holder:
    description: Only leases of holders with this in their name; with one of C(*?[) in it, of holders whose whole name
      it matches.
    type: str
  state:
    description:
      - Only leases in this state.
      - V(held) are in use. V(releasing) are asked for by nobody, but devices may still carry them. V(quarantine) are
        carried by no device, and can be had by somebody else at C(until).
    type: str
    choices: [held, releasing, quarantine]
extends_documentation_fragment: podwright.cloud.lease_reading
attributes:
  check_mode:
    description: Does the same.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
seealso:
  - plugin: podwright.cloud.lease
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Find all that acme holds in the inventory's cloud
  podwright.cloud.lease_info:
    holder: acme
    state: held
  register: acme
  run_once: true

- name: Find whose VLAN ids are still on their way out
  podwright.cloud.lease_info:
    database: postgresql://podwright@db.example.com/leases
    pool: guest_vlan
    scope: east/*
    state: releasing
  register: leaving
  run_once: true
"""

RETURN = r"""
leases:
  description: The leases, placements and volumes.
  returned: success
  type: list
  elements: dict
  contains:
    pool:
      description: What kind of value.
      type: str
      sample: guest_vlan
    scope:
      description: Where the value is unique.
      type: str
      sample: east/p1
    value:
      description: The value; numbers are numbers. Of a placement, the hypervisor; of a volume, the storage server.
      type: raw
      sample: 101
    holder:
      description: Who has it. Of a placement or volume, the machine or routing appliance.
      type: str
      sample: acme/default
    purpose:
      description: What for. Empty for a placement or volume.
      type: str
      sample: guest_network
    state:
      description: V(held), V(releasing) or V(quarantine).
      type: str
      sample: held
    since:
      description: When it got into its state, in ISO 8601 and UTC.
      type: str
      sample: "2026-01-01T00:00:00+00:00"
    until:
      description: When its quarantine is over; null in other states.
      type: str
      sample: null
    cloud:
      description: The cloud whose inventory asks for it; null when a playbook or an operator does.
      type: str
      sample: example
    size_gib:
      description: How large a volume is.
      returned: for volumes
      type: int
      sample: 10
"""
