#!/usr/bin/python
"""Keep the machines of a hypervisor."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machines
short_description: Keep the machines of a hypervisor
description:
  - Reads all libvirt domains of the host, compares those that podwright made with O(machines), and changes only what
    differs. What is missing is defined, set to start with the host, and started. What is no longer wanted is asked to
    shut down, loses its power if it has not after a while, and is undefined; its disk stays.
  - NICs come and go, and limits of disks and NICs change, while a machine runs. A machine that does not let a NIC go
    keeps it, in no bridge, until its next start. Everything else is defined for that, too, and podwright leaves it to
    the account; RV(restart_needed) names the machines that still run as they were.
  - libvirt tries once to start a machine with the host. One whose storage does not answer then is started by a program
    that the module installs on hosts with machines, and takes off again with the last one. systemd runs it at every
    boot, until no machine waits any more. What has run since the boot, or was switched off, it leaves alone.
  - Domains without podwright's mark (metadata C(urn:podwright:machine:1)) are never touched.
  - An action plugin of the same name copies the boot files that the host lacks. When it has all of them, the task is
    one call of the module.
  - A NIC's rate limits what the machine receives. What it sends is not limited yet.
  - Credentials are visible to the host's administrators in the arguments of QEMU's process and in diffs. Hand over
    public keys and configuration, and no secrets.
requirements:
  - Debian packages C(libvirt-daemon-system), C(python3-libvirt), C(qemu-system-x86) and, for disks over NFS,
    C(qemu-block-extra), on the hypervisor.
options:
  machines:
    description: The C(machines) of the hypervisor's desired state (docs/desired-state.md), C({name:machine}).
    type: dict
    required: true
  boot_files:
    description:
      - The C(boot_files) of the desired state, C({image:{kernel, initrd}}), paths on the controller, of every image
        that a machine boots from. The action plugin hands their SHA-256 digests to the module.
    type: dict
    default: {}
  role:
    description: Look only at the machines of this role, and leave all others as they are.
    type: str
    choices: [machine, routing_appliance]
  new:
    description:
      - What to do with machines that are not defined here yet. V(defer) leaves them out and names them in
        RV(deferred), so that a machine that moves is gone from its old hypervisor before its new one starts it.
    type: str
    choices: [defer, start]
    default: start
  shutdown_timeout_s:
    description: Seconds that machines have to shut down before they lose their power, or to let a NIC go.
    type: int
    default: 30
  staged_in:
    description: Directory on the host where the action plugin has put boot files, each named by its digest.
    type: path
attributes:
  check_mode: {support: full, description: Predicts the change.}
  diff_mode: {support: full, description: Shows what changes, and only that.}
author: [podwright]
"""

EXAMPLES = r"""
- name: Machines
  podwright.cloud.machines:
    boot_files:
      tiny: {kernel: /srv/images/vmlinuz, initrd: /srv/images/tiny.cpio.gz}
    machines:
      acme-web1:
        uuid: 7d1e6c0e-1111-5000-8000-000000000001
        account: acme
        role: machine
        virtualization: kvm
        vcpus: 1
        memory_mib: 96
        boot: {image: tiny, command_line: console=ttyS0}
        disks: [{target: vda, protocol: nfs, host: 192.0.2.21, path: /srv/primary/acme-web1.raw, iops: 500}]
        nics:
          - name: eth0
            device: pw-00000001
            mac: "02:70:77:00:00:01"
            bridge: guest101
            virtualport: null
            rate_mbit_s: 100
        credentials: {}
"""

RETURN = r"""
restart_needed:
  description: Machines that run, but not as they are defined.
  returned: success
  type: list
  elements: str
deferred:
  description: Machines that are wanted, not defined here, and were left out (O(new=defer)).
  returned: success
  type: list
  elements: str
missing_boot_files:
  description: Digests of boot files that the host lacks. Not empty only between the module and its action plugin.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.podwright.cloud.plugins.module_utils import (
    boot_files,
    difference,
    flat_state,
    machine_starter,
    machine_starter_unit,
    machines,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "machines": {"type": "dict", "required": True},
            "boot_files": {"type": "dict", "default": {}},
            "role": {"choices": ["machine", "routing_appliance"]},
            "new": {"choices": ["defer", "start"], "default": "start"},
            "shutdown_timeout_s": {"type": "int", "default": 30},
            "staged_in": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        with machine_starter.alone():
            result = _converge(module)
    except RuntimeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def _converge(module: AnsibleModule) -> dict[str, Any]:
    files = module.params["boot_files"]
    files_there = boot_files.read()
    file_changes = boot_files.plan(files_there, files)
    missing = boot_files.missing(file_changes)
    if missing and not module.params["staged_in"] and not module.check_mode:
        return {"changed": False, "missing_boot_files": missing, "restart_needed": [], "deferred": []}

    connection = machines.connect()
    role = module.params["role"]
    survey = machines.read(connection, role)
    specified = machines.of_role(module.params["machines"], role)
    machines.check(specified, survey, files)
    deferred = sorted(set(specified) - set(survey.state)) if module.params["new"] == "defer" else []
    specified = {name: machine for name, machine in specified.items() if name not in deferred}
    wanted = machines.wanted(specified, files)
    changes = machines.plan(survey.state, wanted)
    starter_there = machine_starter_unit.read()
    starter_changes = flat_state.compare(machine_starter_unit.desired(bool(module.params["machines"])), starter_there)
    before = {"boot_files": files_there, "machines": survey.state, "starter": starter_there}
    after = {
        "boot_files": file_changes,
        "machines": changes,
        "starter": {key: wanted for key, (_, wanted) in starter_changes.items()},
    }
    if not module.check_mode:
        boot_files.apply(file_changes, module.params["staged_in"])
        machine_starter_unit.apply(starter_changes)
        rewirable = machines.rewirable(survey, specified, files)
        machines.apply(connection, changes, specified, files, rewirable, module.params["shutdown_timeout_s"])
        survey = machines.read(connection, role)
        if left := machines.plan(survey.state, wanted):
            module.fail_json(msg=f"libvirt did not keep what it accepted; still missing: {left}", changed=True)
    restart_needed = machines.restart_needed(survey, wanted)
    if module.check_mode:
        restart_needed = sorted(set(restart_needed) - machines.rewirable(survey, specified, files))
    return {
        "changed": bool(file_changes or changes or starter_changes),
        "diff": difference.between(before, {part: change for part, change in after.items() if change}),
        "restart_needed": restart_needed,
        "deferred": deferred,
        "missing_boot_files": [],
    }


if __name__ == "__main__":
    main()
