#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: collection
short_description: Make room for the configurations that will be collected
description:
  - Makes a directory on the controller, for its owner alone, and takes out of it what was collected before from the
    hosts of the play. So a host that then fails has nothing there, and what is there of others stays.
  - Refuses a directory that holds something else than collected configurations, and a plan that was made before the
    inventory changed, which says no more how devices are reached.
  - Runs once, on the controller.
version_added: "0.1.0"
author: The podwright developers
options:
  directory:
    description: The directory.
    type: path
    required: true
attributes:
  check_mode:
    description: No device is touched, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Make room
  podwright.cloud.collection:
    directory: collected
  delegate_to: localhost
"""

RETURN = r"""
collection:
  description: The directory, as an absolute path.
  returned: success
  type: str
  sample: /srv/cloud/state/collected
"""
