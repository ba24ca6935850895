#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: verdict
short_description: Hold frames and answers that were observed against the plan
description:
  - Judges what M(podwright.cloud.packet_watch) and M(podwright.cloud.guest_probe) saw on all hosts of the play,
    and fails when a statement about isolation, reachability or source NAT does not hold.
  - A device that is not as planned is reported as changed.
  - What was not observed does not hold. Runs once, on the controller, and changes nothing.
version_added: "0.1.0"
author: The podwright developers
options:
  states:
    description: The desired state of every device, by name, as P(podwright.cloud.desired_states#lookup) gives it.
    type: dict
    required: true
  frames:
    description: Name of the variable in which hosts registered the result of M(podwright.cloud.packet_watch).
    type: str
    required: true
  answers:
    description: Name of the variable in which hosts registered the result of M(podwright.cloud.guest_probe).
    type: str
    required: true
  comparisons:
    description:
      - Names of the variables in which hosts registered, in check mode, the results of the modules that compare them
        with their states.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Changes nothing, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Hold what was seen against the plan
  podwright.cloud.verdict:
    states: "{{ lookup('podwright.cloud.desired_states') }}"
    frames: verify_frames
    answers: verify_answers
    comparisons: [verify_network, verify_service]
"""

RETURN = r"""
findings:
  description: Every statement, who it is about, whether it holds and what was seen.
  returned: always
  type: list
  elements: dict
  sample:
    - topic: reached, as they must be
      subject: acme-web1
      statement: reaches web2 (10.1.1.3)
      holds: true
      seen: answered
"""
