#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: pod_switch
short_description: Bring a pod switch to its desired state
description:
  - Reads the VLANs, switched ports and spanning tree settings of a switch, compares them with its desired state and
    changes only what differs, in one transaction.
  - The change is committed on trial, read back, and confirmed once the switch has answered over a new connection. If
    the controller dies or is cut off before that, the switch takes the change back by itself.
  - Runs on the controller; the switch needs no Python. Logs in with the host's C(ansible_host), C(ansible_user) and
    C(ansible_ssh_private_key_file).
version_added: "0.1.0"
author: The podwright developers
options:
  state:
    description:
      - The desired state of the switch, of which C(platform), C(port) and C(switch) are used. A VLAN or port that is
        not in it goes.
      - Without it the switch is only read.
    type: dict
  platform:
    description: The driver, when O(state) does not name it.
    type: str
  port:
    description: TCP port of the management protocol, when O(state) does not name it;
      the platform's own otherwise, which is 22 for SSH and 830 for NETCONF.
    type: int
  known_hosts_file:
    description:
      - Where the switch's host key is, as sshd(8) describes. A switch whose key is not there is not spoken to.
      - By default the C(UserKnownHostsFile) of C(ansible_ssh_common_args), or C(~/.ssh/known_hosts).
    type: path
  probes:
    description:
      - Hosts behind the switch, as C(address:port), which must answer a TCP connection from the controller after a
        change if they did so before; otherwise the switch takes the change back.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Reads and compares, changes nothing.
    support: full
  diff_mode:
    description: Shows the switch's part of the state before and after.
    support: full
"""

EXAMPLES = r"""
- name: Bring the switch to its desired state
  podwright.cloud.pod_switch:
    state: "{{ podwright_state }}"

- name: Read a switch
  podwright.cloud.pod_switch:
    platform: openconfig_netconf
  register: switch
"""

RETURN = r"""
observed:
  description: The running configuration, read last; the form is that of C(switch) in the desired state.
  returned: always
  type: dict
  sample:
    spanning_tree: {priority: 4096}
    vlans: {10: management}
    ports:
      swp1: {description: uplink, mode: trunk, tagged: [10, 30], untagged: null, edge: false, path_cost: null}
forwarding:
  description: What the switch says that its ports do in fact, by port; null when it does not tell.
  returned: always
  type: dict
  sample:
    swp1: {tagged: [10, 30], untagged: null, link_up: true, spanning_tree: forwarding}
astray:
  description:
    - Ports that carry other VLANs than they are configured to, and how. Empty when all is well, or when the switch does
      not tell what it forwards.
  returned: always
  type: dict
  sample:
    swp6: carries 20, 101-102 instead of 20, 101
"""
