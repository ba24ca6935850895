"""Commands on a device that is a Linux host, over SSH."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import join

import paramiko

from podwright.errors import DeviceError, SessionLost
from podwright.switches.access import Access
from podwright.switches.ssh import connect

REPLY_TIMEOUT_S = 60
"""For a command to end."""


class Shell:
    """A connection that opens when it is first needed; each command runs by itself."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._transport: paramiko.Transport | None = None

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

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _result(self, command: Sequence[str], intent: str, standard_input: str) -> tuple[int, str, str]:
        """(exit status, standard output, standard error)."""
        try:
            if self._transport is None:
                self._transport = connect(self._access)
            channel = self._transport.open_session(timeout=REPLY_TIMEOUT_S)
            channel.settimeout(REPLY_TIMEOUT_S)
            channel.exec_command(join(command))
            channel.sendall(standard_input.encode())
            channel.shutdown_write()
            printed = channel.makefile("rb").read().decode(errors="replace")
            said = channel.makefile_stderr("rb").read().decode(errors="replace")
            status = channel.recv_exit_status()
            channel.close()
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise SessionLost(
                f"{self._access.where}: cannot {intent}: `{join(command)}`: {error or type(error).__name__}"
            ) from error
        return status, printed, said
