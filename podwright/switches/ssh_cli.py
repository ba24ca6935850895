"""A device's command line over SSH: one command at a time, each answered by a prompt or an error that says so."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import paramiko

from podwright.errors import DeviceError, SessionLost
from podwright.switches.access import Access
from podwright.switches.ssh import connect

REPLY_TIMEOUT_S = 30
"""For a prompt after a command. A device writes its whole configuration in less."""

COLUMNS, ROWS = 511, 1000
"""Of the terminal that we say we are: wide enough for no line to be wrapped."""

_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[=>78])|[\x00\x07\r]")
"""What a device writes for the eye: escape sequences (ECMA-48), bells, carriage returns."""

_PROMPT = re.compile(r"(?:^|\n)([^\s>#]+[>#]) ?$")
_QUESTION = re.compile(r"([^\n]{0,80}(?:\?|\]|:|--More--)) *$")
"""An end of what a device wrote that waits for an answer."""

_REFUSAL_WITHIN = 200
"""Characters at the beginning of what a `show` command answers in which a refusal would be."""

_HOST_NAME_SHOWN = 20
"""Characters of the host's name that IOS leaves in the prompt of a configuration mode."""

# IOS and NX-OS write warnings, too, after a percent sign. They are told from refusals by their words.
_REFUSAL = re.compile(
    r"^ *(%(?! ?(?:Warning|Portfast has been|Access VLAN does not exist))(?! ?[A-Z0-9_]+-\d-).*"
    r"|Command rejected.*|ERROR\b.*|Error:.*|Syntax error.*|.*[Pp]ermission denied.*)$",
    re.MULTILINE,
)


class Terminal:
    """A terminal session in privileged mode, which opens when it is first needed.

    Args:
        access: the device.
        prepare: commands that turn off the pager.
    """

    def __init__(self, access: Access, prepare: Sequence[str]) -> None:
        self._access = access
        self._prepare = prepare
        self._transport: paramiko.Transport | None = None
        self._channel: paramiko.Channel | None = None
        self._prompt = _PROMPT
        self._mode = ""

    def run(self, command: str, intent: str) -> str:
        """What the device answers to a command.

        Args:
            command: one line.
            intent: what for, as an error is to say it: "cannot <intent>".

        Raises:
            DeviceError: the device refused the command.
            SessionLost: it did not answer.
        """
        self._open()
        with self._errors(intent):
            answer = self._ask(command, intent)
        # A configuration may have any line, in a banner too; that it is refused is said at once.
        refusal = _REFUSAL.search(answer[:_REFUSAL_WITHIN] if command.startswith("show ") else answer)
        if refusal:
            raise DeviceError(f"{self._access.where}: cannot {intent}: `{command}`: {refusal[0].strip()}")
        return answer

    def run_all(self, commands: Iterable[str], intent: str) -> None:
        """Give commands, up to the first that is refused."""
        for command in commands:
            self.run(command, intent)

    def enter_configuration(self, command: str, intent: str) -> None:
        """Enter a configuration mode by a command.

        Raises:
            DeviceError: the device did not let us, such as because someone else has locked it.
        """
        answer = self.run(command, intent)
        if "(" not in self._mode:
            said = " ".join(answer.split()) or "nothing"
            raise DeviceError(
                f"{self._access.where}: cannot {intent}: `{command}` entered no configuration mode; the switch said: "
                f"{said}; see who holds it with `show configuration lock` or `show users`"
            )

    def leave_configuration(self, intent: str) -> None:
        """Leave configuration mode, if in it."""
        if "(" in self._mode:
            self.run("end", intent)

    def close(self) -> None:
        """Log out, if logged in."""
        if self._transport is not None:
            with suppress(paramiko.SSHException, OSError, EOFError):  # it is closed all the same
                self._transport.close()
            self._transport = self._channel = None
            self._prompt, self._mode = _PROMPT, ""

    def _open(self) -> None:
        if self._channel is not None:
            return
        with self._errors("log in"):
            self._transport = connect(self._access)
            self._channel = self._transport.open_session(timeout=REPLY_TIMEOUT_S)
            self._channel.get_pty("vt100", COLUMNS, ROWS)
            self._channel.invoke_shell()
            self._learn_prompt()
            if self._mode.endswith(">"):
                self._ask("enable", "log in")
            if not self._mode.endswith("#"):
                raise DeviceError(
                    f"{self._access.where}: user {self._access.user} may not configure the switch; give it privilege "
                    "level 15 or the role network-admin"
                )
            for command in self._prepare:
                self._ask(command, "log in")

    def _learn_prompt(self) -> None:
        """The prompt is what comes last at first and again after an empty line: a banner may look like one, once."""
        self._read("log in", "the login")
        self._ask("", "log in")
        name = re.split(r"[>#(]", self._mode)[0][:_HOST_NAME_SHOWN]
        self._prompt = re.compile(rf"(?:^|\n)({re.escape(name)}[^\s>#]*[>#]) ?$")

    def _ask(self, command: str, intent: str) -> str:
        """What comes between the echo of a command and the next prompt."""
        assert self._channel is not None
        # A question mark asks for help unless Ctrl-V is typed before it.
        self._channel.sendall(command.replace("?", "\x16?").encode() + b"\n")
        answer = self._read(intent, f"`{command}`")
        _, _, rest = answer.partition("\n")
        return rest

    def _read(self, intent: str, after: str) -> str:
        """All that comes until a prompt."""
        assert self._channel is not None
        end = time.monotonic() + REPLY_TIMEOUT_S
        received = ""
        while not (prompt := self._prompt.search(received[-200:])):
            self._channel.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self._channel.recv(65536)
            except TimeoutError as error:
                raise SessionLost(self._silence(intent, after, received)) from error
            if not data:
                raise SessionLost(f"{self._access.where}: cannot {intent}: the switch ended the session after {after}")
            received = _CONTROL.sub("", received + data.decode(errors="replace"))
        self._mode = prompt[1]
        return received[: received.rfind(prompt[1])]

    def _silence(self, intent: str, after: str, received: str) -> str:
        question = _QUESTION.search(received)
        asked = f"; it asks: {question[1].strip()!r}" if question else ""
        return (
            f"{self._access.where}: cannot {intent}: no prompt within {REPLY_TIMEOUT_S} s after {after}{asked}; log in "
            "by hand and see what the switch does"
        )

    @contextmanager
    def _errors(self, intent: str) -> Iterator[None]:
        """Have what goes wrong say on which device, and when it was doing what; a session that is lost is closed."""
        try:
            yield
        except SessionLost:
            self.close()
            raise
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise SessionLost(f"{self._access.where}: cannot {intent}: {error or type(error).__name__}") from error


def probe(access: Access, prepare: Sequence[str]) -> None:
    """Log in anew, up to a prompt, and out again.

    Raises:
        SessionLost: that is not possible.
    """
    terminal = Terminal(access, prepare)
    try:
        terminal.run("", "log in")
    finally:
        terminal.close()
