#!/usr/bin/python
"""Read the configuration that a Linux device runs with."""

from __future__ import annotations

DOCUMENTATION = r"""
module: running_files
short_description: Read the configuration that a Linux device runs with, as files
description:
  - Reads what the kernel has of links, VLANs, tunnels and addresses, whoever made them; the rows of Open vSwitch; the
    rules that a zone switch, a firewall or a routing appliance has loaded and whether it forwards; the NICs of a
    hypervisor's libvirt domains as they run.
  - Gives it in the words of systemd-networkd, nft and libvirt, without anything that is secret.
  - M(podwright.cloud.running_configuration) writes it down on the controller.
requirements:
  - Debian packages C(iproute2) and, for a hypervisor, C(python3-libvirt), on the device.
version_added: "0.1.0"
options:
  kind:
    description: What the device is.
    type: str
    required: true
    choices: [firewall, hypervisor, routing_appliance, storage_server, zone_switch]
  backend:
    description: What makes its bridges and VLANs. Open vSwitch is asked where it should run, and wherever it does.
    type: str
    choices: [linux, openvswitch]
    default: linux
attributes:
  check_mode: {support: full, description: Only reads.}
author: [podwright]
"""

EXAMPLES = r"""
- name: Read
  podwright.cloud.running_files:
    kind: hypervisor
    backend: openvswitch
"""

RETURN = r"""
files:
  description: The text of each file by its path.
  returned: success
  type: dict
  sample: {/etc/libvirt/qemu/acme-web1.xml: "<domain>..."}
openvswitch:
  description: The rows of each table (RFC 7047 section 5.1), null where Open vSwitch does not run.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils import running_files


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "kind": {"required": True, "choices": sorted(running_files.KINDS)},
            "backend": {"choices": ["linux", "openvswitch"], "default": "linux"},
        },
        supports_check_mode=True,
    )
    try:
        result = running_files.read(module.params["kind"], module.params["backend"])
    except RuntimeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
