#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: guest_probe
short_description: Run commands inside machines and report their exit codes
description:
  - Runs commands in libvirt domains through QEMU's guest agent, in all of them at once, once each has an IPv4 address.
  - Meant for commands that observe, such as ping; it reports no change.
version_added: "0.1.0"
author: The podwright developers
requirements:
  - python3-libvirt on the hypervisor
  - qemu-guest-agent in the machine
options:
  commands:
    description: For each domain, commands by a name of your choice, each a list of arguments.
    type: dict
    required: true
  run:
    description: Whether to run the commands; with V(false), only wait until each machine has an IPv4 address.
    type: bool
    default: true
  timeout_s:
    description: Seconds to wait for the machines' addresses, and again for their commands.
    type: int
    default: 120
attributes:
  check_mode:
    description: Observes only, so it does the same in check mode.
    support: full
"""

EXAMPLES = r"""
- name: Ask a machine whether it reaches its gateway
  podwright.cloud.guest_probe:
    commands:
      acme-web1:
        gateway: [ping, -c, "1", 10.1.1.1]
"""

RETURN = r"""
answers:
  description: For each domain its IPv4 addresses and the exit code of each command that ended in time.
  returned: always
  type: dict
  sample: {acme-web1: {addresses: [10.1.1.2], results: {gateway: 0}}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils.guest_agent import run_all, wait_for_addresses


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "commands": {"type": "dict", "required": True},
            "run": {"type": "bool", "default": True},
            "timeout_s": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    import libvirt

    commands = module.params["commands"]
    connection = libvirt.open("qemu:///system")
    try:
        addresses = wait_for_addresses(connection, list(commands), module.params["timeout_s"])
        results = {}
        if module.params["run"]:
            reachable = {domain: named for domain, named in commands.items() if addresses[domain]}
            results = run_all(connection, reachable, module.params["timeout_s"])
    except libvirt.libvirtError as error:
        module.fail_json(msg=f"a machine's guest agent failed: {error}; is the domain running?")
    finally:
        connection.close()
    answers = {domain: {"addresses": addresses[domain], "results": results.get(domain, {})} for domain in commands}
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
