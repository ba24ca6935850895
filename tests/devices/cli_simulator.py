"""A switch with a command line, for tests: `cli_simulator.py DIRECTORY PORT PLATFORM` until it is ended.

FakeNOS has the SSH server, the shell, the prompts, and the commands that do not change anything. What it has not is
configuration: this adds that a running configuration becomes what it is told (`tests.devices.running`), and the ways in
which each platform tries a change. They are written after the vendors' manuals, as the drivers are: the simulator shows
that a driver does what those say, not that they are right.

In DIRECTORY are `key.pub` (who may log in), `host_key`, `running` (the configuration at first), `options.json` (see
`Options`) and `fault.json` (see `Fault`), which may change while it runs; it writes `startup` there.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
from fakenos import FakeNOS
from fakenos.plugins.servers import ssh_server_paramiko
from fakenos.plugins.servers.ssh_server_paramiko import ParamikoSshServerInterface
from fakenos.plugins.shell.cmd_shell import CMDShell
from hier_config import Platform

from tests.devices.running import Running

DIRECTORY, PORT, NAME = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
SILENCE_S = 6
HOST_NAME = "a-switch-with-a-long-name"
CONFIGURATION_LINES = re.compile(
    r"(no )?(vlan [\d,-]+|name \S+|description .+|description|shutdown|switchport( .+)?|spanning-tree .+|name)"
)


@dataclass(frozen=True)
class Options:
    """How the switch is: whether it can try changes, and how many of its seconds pass in one."""

    able: bool = True
    speed: float = 1


@dataclass(frozen=True)
class Fault:
    """What goes wrong, once, at the first command in which `at` is found, before or after it has effect."""

    at: str
    act: str  # refuse, drop, silent, half or nonsense
    after: bool = False


def options() -> Options:
    return Options(**json.loads((DIRECTORY / "options.json").read_text() or "{}"))


def due_fault(command: str, *, after: bool) -> str:
    """What is to go wrong at a command now."""
    file = DIRECTORY / "fault.json"
    try:
        fault = Fault(**json.loads(file.read_text()))
    except FileNotFoundError:
        return ""
    if fault.after is not after or not re.search(fault.at, command):
        return ""
    file.unlink()
    return fault.act


class Timer:
    """Does something when some of the switch's seconds have passed."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self._left = seconds
        self._act = act
        self._cancelled = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def cancel(self) -> None:
        self._cancelled.set()

    def _run(self) -> None:
        while not self._cancelled.wait(0.05):
            self._left -= 0.05 * options().speed
            if self._left < 0:
                self._act()
                return


class Device(ABC):
    """What all sessions share. `execute` and `configure` answer None for a command that is none."""

    platform: Platform
    last_line = "end\n"

    def __init__(self) -> None:
        self.running = (DIRECTORY / "running").read_text()

    @abstractmethod
    def execute(self, session: Session, command: str) -> str | None: ...

    def configure(self, session: Session, command: str) -> str | None:
        if command == "end":
            session.mode = ""
        elif command == "exit":
            session.leave()
        elif not CONFIGURATION_LINES.fullmatch(command) and not command.startswith("interface "):
            return None
        else:
            self.take(session, command)
        return ""

    def take(self, session: Session, command: str) -> None:
        """Change the running configuration by a command, in the section that the session is in."""
        self.running = session.changed(self.platform, self.running, command)

    def save(self) -> None:
        (DIRECTORY / "startup").write_text(self.running)


class Session:
    """Where one terminal session is."""

    def __init__(self) -> None:
        self.mode = ""
        self.section = ""
        self.name = ""

    def enter(self, mode: str) -> None:
        self.mode, self.section = mode, ""

    def leave(self) -> None:
        if self.section:
            self.section = ""
        else:
            self.mode = ""

    def changed(self, platform: Platform, text: str, command: str) -> str:
        if command.startswith(("interface ", "vlan ", "no vlan ")):
            self.section = "" if command.startswith("no ") else command
            commands = [command, "exit"]
        else:
            commands = [self.section, f" {command}", "exit"] if self.section else [command, "exit"]
        running = Running(platform, text)
        running.give(commands)
        return running.text

    @property
    def prompt(self) -> str:
        shown = f"{self.mode}-sub" if self.section else self.mode
        return f"{HOST_NAME[:20]}({shown})#" if self.mode else f"{HOST_NAME}#"


class Eos(Device):
    platform = Platform.ARISTA_EOS

    def __init__(self) -> None:
        super().__init__()
        self._candidates: dict[str, str] = {}
        self._on_trial: tuple[str, str, Timer] | None = None

    def execute(self, session: Session, command: str) -> str | None:
        words = command.split()
        if command == "show configuration sessions detail | json":
            states = dict.fromkeys(self._candidates, "pending")
            states |= {self._on_trial[0]: "pendingCommitTimer"} if self._on_trial else {}
            return json.dumps({"sessions": {name: {"state": state} for name, state in states.items()}})
        if command == "write memory":
            self.save()
            return "Copy completed successfully."
        if words[:2] != ["configure", "session"]:
            return None
        name, rest = words[2], words[3:]
        if not rest:
            self._candidates.setdefault(name, self.running)
            session.enter(f"config-s-{name[:6]}")
            session.name = name
            return ""
        return self._end(name, rest)

    def _end(self, name: str, rest: list[str]) -> str | None:
        if rest[:2] == ["commit", "timer"] and name in self._candidates:
            hours, minutes, seconds = map(int, rest[2].split(":"))
            timer = Timer(hours * 3600 + minutes * 60 + seconds, self._take_back)
            self._on_trial = (name, self.running, timer)
            self.running = self._candidates[name]
        elif rest == ["commit"] and self._on_trial and self._on_trial[0] == name:
            self._on_trial[2].cancel()
            self._on_trial = None
            del self._candidates[name]
        elif rest == ["abort"] and name in self._candidates:
            if self._on_trial and self._on_trial[0] == name:
                self._on_trial[2].cancel()
                self._take_back()
            self._candidates.pop(name, None)
        else:
            return None
        return ""

    def _take_back(self) -> None:
        if self._on_trial:
            self._candidates.pop(self._on_trial[0], None)
            self.running = self._on_trial[1]
            self._on_trial = None

    def take(self, session: Session, command: str) -> None:
        self._candidates[session.name] = session.changed(self.platform, self._candidates[session.name], command)


class Ios(Device):
    platform = Platform.CISCO_IOS

    def __init__(self) -> None:
        super().__init__()
        self._backup: tuple[str, Timer] | None = None

    def execute(self, session: Session, command: str) -> str | None:
        if command == "show archive":
            return (
                "The maximum archive configurations allowed is 10." if options().able else "Archive feature not enabled"
            )
        if command == "show archive config rollback timer":
            return "User: someone(vty 1)" if self._backup else "No Rollback Confirmed Change pending"
        if command == "write memory":
            self.save()
            return "Building configuration...\n[OK]"
        if found := re.fullmatch(r"configure terminal revert timer (\d+)", command):
            self._backup = (self.running, Timer(60 * int(found[1]), self._take_back))
            session.enter("config")
            return "Rollback Confirmed Change: Backing up current running config to flash:podwright-1"
        if command in ("configure confirm", "configure revert now"):
            if self._backup is None:
                return "%No Rollback Confirmed Change pending"
            self._backup[1].cancel()
            if command == "configure confirm":
                self._backup = None
            else:
                self._take_back()
            return ""
        return None

    def _take_back(self) -> None:
        if self._backup:
            self.running, self._backup = self._backup[0], None


class Nxos(Device):
    platform = Platform.CISCO_NXOS
    last_line = ""

    def __init__(self) -> None:
        super().__init__()
        self._checkpoints: dict[str, str] = {}
        self._jobs: dict[str, list[str]] = {}
        self._schedules: dict[str, Timer | None] = {}

    def execute(self, session: Session, command: str) -> str | None:
        if command == "show feature | include scheduler":
            return f"scheduler              1          {'enabled' if options().able else 'disabled'}"
        if command == "show scheduler schedule":
            return "\n".join(map(self._shown, self._schedules))
        if command == "show clock":
            return f"{datetime.now(UTC):%H:%M:%S.000 UTC %a %b %d %Y}\nTime source is NTP"
        if command == "copy running-config startup-config":
            self.save()
            return "[####      ] 40%\n[########################################] 100%\nCopy complete."
        if command == "configure terminal":
            session.enter("config")
            return "Enter configuration commands, one per line. End with CNTL/Z."
        if found := re.fullmatch(r"(no )?checkpoint (\S+)", command):
            if found[1]:
                self._checkpoints.pop(found[2], None)
            else:
                self._checkpoints[found[2]] = self.running
            return ""
        if found := re.fullmatch(r"rollback running-config checkpoint (\S+)", command):
            return self._roll_back(found[1])
        return None

    def configure(self, session: Session, command: str) -> str | None:
        if session.section.startswith("scheduler ") and command not in ("exit", "end"):
            return self._plan(session, command)
        if found := re.fullmatch(r"(no )?(scheduler (job|schedule) name (\S+))", command):
            named: dict[str, Any] = self._jobs if found[3] == "job" else self._schedules
            if found[1]:
                timer = named.pop(found[4], None)
                if isinstance(timer, Timer):
                    timer.cancel()
            else:
                named[found[4]] = [] if found[3] == "job" else None
                session.section = found[2]
            return ""
        return super().configure(session, command)

    def _plan(self, session: Session, command: str) -> str | None:
        _, kind, _, name = session.section.split()
        if kind == "job":
            self._jobs[name].append(command)
        elif found := re.fullmatch(r"time start (\d+:\d+:\d+:\d+:\d+)", command):
            start = datetime.strptime(found[1], "%Y:%m:%d:%H:%M").replace(tzinfo=UTC)
            self._schedules[name] = Timer((start - datetime.now(UTC)).total_seconds(), lambda: self._run(name))
        elif command != f"job name {name}":
            return None
        return ""

    def _run(self, name: str) -> None:
        self._schedules[name] = None
        for command in self._jobs[name]:
            self.execute(Session(), command)

    def _roll_back(self, name: str) -> str:
        if name not in self._checkpoints:
            return f"ERROR: checkpoint {name} does not exist"
        self.running = self._checkpoints[name]
        return "Generating Rollback patch\nRollback completed successfully."

    def _shown(self, name: str) -> str:
        last = "Yet to be executed" if self._schedules[name] else f"{datetime.now(UTC):%a %b %d %H:%M:%S %Y}"
        return f"Schedule Name       : {name}\nUser Name           : someone\nLast Execution Time : {last}\n"


DEVICES: dict[str, type[Device]] = {"arista_eos": Eos, "cisco_ios": Ios, "cisco_nxos": Nxos}
DEVICE = DEVICES[NAME]()


class Shell(CMDShell):  # type: ignore[misc]  # FakeNOS has no types
    """FakeNOS's shell, with what `DEVICE` does."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._session = Session()

    def default(self, line: str) -> bool:
        # A question mark asks for help, unless Ctrl-V is typed before it.
        line = "help" if re.search("(?<!\x16)\\?", line) else line.replace("\x16?", "?")
        if act := due_fault(line, after=False):
            return self._fail(act)
        configures = bool(self._session.mode)
        answer = (DEVICE.configure if configures else DEVICE.execute)(self._session, line)
        if line == "show running-config":
            answer = f"! the configuration\nhostname {HOST_NAME}\n{DEVICE.running}{DEVICE.last_line}"
        if act := due_fault(line, after=True):
            return self._fail(act)
        if answer is None and not configures and line in self.commands:
            return bool(super().default(line))
        self.writeline("% Invalid input detected at '^' marker." if answer is None else answer)
        self.prompt = self._session.prompt
        return False

    def _fail(self, act: str) -> bool:
        """Go wrong instead of answering; whether the session is over."""
        if act == "silent":
            time.sleep(SILENCE_S)
        half = DEVICE.running[: len(DEVICE.running) // 2]
        self.writeline({"refuse": "% Not today", "half": half, "nonsense": "\x1b[31mlorem\x00 ipsum"}.get(act, ""))
        return act in ("drop", "silent")


class KeyLogin(ParamikoSshServerInterface):  # type: ignore[misc]
    """FakeNOS's server, which knows passwords only, with login by key."""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = (DIRECTORY / "key.pub").read_text().split()[1]
        return paramiko.AUTH_SUCCESSFUL if key.get_base64() == known else paramiko.AUTH_FAILED


def main() -> None:
    ssh_server_paramiko.ParamikoSshServerInterface = KeyLogin
    # FakeNOS types as slowly as a person.
    ssh_server_paramiko.time = SimpleNamespace(sleep=lambda s: time.sleep(s / 20), monotonic=time.monotonic)
    server = {"plugin": "ParamikoSshServer", "configuration": {"ssh_key_file": str(DIRECTORY / "host_key")}}
    host = {"username": "-", "password": "-", "port": PORT, "platform": NAME, "server": server}
    network = FakeNOS({"hosts": {HOST_NAME: {**host, "shell": {"plugin": "CMDShell", "configuration": {}}}}})
    network.shell_plugins["CMDShell"] = Shell
    network.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
