"""A lab's own world: namespaces that lead nowhere else, held by one first process.

What a lab does to mounts, network interfaces, host names and processes happens
in there. It is found by looking at the processes that run, so that no file can
claim a world that has died, or miss one whose maker was killed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from podwright.errors import LabError

_LABS = Path("/run/podwright")
_SCRIPT = Path(__file__).with_name("world.sh")
_END_TIMEOUT_S = 30


def directory(name: str) -> Path:
    """The directory of a lab: keys, images, state, logs. One machine has one lab of each name."""
    return _LABS / name


def first_process(name: str) -> int | None:
    """The process id of the world's first process, or None when there is no such world."""
    ending = (_SCRIPT.name, str(directory(name)))
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                script, argument = (process / "cmdline").read_text().split("\0")[-3:-1]
                if (Path(script).name, argument) == ending and _is_first(process):
                    return int(process.name)
            except (OSError, ValueError):
                continue  # it has ended meanwhile, or is a thread of the kernel
    return None


def start(name: str) -> int:
    """Make a world; the process id of its first process.

    Raises:
        LabError: The machine refused a step.
    """
    log = directory(name) / "consoles" / "world.log"
    namespaces = ("--mount", "--net", "--uts", "--pid", "--fork", "--propagation", "private")
    with (
        log.open("w") as errors,
        subprocess.Popen(
            ["setsid", "--fork", "unshare", *namespaces, "sh", str(_SCRIPT), str(directory(name))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as setsid,
    ):
        assert setsid.stdout is not None
        ready = setsid.stdout.readline() == "ready\n"
    process = first_process(name)
    if not ready or process is None:
        raise LabError(f"lab {name}: this machine cannot hold a lab's namespaces:\n{log.read_text()}")
    return process


def stop(name: str) -> None:
    """End the world and all that runs in it, and take its cgroups from the kernel's tree."""
    process = first_process(name)
    if process is not None:
        end(process)
    _remove_cgroups(name)


def end(process: int) -> None:
    """Kill a world's first process and wait until it has ended, and with it all that ran in the world.

    Raises:
        LabError: It has not within 30 s.
    """
    descriptor = os.pidfd_open(process)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        # Readable once it has ended, and it ends after all others of its namespace (pid_namespaces(7)).
        if not select.select([descriptor], [], [], _END_TIMEOUT_S)[0]:
            raise LabError(f"process {process} did not end within {_END_TIMEOUT_S} s of being killed")
    finally:
        os.close(descriptor)


def inside(process: int, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in the world of the first process `process`."""
    return ["nsenter", f"--target={process}", "--mount", "--net", "--uts", "--pid", "--", *argv]


def run(process: int, commands: Iterable[str]) -> None:
    """Run shell commands in the world, one after the other.

    When we are killed, they stop at the next one: the shell cannot say any more what it is about to do. Until then they
    keep what we hold and let them inherit, such as the lock of the lab.

    Raises:
        LabError: One failed; the text says what it said.
    """
    script = "".join(f"{command}\n" for command in ("umask 022", *commands))
    done = subprocess.run(inside(process, ["sh", "-ex"]), input=script, capture_output=True, text=True, close_fds=False)
    if done.returncode:
        raise LabError("the lab's world refused a command; the last lines:\n" + "\n".join(_tail(done.stderr, 3)))


def seen(process: int, path: Path) -> Path:
    """What is at the absolute `path` in the world, as seen from outside of it (proc(5), /proc/pid/root)."""
    return Path(f"/proc/{process}/root{path}")


def disks(name: str) -> Path:
    """Where the hosts' disks are, in the world only: they end with it."""
    return directory(name) / "hosts"


def cgroup(name: str) -> Path:
    """The cgroup of a lab; its hosts have one each under it."""
    return Path(f"/sys/fs/cgroup/podwright-{name}")


def _is_first(process: Path) -> bool:
    (line,) = (line for line in (process / "status").read_text().splitlines() if line.startswith("NSpid:"))
    return line.split()[-1] == "1"


def _remove_cgroups(name: str) -> None:
    """Remove them through a mount of the tree that nobody else sees and that ends with this command."""
    mountpoint = _LABS / f"{name}.cgroups"
    mountpoint.mkdir(parents=True, exist_ok=True)
    script = """
        mount -t cgroup2 cgroup2 "$1"
        for attempt in 1 2 3 4 5 6 7 8 9 10; do
            test -d "$1/$2" || exit 0
            find "$1/$2" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.2
        done
        rmdir "$1/$2"
    """
    tree = cgroup(name).name
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", str(mountpoint), tree]
    done = subprocess.run(argv, capture_output=True, text=True)
    mountpoint.rmdir()
    if done.returncode:
        raise LabError(f"lab {name}: its cgroups stay behind: {done.stderr.strip()}")


def _tail(text: str, lines: int) -> list[str]:
    return text.rstrip().splitlines()[-lines:]
