"""A Galera cluster of MariaDB servers that tests start for themselves, node by node."""

from __future__ import annotations

import secrets
import shutil
from contextlib import ExitStack
from typing import Self

from tests.databases.servers import START_TIMEOUT_S, MariaDb, answer, wait_until
from tests.ports import ADDRESS, free_ports


class GaleraNode(MariaDb):
    """One member of a Galera cluster."""

    def __init__(self, index: int, ports: list[int], peers: list[int], password: str) -> None:
        """Take ports for clients, replication, incremental and whole state transfers; `peers` replicate as well."""
        port, self._replication_port, self._incremental_port, self._transfer_port = ports
        super().__init__(port, password)
        self.index = index
        self._peers = peers

    def answers(self) -> bool:
        """See that the node has caught up with a majority: others refuse statements, or lag."""
        statement = (
            "SELECT variable_value FROM information_schema.global_status"
            " WHERE variable_name = 'wsrep_local_state_comment'"
        )
        return answer(self.url, statement) == "Synced"

    def _make_data(self) -> None:
        """Make the first node's data; the others get a copy of the state when they join."""
        if self.index == 0:
            super()._make_data()
        else:
            self._configure()
            self.data.mkdir(mode=0o700)
            shutil.chown(self.data, self.account, self.account)

    def _command(self) -> list[str]:
        return [*super()._command(), *self._position(), *(["--wsrep-new-cluster"] if self.founds() else [])]

    def founds(self) -> bool:
        """Whether the node begins the cluster: the first one does, and later the one that was stopped last."""
        state = self.data / "grastate.dat"
        return "safe_to_bootstrap: 1" in state.read_text() if state.exists() else self.index == 0

    def _position(self) -> list[str]:
        """What the distribution's unit passes: how far InnoDB is, for a node that was killed did not write it down."""
        if not (self.data / "grastate.dat").exists():
            return []
        return self._run("galera_recovery", f"--defaults-file={self._configuration}").split()

    def _options(self) -> dict[str, str | int]:
        peers = ",".join(f"{ADDRESS}:{port}" for port in self._peers)
        provider = {
            "gmcast.listen_addr": f"tcp://{ADDRESS}:{self._replication_port}",
            "ist.recv_addr": f"{ADDRESS}:{self._incremental_port}",
            "gcache.size": "32M",
        }
        return super()._options() | {
            "binlog_format": "ROW",
            "default_storage_engine": "InnoDB",
            "innodb_autoinc_lock_mode": 2,
            "wsrep_on": "ON",
            "wsrep_provider": "/usr/lib/galera/libgalera_smm.so",
            "wsrep_provider_options": '"' + ";".join(f"{name}={value}" for name, value in provider.items()) + '"',
            "wsrep_cluster_name": "leases",
            "wsrep_cluster_address": f"gcomm://{peers}",
            "wsrep_node_name": f"node{self.index}",
            "wsrep_node_address": f"{ADDRESS}:{self._replication_port}",
            "wsrep_node_incoming_address": f"{ADDRESS}:{self.port}",
            "wsrep_sst_method": "rsync",
            "wsrep_sst_receive_address": f"{ADDRESS}:{self._transfer_port}",
        }


class GaleraCluster:
    """Three nodes that hold the same databases; kill and start them one by one through `nodes`."""

    def __init__(self) -> None:
        ports = free_ports(12)
        peers = ports[1::4]
        password = secrets.token_hex(16)
        self.nodes = tuple(GaleraNode(index, ports[4 * index : 4 * index + 4], peers, password) for index in range(3))

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as ends:
            for node in self.nodes:
                ends.push(node)

    @property
    def urls(self) -> tuple[str, ...]:
        """The URL of the first database, by node."""
        return tuple(node.url for node in self.nodes)

    def start(self) -> None:
        """Start the nodes that do not run, and wait until all have the same state.

        Nodes that have data are started together: of a cluster that lost its majority, none answers before enough run.
        Where one has to found the cluster anew, the others would give up before it is there on a slow machine.
        """
        fresh = [node for node in self.nodes if not node.data.exists()]
        known = [node for node in self.nodes if not node.running and node not in fresh]
        for node in known:
            if node.founds():
                node.start()
        for node in known:
            if not node.running:
                node.launch()
        for node in self.nodes:
            if node not in fresh:
                node.await_answer()
        for node in fresh:
            node.start()

    def stop(self) -> None:
        """End the nodes that run in good order, the first one last."""
        for node in reversed(self.nodes):
            node.stop()

    def new_database(self) -> tuple[str, ...]:
        """Make another database, empty; its URL by node, when all running nodes have it."""
        running = [node for node in self.nodes if node.running]
        name = running[0].new_database().rpartition("/")[2]
        assert wait_until(lambda: all(answer(node.url_of(name), "SELECT 1") for node in running), START_TIMEOUT_S)
        return tuple(node.url_of(name) for node in self.nodes)
