"""A NETCONF session with a device (RFC 6241), over which changes are tried."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import ncclient.transport.session
import paramiko
from lxml import etree
from ncclient import NCClientError, manager
from ncclient.operations import RPCError, TimeoutExpiredError
from ncclient.transport.errors import AuthenticationError, SessionCloseError

from podwright.errors import DeviceError, PodwrightError, SessionLost
from podwright.switches.access import Access
from podwright.switches.ssh import CONNECT_TIMEOUT_S, known_host_key
from podwright.switches.xml_maker import Attribute

# ncclient looks for bytes to send every TICK seconds, 0.1 unless told: 100 ms per request instead of 2.
ncclient.transport.session.TICK = 0.001

REPLY_TIMEOUT_S = 30

NETCONF = "urn:ietf:params:xml:ns:netconf:base:1.0"
NC = {"nc": NETCONF}
INTERFACE_TYPES = "urn:ietf:params:xml:ns:yang:iana-if-type"
"""The identities of interfaces' types (RFC 7224), which modules of several publishers use"""

OPERATION = f"{{{NETCONF}}}operation"
"""The attribute that says what to do with an element of `<edit-config>` (RFC 6241 section 7.2); default is to merge."""

DELETE, REMOVE, REPLACE = (Attribute("nc:operation", name) for name in ("delete", "remove", "replace"))
"""It on an element of `podwright.switches.xml_maker`: delete what has to be there, remove what may be, replace all"""

Told = TypeVar("Told")

CHANGE = "change the configuration"

# All that comes of a device that falls silent or goes away. Not every one of ncclient's errors is an OperationError or
# a TransportError: an answer that does not come in time is neither.
_LOST = (NCClientError, paramiko.SSHException, OSError, EOFError)


class Session:
    """A session that opens when it is first needed; a `Trial` of NETCONF's confirmed commit (RFC 6241 section 8.4).

    A change on trial hangs on this session: it is taken back when the session ends before it is confirmed.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._manager: Any = None

    @property
    def access(self) -> Access:
        """The device."""
        return self._access

    def running(self, subtrees: str) -> Any:
        """`<data>` of the running configuration, as an lxml element."""
        with self._asking("read the running configuration"):
            return self._opened().get_config("running", _filter(subtrees)).data_ele

    def understood(self, parse: Callable[[Any], Told], data: Any) -> Told:
        """What a configuration says, or the state of the switch.

        Raises:
            DeviceError: values in it are none that its models allow, or the switch is not one for the driver.
        """
        try:
            return parse(data)
        except PodwrightError as error:
            raise DeviceError(f"{self._access.where}: {error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise DeviceError(
                f"{self._access.where}: cannot understand the configuration that the switch tells: {error}; compare "
                "its models with those of its platform's driver"
            ) from error

    def operational(self, subtrees: str) -> Any:
        """`<data>` of configuration and state."""
        with self._asking("read the state"):
            return self._opened().get(_filter(subtrees)).data_ele

    def lock(self) -> None:
        """Lock the candidate, which starts as a copy of running."""
        device = self._opened()
        with self._asking(CHANGE):
            try:
                device.lock("candidate")
            except RPCError as error:
                self._refuse_if_held(error)
                # RFC 6241 section 7.5: nor is a candidate locked in which an edit was left. Nobody holds it now.
                device.discard_changes()
                device.lock("candidate")

    def stage(self, payload: str) -> None:
        """Edit the candidate; `payload` is the `<config>` of an `<edit-config>`."""
        with self._asking(CHANGE):
            self._opened().edit_config(
                payload, target="candidate", test_option="test-then-set", error_option="rollback-on-error"
            )

    def commit_on_trial(self, timeout_s: int) -> None:
        """Commit until `timeout_s` have passed or this session ends."""
        with self._asking(CHANGE):
            self._opened().commit(confirmed=True, timeout=str(timeout_s))

    def probe(self) -> None:
        """Log in over another connection, and out again."""
        probe = self._connect()
        with self._errors("log out"):
            probe.close_session()

    def confirm(self) -> None:
        """Confirm the commit."""
        with self._asking("confirm the change"):
            self._opened().commit()

    def save(self) -> None:
        """Copy running to startup, on a device that keeps them apart (RFC 6241 section 8.7)."""
        device = self._opened()
        if ":startup" in device.server_capabilities:
            with self._asking("save the change, which is in force until the device restarts"):
                device.copy_config(source="running", target="startup")

    def take_back(self) -> None:
        """Cancel the commit on trial."""
        with self._asking("take the change back"):
            self._opened().cancel_commit()

    def discard(self) -> None:
        """Make the candidate a copy of running again."""
        with self._asking("discard the change"):
            self._opened().discard_changes()

    def unlock(self) -> None:
        """Unlock the candidate."""
        with self._asking("unlock the candidate configuration"):
            self._opened().unlock("candidate")

    def abandon(self) -> None:
        """End the session without asking: its lock goes, and its change on trial (RFC 6241 sections 7.5, 8.4).

        Once a session is lost, ncclient may take a request that nobody will ever send, and wait for its answer.
        """
        if self._manager is not None:
            with suppress(*_LOST):  # it is lost already
                self._manager._session.close()  # the manager itself can end it only by asking the device
            self._manager = None

    def close(self) -> None:
        """Close the session, if it is open."""
        if self._manager is not None:
            with suppress(*_LOST):  # it is closed all the same
                self._manager.close_session()
            self._manager = None

    def _opened(self) -> Any:
        if self._manager is None:
            self._manager = self._connect()
        return self._manager

    def _connect(self) -> Any:
        access = self._access
        with self._errors("log in"):
            host_key = known_host_key(access)
            connection = socket.create_connection((access.host, access.port), CONNECT_TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened = manager.connect_ssh(
                host=access.host,
                port=access.port,
                sock=connection,
                username=access.user,
                key_filename=str(access.key_file),
                hostkey_b64=base64.b64encode(host_key.asbytes()).decode(),
                allow_agent=False,
                look_for_keys=False,
                timeout=CONNECT_TIMEOUT_S,
            )
            opened.timeout = REPLY_TIMEOUT_S
            return opened

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
    def _asking(self, intent: str) -> Iterator[None]:
        """Have the next question open another session if this one is lost."""
        try:
            with self._errors(intent):
                yield
        except SessionLost:
            self.abandon()
            raise

    @contextmanager
    def _errors(self, intent: str) -> Iterator[None]:
        """Have what goes wrong say on which device, and when it was doing what."""
        where = f"{self._access.where}: cannot {intent}"
        try:
            yield
        except RPCError as error:
            raise DeviceError(
                f"{where}: {_text(error)}; compare the switch's models and its log with what the driver sends it"
            ) from error
        except AuthenticationError as error:
            raise SessionLost(
                f"{where}: the switch refuses {self._access.user} with the key {self._access.key_file}; "
                "let that user log in there with its public half"
            ) from error
        except _LOST as error:
            raise SessionLost(
                f"{where}: {_loss(error)}; see whether the switch is up, and what its log says"
            ) from error


def as_text(root: Any, prefixes: Iterable[str] = ()) -> str:
    """An element, indented, with no more namespaces than it uses; `prefixes` are those that its text uses."""
    etree.cleanup_namespaces(root, keep_ns_prefixes=["nc", *prefixes])
    etree.indent(root)
    text: str = etree.tostring(root, encoding="unicode")
    return text + "\n"


def _filter(subtrees: str) -> Any:
    return etree.fromstring(f'<filter xmlns="{NETCONF}" type="subtree">{subtrees}</filter>')


def _lock_holder(error: RPCError) -> str:
    """The session that holds a lock: `<session-id>` of the error's info (RFC 6241 section 7.5)."""
    found = etree.fromstring(error.info.encode()).find(".//{*}session-id") if error.info else None
    return "unknown" if found is None else str(found.text)


def _errors_of(error: RPCError) -> list[RPCError]:
    """A reply may hold several errors."""
    return list(error.errlist or [error])


def _loss(error: Exception) -> str:
    """How a session was lost."""
    if isinstance(error, TimeoutExpiredError):
        return f"the switch did not answer within {REPLY_TIMEOUT_S} s with anything that is NETCONF"
    if isinstance(error, SessionCloseError):
        return "the switch ended the session"
    return str(error) or type(error).__name__


def _text(error: RPCError) -> str:
    """Tag, path and message of each error of a reply."""
    texts = [(one.tag, one.path, one.message) for one in _errors_of(error)]
    return "; ".join(": ".join(part.strip() for part in parts if part) for parts in texts)
