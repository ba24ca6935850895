#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Give up leases that no device carries any more
description:
  - Ends the release of what the inventory no longer asks for. A VLAN id, an address or a MAC address goes into
    quarantine for the cloud's C(quarantine_hours) and is free after that. The room of a volume is free when this run
    saw its storage server without it (M(podwright.cloud.primary_storage)).
  - Belongs at the end of a play that followed all stages. A host that failed, could not be reached or was left out by
    C(--limit) may still carry what is released, so nothing is when a host of the inventory is missing. Nor is anything
    when a device left the declaration, until you confirm that it carries nothing.
  - Ends only what was given up until this run's plan was made (M(podwright.cloud.plan)). Where machines moved it plans
    once more, and the plan no longer says where they were.
  - Runs once, on the controller.
version_added: "0.1.0"
author: The podwright developers
options:
  confirm_lost_devices:
    description: Devices that left the declaration since the last release carry nothing any more; forget them.
    type: bool
    default: false
attributes:
  check_mode:
    description: Previews what would be released.
    support: full
  diff_mode:
    description: Shows the leases before and after.
    support: full
"""

EXAMPLES = r"""
- name: Give up what no device carries any more
  podwright.cloud.release:
    confirm_lost_devices: "{{ podwright_confirm_lost_devices | default(false) | bool }}"
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: Why nothing was released.
  returned: when a host was missing, or a device has left the declaration
  type: str
  sample: "nothing is released: this run did not see east-p1-hv2"
"""
