"""A NETCONF session with a device, and changes to it that either hold or never were."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ncclient.transport.session
import paramiko
from lxml import etree
from ncclient import NCClientError, manager
from ncclient.operations import RPCError

from podwright.errors import DeviceError
from podwright.switches.access import Access

# ncclient looks for bytes to send every TICK seconds, 0.1 unless told: 100 ms per request instead of 2.
ncclient.transport.session.TICK = 0.001

CONNECT_TIMEOUT_S = 10
REPLY_TIMEOUT_S = 30
CONFIRM_TIMEOUT_S = 30
"""How long a device waits for the confirmation of a commit before it takes it back (RFC 6241 section 8.4)."""

# All that comes of a device that refuses, falls silent or goes away. Not every one of ncclient's errors is an
# OperationError or a TransportError: an answer that does not come in time is neither.
_FAILURES = (NCClientError, paramiko.SSHException, OSError, EOFError)


class Session:
    """A session that opens when it is first needed."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._manager: Any = None

    def running(self, subtrees: str) -> Any:
        """`<data>` of the running configuration, as an lxml element."""
        with self._errors("read the running configuration"):
            return self._opened().get_config("running", _filter(subtrees)).data_ele

    def operational(self, subtrees: str) -> Any:
        """`<data>` of configuration and state."""
        with self._errors("read the state"):
            return self._opened().get(_filter(subtrees)).data_ele

    def commit(self, config: str) -> None:
        """Make a change: lock, edit, confirmed commit, probe, confirm.

        The commit is confirmed once the device has answered over a new
        connection. Until then it hangs on this session: should the controller
        die, or be cut off by its own change, the device takes the change back
        (RFC 6241 section 8.4).

        Raises:
            DeviceError: the change was refused or taken back; the device is as it was.
        """
        device = self._opened()
        with self._errors("change the configuration"), self._locked(device):
            try:
                device.edit_config(
                    config, target="candidate", test_option="test-then-set", error_option="rollback-on-error"
                )
                device.commit(confirmed=True, timeout=str(CONFIRM_TIMEOUT_S))
            except RPCError:
                self._tidy(device.discard_changes)
                raise
            self._probe(device)
            device.commit()

    def close(self) -> None:
        """Close the session, if it is open."""
        if self._manager is not None:
            with suppress(*_FAILURES):  # it is closed all the same
                self._manager.close_session()
            self._manager = None

    def _opened(self) -> Any:
        if self._manager is None:
            self._manager = self._connect()
        return self._manager

    def _connect(self) -> Any:
        access = self._access
        with self._errors("log in"):
            host_key = self._host_key()
            connection = socket.create_connection((access.host, access.port), CONNECT_TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return manager.connect_ssh(
                host=access.host,
                port=access.port,
                sock=connection,
                username=access.user,
                key_filename=str(access.key_file),
                hostkey_b64=host_key,
                allow_agent=False,
                look_for_keys=False,
                timeout=REPLY_TIMEOUT_S,
            )

    def _host_key(self) -> str:
        """The device's host key in base64, from the known hosts."""
        access = self._access
        names = (f"[{access.host}]:{access.port}", access.host)
        known = paramiko.HostKeys(str(access.known_hosts_file))
        keys = next((keys for name in names if (keys := known.lookup(name))), None)
        if not keys:
            raise DeviceError(
                f"{access.host}: no host key in {access.known_hosts_file}, expected one of {' or '.join(names)}; "
                f"add the line that `ssh-keyscan -p {access.port} {access.host}` prints once you have checked it"
            )
        key = keys.get("ssh-ed25519") or next(iter(keys.values()))
        return base64.b64encode(key.asbytes()).decode()

    def _probe(self, device: Any) -> None:
        """See that a device that has taken a change can still be reached, or have it take the change back."""
        try:
            probe = self._connect()
            with self._errors("log out"):
                probe.close_session()
        except DeviceError as error:
            self._tidy(device.cancel_commit)
            raise DeviceError(f"{error}; that was after the change, which the device takes back by itself") from error

    @contextmanager
    def _locked(self, device: Any) -> Iterator[None]:
        """Hold the lock of the candidate, which starts as a copy of running."""
        try:
            device.lock("candidate")
        except RPCError as error:
            self._refuse_if_held(error)
            # RFC 6241 section 7.5: nor is a candidate locked in which someone has left an edit. Nobody holds it now.
            device.discard_changes()
            device.lock("candidate")
        try:
            yield
        except RPCError:
            self._tidy(device.unlock, "candidate")
            raise
        except _FAILURES:
            self._abandon()
            raise
        except BaseException:
            self._tidy(device.unlock, "candidate")
            raise
        device.unlock("candidate")

    def _tidy(self, operation: Callable[..., Any], *arguments: str) -> None:
        """Ask for something after a failure, which is what counts; a device that does not answer is asked no more.

        Once a session is lost, ncclient may take a request that nobody will ever send, and wait for its answer.
        """
        if self._manager is not None:
            try:
                operation(*arguments)
            except RPCError:
                pass
            except _FAILURES:
                self._abandon()

    def _abandon(self) -> None:
        """End a session that does not answer: its lock goes, and its change on trial (RFC 6241 sections 7.5, 8.4)."""
        with suppress(*_FAILURES):
            self._manager._session.close()  # the manager itself can end it only by asking the device
        self._manager = None

    def _refuse_if_held(self, error: RPCError) -> None:
        """Say who holds the lock, if that is why it was denied."""
        denied = [one for one in _errors_of(error) if one.tag == "lock-denied"]
        if denied:
            holder = _lock_holder(denied[0])
            raise DeviceError(
                f"{self._access.host}: the candidate configuration is locked by session {holder}; wait until whoever "
                "changes the switch is done, or end that session with <kill-session>"
            ) from error

    @contextmanager
    def _errors(self, intent: str) -> Iterator[None]:
        """Have what goes wrong say on which device, and when it was doing what."""
        where = f"{self._access.host} port {self._access.port}"
        try:
            yield
        except RPCError as error:
            raise DeviceError(f"{where}: cannot {intent}: {_text(error)}") from error
        except _FAILURES as error:
            raise DeviceError(f"{where}: cannot {intent}: {error or type(error).__name__}") from error


def _filter(subtrees: str) -> Any:
    return etree.fromstring(
        f'<filter xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" type="subtree">{subtrees}</filter>'
    )


def _lock_holder(error: RPCError) -> str:
    """The session that holds a lock: `<session-id>` of the error's info (RFC 6241 section 7.5)."""
    found = etree.fromstring(error.info.encode()).find(".//{*}session-id") if error.info else None
    return "unknown" if found is None else str(found.text)


def _errors_of(error: RPCError) -> list[RPCError]:
    """A reply may hold several errors."""
    return list(error.errlist or [error])


def _text(error: RPCError) -> str:
    """Tag, path and message of each error of a reply."""
    texts = [(one.tag, one.path, one.message) for one in _errors_of(error)]
    return "; ".join(": ".join(part.strip() for part in parts if part) for parts in texts)
