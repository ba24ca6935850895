"""The program that has machines come back after a power cut, as it is installed on a hypervisor and run at boot."""

from __future__ import annotations

import inspect

from ansible_collections.podwright.cloud.plugins.module_utils import machine_starter, managed_files, services
from ansible_collections.podwright.cloud.plugins.module_utils.flat_state import Differences, State, file_texts

UNIT = "podwright-machine-starter.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
PROGRAM_FILE = "/usr/local/lib/podwright/machine_starter.py"

_AT_BOOT = f"unit {UNIT}"

# It does not hold up the boot: that ends when the program has begun, not when the machines run.
_UNIT_TEXT = f"""# Written by podwright; a change made here does not last.
[Unit]
Description=Starts machines whose storage did not answer when this host booted
After=libvirtd.service virtqemud.service
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/bin/python3 {PROGRAM_FILE}
Restart=on-failure
RestartSec=5s

[Install]
WantedBy=multi-user.target
"""


def desired(has_machines: bool) -> State:
    """Work out what should be seen on a hypervisor: all of it where machines are wanted, else nothing."""
    if not has_machines:
        return {}
    return {PROGRAM_FILE: inspect.getsource(machine_starter), UNIT_FILE: _UNIT_TEXT, _AT_BOOT: "enabled"}


def read() -> State:
    """Read what is seen on this host; changes nothing.

    Raises:
        RuntimeError: systemd does not answer.
    """
    at_boot = services.read([UNIT])[UNIT].file_state
    return {**managed_files.read([PROGRAM_FILE, UNIT_FILE]), _AT_BOOT: at_boot or None}


def apply(differences: Differences) -> None:
    """Make the changes; run again after a crash, it does what the crash left out.

    The program is not started: machines that are off now are the module's to start.

    Raises:
        RuntimeError: systemd refused.
    """
    for command in commands(differences):
        if command == "write files":
            managed_files.write(file_texts(differences))
        else:
            services.run("systemctl", *command.split())


def commands(differences: Differences) -> list[str]:
    """Say what the differences take, in the order to do it: arguments of systemctl(1), and `write files`."""
    seen, wanted = differences.get(_AT_BOOT, (None, None))
    before = [f"disable --now --quiet {UNIT}"] if seen and not wanted else []
    after = [f"enable --quiet {UNIT}"] if wanted else []
    return [*before, "write files", "daemon-reload", *after] if differences else []
