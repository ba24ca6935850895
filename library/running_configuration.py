#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: running_configuration
short_description: Write down the configuration that a device runs with, as C(podwright prove) reads it
description:
  - Reads a device, and writes files below O(directory) on the controller, with the names and in the syntax of what
    C(podwright plan) renders (docs/proof.md). Changes nothing on the device.
  - Of a pod switch it is the running configuration, as far as podwright manages it, read by the driver of its platform.
  - Of a Linux device it is what M(podwright.cloud.running_files) reads there.
  - Files are for their owner alone. Keys, passwords and tables that nothing is proved of are not read.
  - M(podwright.cloud.collection) has to come before it.
version_added: "0.1.0"
author: The podwright developers
options:
  state:
    description: The state of the device, of which C(kind), C(network.backend), C(platform) and C(port) are used.
    type: dict
    required: true
  directory:
    description: The directory on the controller that M(podwright.cloud.collection) made room in.
    type: path
    required: true
  known_hosts_file:
    description:
      - Where a pod switch's host key is, as sshd(8) describes.
      - By default the C(UserKnownHostsFile) of C(ansible_ssh_common_args), or C(~/.ssh/known_hosts).
    type: path
attributes:
  check_mode:
    description: Devices are only read, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Make room
  podwright.cloud.collection:
    directory: collected
  delegate_to: localhost

- name: Read what the device runs with
  podwright.cloud.running_configuration:
    state: "{{ podwright_state }}"
    directory: collected
"""

RETURN = r"""
collected:
  description: The files that were written, by their paths below the device's directory.
  returned: success
  type: list
  elements: str
  sample: [running-config]
"""
