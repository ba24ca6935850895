"""Commands on a device that is a Linux host, over SSH."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from shlex import join

import paramiko

from podwright.errors import DeviceError, SessionLost
from podwright.switches.access import Access
from podwright.switches.ssh import connect, reason

REPLY_TIMEOUT_S = 60
"""For a command to end."""


class Shell:
    """A connection that opens when it is first needed; each command runs by itself."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._transport: paramiko.Transport | None = None
        self._held: paramiko.Channel | None = None

    def run(self, command: Sequence[str], intent: str, standard_input: str = "") -> str:
        """What a command prints.

        Args:
            command: the program and its arguments.
            intent: what for, as an error is to say it: "cannot <intent>".
            standard_input: what the command reads.

        Raises:
            DeviceError: the command failed.
            SessionLost: the device did not answer.
        """
        status, printed, said = self._result(command, intent, standard_input)
        if status != 0:
            last = (said or printed).strip().splitlines()[-1:] or [f"it ended with {status}"]
            raise DeviceError(f"{self._access.where}: cannot {intent}: `{join(command)}`: {last[0]}")
        return printed

    def succeeds(self, command: Sequence[str], intent: str) -> bool:
        """Whether a command ends well."""
        return self._result(command, intent, "")[0] == 0

    def probe(self) -> None:
        """Log in over another connection, and out again.

        Raises:
            SessionLost: the device did not let in.
        """
        with closing(Shell(self._access)) as other:
            other.run(["true"], "log in")

    def hold(self, command: Sequence[str], intent: str) -> bool:
        """Start a command that goes on until `release`, or until the connection ends: its standard input does then.

        Returns:
            Whether it goes on, as it says by a line; otherwise it has ended without one.

        Raises:
            SessionLost: the device did not answer.
        """
        with self._errors(command, intent):
            self._held = self._started(command)
            return bool(self._held.makefile("rb").readline())

    def release(self) -> None:
        """End the command that is held, if there is one."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def close(self) -> None:
        """Close the connection, if it is open."""
        self._held = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _result(self, command: Sequence[str], intent: str, standard_input: str) -> tuple[int, str, str]:
        """(exit status, standard output, standard error)."""
        with self._errors(command, intent):
            channel = self._started(command)
            channel.sendall(standard_input.encode())
            channel.shutdown_write()
            printed = channel.makefile("rb").read().decode(errors="replace")
            said = channel.makefile_stderr("rb").read().decode(errors="replace")
            # paramiko itself would wait for an exit status without end; it has none (-1) when the connection is lost.
            if not channel.status_event.wait(REPLY_TIMEOUT_S) or channel.exit_status < 0:
                raise EOFError("the connection ended before the command did")
            status = channel.exit_status
            channel.close()
        return status, printed, said

    def _started(self, command: Sequence[str]) -> paramiko.Channel:
        if self._transport is None:
            self._transport = connect(self._access)
        channel = self._transport.open_session(timeout=REPLY_TIMEOUT_S)
        channel.settimeout(REPLY_TIMEOUT_S)
        channel.exec_command(join(command))
        return channel

    @contextmanager
    def _errors(self, command: Sequence[str], intent: str) -> Iterator[None]:
        """Have what goes wrong with the connection say on which device, and when it was doing what."""
        try:
            yield
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            where = f"{self._access.where}: cannot {intent}: `{join(command)}`"
            raise SessionLost(f"{where}: {reason(self._access, error)}") from error
