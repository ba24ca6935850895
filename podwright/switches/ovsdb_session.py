"""A session with a switch that Open vSwitch makes, over which changes of its database are tried."""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import paramiko

from podwright.errors import DeviceError, SessionLost
from podwright.switches.access import Access
from podwright.switches.ovsdb import DATABASE, Connection, Operation, Row, as_map, as_set, map_of, set_of
from podwright.switches.ssh import CONNECT_TIMEOUT_S, connect

PORT = 6640
"""Where the database listens on the device's own loopback address (RFC 7047 section 7), reached through SSH."""

BRIDGE = "br0"
LOCK = "podwright"
TRIAL = "podwright-trial"
"""The key of the bridge's external_ids that a change on trial has, and a confirmed one has not."""

FOLLOW_TIMEOUT_S = 10
"""How long ovs-vswitchd may take to follow its database."""

# It outlives the login that starts it. `$1` is the file with the request.
TAKE_BACK = (
    """sleep {timeout_s}; exec 3<>/dev/tcp/127.0.0.1/{port} && cat "$1" >&3 && read -t 10 -n 1 <&3; rm -f "$1\""""
)
ARM = 'file=$(mktemp) && cat > "$file" && setsid -f bash -c {take_back} podwright "$file" < /dev/null > /dev/null 2>&1'

OURS = [["name", "==", BRIDGE]]


class OvsdbSession:
    """A session that opens when it is first needed; a `Trial` whose clock is a process on the device.

    A payload is JSON: `do` and `undo`, each a list of operations (RFC 7047 section 5.2). In a set of ports,
    `["port", NAME]` stands for the row of that name.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._transport: paramiko.Transport | None = None
        self._database: Connection | None = None
        self._do: list[Operation] = []
        self._undo: list[Operation] = []
        self._confirm: list[Operation] = []

    @property
    def access(self) -> Access:
        """The device."""
        return self._access

    def bridge(self, columns: Sequence[str], port_columns: Sequence[str]) -> tuple[Row, list[Row]]:
        """Some columns of the bridge, and of each of its ports but that which leads to the device itself."""
        with self._errors("read the database"):
            database = self._opened()
            bridge = database.rows("Bridge", [*columns, "ports"], name=BRIDGE)[0]
            ids = as_set(bridge["ports"])
            ports = [row for row in database.rows("Port", [*port_columns, "_uuid"]) if row["_uuid"] in ids]
        return (
            {column: bridge[column] for column in columns},
            [{column: row[column] for column in port_columns} for row in ports if row["name"] != BRIDGE],
        )

    def interfaces(self, columns: Sequence[str]) -> list[Row]:
        """Some columns of all interfaces."""
        with self._errors("read the interfaces"):
            return self._opened().rows("Interface", columns)

    def lock(self) -> None:
        """Lock the database against other controllers; the server unlocks it when the session ends."""
        with self._errors("lock the database"):
            database = self._opened()
            if not database.ask("lock", LOCK)["locked"]:
                database.ask("unlock", LOCK)
                raise DeviceError(
                    "another controller holds the lock `podwright`; wait until whoever changes the switch is done"
                )
            self._refuse_trial(database)

    def stage(self, payload: str) -> None:
        """Work out the transaction of a change and that which takes it back."""
        with self._errors("stage the change"):
            database = self._opened()
            ids = {row["name"]: row["_uuid"] for row in database.rows("Port", ["_uuid", "name"])}
            bridge = database.rows("Bridge", ["ports"], name=BRIDGE)[0]
            change = json.loads(payload)
            removed = [ids[name] for name in _removed(change["do"])]
            token = secrets.token_hex(8)
            self._do = [
                {"op": "assert", "lock": LOCK},
                *(_resolved(operation, ids) for operation in change["do"]),
                _mutate([["external_ids", "insert", map_of({TRIAL: token})]]),
            ]
            # Ports that the change brings have no ids yet: taking it back names those that stay.
            brings_ports = any(operation["op"] == "insert" for operation in change["do"])
            stay = [port for port in as_set(bridge["ports"]) if port not in removed]
            without_new = {"op": "update", "table": "Bridge", "where": OURS, "row": {"ports": set_of(*stay)}}
            self._undo = [
                _still_on_trial(token),
                *([without_new] if brings_ports else []),
                *(operation for operation in change["undo"] if not any(_removed([operation]))),
                _confirmed(),
            ]
            self._confirm = [{"op": "assert", "lock": LOCK}, _still_on_trial(token), _confirmed()]

    def commit_on_trial(self, timeout_s: int) -> None:
        """Change the database, once a process on the device is to change it back."""
        with self._errors("change the database"):
            self._arm(timeout_s)
            self._follow(self._do)

    def probe(self) -> None:
        """Log in over another connection, ask the database something, and log out again."""
        probe = OvsdbSession(self._access)
        try:
            probe.interfaces(["name"])
        finally:
            probe.close()

    def confirm(self) -> None:
        """Take away the mark without which the process on the device does nothing."""
        with self._errors("confirm the change"):
            self._opened().transact(self._confirm)

    def save(self) -> None:
        """Nothing: what the database holds outlives a restart."""

    def take_back(self) -> None:
        """Change the database back, unless the process on the device has done so."""
        with self._errors("take the change back"):
            self._follow(self._undo)

    def discard(self) -> None:
        """Forget a change that has not taken effect."""
        self._do = self._undo = self._confirm = []

    def unlock(self) -> None:
        """Let other controllers lock the database."""
        with self._errors("unlock the database"):
            self._opened().ask("unlock", LOCK)

    def abandon(self) -> None:
        """End the session without asking: the server gives up its lock, the process on the device takes it back."""
        if self._transport is not None:
            self._transport.close()
        if self._database is not None:
            self._database.close()
        self._transport = self._database = None

    def close(self) -> None:
        """Close the session, if it is open."""
        self.abandon()

    def _opened(self) -> Connection:
        if self._database is None:
            with self._errors("log in"):
                self._transport = connect(self._access)
                channel = self._transport.open_channel(
                    "direct-tcpip", ("127.0.0.1", PORT), ("127.0.0.1", 0), timeout=CONNECT_TIMEOUT_S
                )
            self._database = Connection(channel)
            self._insist_on_bridge(self._database)
        return self._database

    @staticmethod
    def _insist_on_bridge(database: Connection) -> None:
        if not database.rows("Bridge", ["name"], name=BRIDGE):
            raise DeviceError(f"Open vSwitch has no bridge {BRIDGE}; make it there: `ovs-vsctl add-br {BRIDGE}`")

    @staticmethod
    def _refuse_trial(database: Connection) -> None:
        """Do not build on a change that is not confirmed."""
        found = as_map(database.rows("Bridge", ["external_ids"], name=BRIDGE)[0]["external_ids"])
        if TRIAL in found:
            database.ask("unlock", LOCK)
            raise DeviceError(
                "a change is on trial that its controller has not confirmed, and the device takes it back within a "
                "minute; deploy again then. Should the device have restarted amid it, keep what it has: "
                f"`ovs-vsctl remove Bridge {BRIDGE} external_ids {TRIAL}`"
            )

    def _arm(self, timeout_s: int) -> None:
        """Start a process on the device that changes the database back after that time."""
        request = {"method": "transact", "params": [DATABASE, *self._undo], "id": 0}
        take_back = TAKE_BACK.format(timeout_s=timeout_s, port=PORT)
        assert self._transport is not None
        with self._transport.open_session(timeout=CONNECT_TIMEOUT_S) as channel:
            channel.settimeout(CONNECT_TIMEOUT_S)
            channel.exec_command(ARM.format(take_back=shlex.quote(take_back)))
            channel.sendall(json.dumps(request).encode())
            channel.shutdown_write()
            said = channel.makefile_stderr().read().decode(errors="replace").strip()
            status = channel.recv_exit_status()
        if status != 0:
            raise DeviceError(
                f"the device cannot start what would take the change back: {said or f'status {status}'}; "
                "it needs bash, mktemp and setsid"
            )

    def _follow(self, operations: Sequence[Operation]) -> None:
        """Run a transaction and wait until ovs-vswitchd has done what it says (ovs-vswitchd.conf.db(5), `next_cfg`)."""
        database = self._opened()
        next_configuration: list[Operation] = [
            {"op": "mutate", "table": DATABASE, "where": [], "mutations": [["next_cfg", "+=", 1]]},
            {"op": "select", "table": DATABASE, "where": [], "columns": ["next_cfg"]},
        ]
        asked = database.transact([*operations, *next_configuration])[-1]["rows"][0]["next_cfg"]
        end = time.monotonic() + FOLLOW_TIMEOUT_S
        while database.rows(DATABASE, ["cur_cfg"])[0]["cur_cfg"] < asked:
            if time.monotonic() > end:
                raise SessionLost("ovs-vswitchd does not follow its database; see whether it runs")
            time.sleep(0.01)

    @contextmanager
    def _errors(self, intent: str) -> Iterator[None]:
        """Have what goes wrong say on which device, and when it was doing what."""
        where = f"{self._access.where}: cannot {intent}"
        try:
            yield
        except SessionLost as error:
            self.abandon()
            raise SessionLost(self._placed(where, error)) from error
        except DeviceError as error:
            raise DeviceError(self._placed(where, error)) from error
        except paramiko.AuthenticationException as error:
            self.abandon()
            raise SessionLost(
                f"{where}: the switch refuses {self._access.user} with the key {self._access.key_file}; "
                "let that user log in there with its public half"
            ) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.abandon()
            raise SessionLost(
                f"{where}: {str(error) or type(error).__name__}; see whether the switch is up, and its database "
                f"listens there: `ovs-vsctl set-manager ptcp:{PORT}:127.0.0.1`"
            ) from error

    def _placed(self, where: str, error: DeviceError) -> str:
        """A message that says where, if it does not yet."""
        return str(error) if str(error).startswith(self._access.host) else f"{where}: {error}"


def _mutate(mutations: Sequence[Any]) -> Operation:
    """Change parts of columns of the bridge."""
    return {"op": "mutate", "table": "Bridge", "where": OURS, "mutations": [*mutations]}


def _still_on_trial(token: str) -> Operation:
    """Go on only if the change with that token is still on trial."""
    marked = [*OURS, ["external_ids", "includes", map_of({TRIAL: token})]]
    return {
        "op": "wait",
        "timeout": 0,
        "table": "Bridge",
        "where": marked,
        "columns": ["name"],
        "until": "==",
        "rows": [{"name": BRIDGE}],
    }


def _confirmed() -> Operation:
    """Take the mark of a trial away."""
    return _mutate([["external_ids", "delete", set_of(TRIAL)]])


def _removed(operations: Iterable[Operation]) -> Iterator[str]:
    """The ports that operations take out of the bridge."""
    for operation in operations:
        for column, mutator, members in operation.get("mutations", ()):
            if (column, mutator) == ("ports", "delete"):
                yield from (name for _, name in as_set(members))


def _resolved(operation: Operation, ids: Mapping[str, Any]) -> Operation:
    """An operation with the ids of rows in place of the names of ports that it takes out of the bridge."""
    if not any(_removed([operation])):
        return operation
    return _mutate([["ports", "delete", set_of(*(ids[name] for name in _removed([operation])))]])
