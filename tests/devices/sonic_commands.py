"""What a SONiC switch has for commands, for tests: `sonic_commands.py PACKAGES DIRECTORY NAME ARGUMENT...`.

CONFIG_DB is a file, a JSON patch is applied by jsonpatch, and a timer is a process that waits. Written after
sonic-utilities and systemd-run(1), as the driver is: it shows that the driver does as they say, not that they are so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PACKAGES, DIRECTORY, NAME, ARGUMENTS = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
SELF = [sys.executable, "-I", "-S", __file__, PACKAGES, str(DIRECTORY)]
CONFIG_DB, TIMER = DIRECTORY / "config_db.json", DIRECTORY / "timer"


def config(command: str, *arguments: str) -> None:
    checkpoint = DIRECTORY / "checkpoint.json"
    if command == "apply-patch":
        _apply_patch(list(arguments))
    elif command == "checkpoint":
        shutil.copy(CONFIG_DB, checkpoint)
    elif command == "rollback":
        checkpoint.replace(CONFIG_DB)
    elif command == "save" and arguments == ("-y",):
        shutil.copy(CONFIG_DB, DIRECTORY / "saved.json")
    else:
        sys.exit(f"Error: No such command {command!r}.")


def _apply_patch(arguments: list[str]) -> None:
    sys.path.append(PACKAGES)  # only here: it takes longer than all the rest
    import jsonpatch

    tries = "--dry-run" in arguments
    operations = json.loads(Path(arguments[-1]).read_text())
    act = _fault(" ".join(["apply-patch", *arguments]))
    if act == "refuse":
        sys.exit("Failed to apply patch due to: not today")
    done = operations[: len(operations) // 2] if act == "half" else operations
    result = jsonpatch.apply_patch(json.loads(CONFIG_DB.read_text()), done)
    if not tries:
        CONFIG_DB.write_text(json.dumps(result))
    if act == "half":
        sys.exit("Failed to apply patch due to: halfway")
    if act == "cut":
        os.kill(_sshd_above(os.getpid()), signal.SIGKILL)


def _sshd_above(process: int) -> int:
    """The process of sshd(8) that serves the session which a process is of."""
    while Path(f"/proc/{process}/comm").read_text().strip() != "sshd":
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return process


def _fault(command: str) -> str:
    """What is to go wrong at a command, once."""
    file = DIRECTORY / "fault.json"
    if not file.exists():
        return ""
    at, act = json.loads(file.read_text())
    if not re.search(at, command):
        return ""
    file.unlink()
    return str(act)


def systemd_run(unit: str, on_active: str, accuracy: str, *command: str) -> None:
    assert unit == "--unit=podwright-trial"
    # By default a timer may take a minute more than it was told: systemd.timer(5), AccuracySec=.
    assert accuracy.removeprefix("--timer-property=") == "AccuracySec=100ms"
    seconds = on_active.removeprefix("--on-active=").removesuffix("s")
    wait = [*SELF, "wait", seconds, *command]
    silent = subprocess.DEVNULL
    timer = subprocess.Popen(wait, start_new_session=True, stdin=silent, stdout=silent, stderr=silent)
    TIMER.write_text(str(timer.pid))
    os._exit(0)  # the timer goes on


def wait(seconds: str, *command: str) -> None:
    left = float(seconds)
    while left > 0:
        time.sleep(0.05)
        left -= 0.05 * float((DIRECTORY / "speed").read_text() or 1)
    TIMER.unlink()
    subprocess.run([*SELF, *command], check=True)


def systemctl(command: str, *arguments: str) -> None:
    if command == "is-active":
        sys.exit(0 if TIMER.exists() else 3)
    assert (command, *arguments) == ("stop", "podwright-trial.timer")
    if not TIMER.exists():
        sys.exit("Failed to stop podwright-trial.timer: Unit podwright-trial.timer not loaded.")
    os.kill(int(TIMER.read_text()), signal.SIGTERM)
    TIMER.unlink()


def main() -> None:
    if NAME == "sonic-cfggen" and ARGUMENTS == ["-d", "--print-data"]:
        sys.stdout.write(CONFIG_DB.read_text())
    else:
        {"config": config, "systemd-run": systemd_run, "systemctl": systemctl, "wait": wait}[NAME](*ARGUMENTS)


if __name__ == "__main__":
    main()
