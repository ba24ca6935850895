"""Database servers that tests start for themselves, and end by their process ids.

Each keeps its data below a temporary directory of its own, listens on 127.0.0.1 alone, and is as careful with what was
committed as one in production. Each runs as an unprivileged user: PostgreSQL refuses root.
"""

from __future__ import annotations

import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.ports import ADDRESS, free_ports

DATABASE = "leases"
USER = "leases"

START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 30.0
_CHILDREN_TIMEOUT_S = 10.0
_POLL_S = 0.05
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_POSTGRESQL_PROGRAMS = Path("/usr/lib/postgresql/15/bin")

# A server is killed with the thread that started it (prctl(2), PR_SET_PDEATHSIG), so that none outlives a test run
# that was killed itself. Tests start servers from threads that end early; this thread lives as long as the run.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database-servers")


class Server(ABC):
    """One database server; as a context manager it runs inside and leaves nothing behind."""

    account: ClassVar[str]
    scheme: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, port: int | None = None, password: str | None = None) -> None:
        self.port = port or free_ports(1)[0]
        self.password = password or secrets.token_hex(16)
        self.directory = _directory_of(self.account)
        self._databases = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    @property
    def url(self) -> str:
        """The URL of the database that the server has from the beginning."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"{self.scheme}://{USER}:{self.password}@{ADDRESS}:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The process to signal; for PostgreSQL the postmaster."""
        assert self._process is not None, f"{self.directory} has no running server"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, on the data that earlier runs left, and wait until it answers."""
        self.launch()
        self.await_answer()

    def launch(self) -> None:
        """Start without waiting, for servers that answer only when others run as well."""
        assert not self.running, f"process {self.pid} already serves {self.directory}"
        if not self.data.exists():
            self._make_data()
        self._process = _STARTER.submit(self._spawn, self._command()).result()

    def await_answer(self) -> None:
        """Wait until the server takes statements.

        Raises:
            RuntimeError: It ended, or does not answer in time; the text has the end of its log.
        """
        if not wait_until(lambda: not self.running or self.answers(), START_TIMEOUT_S):
            raise RuntimeError(f"{type(self).__name__} does not answer after {START_TIMEOUT_S} s:\n{self._log_end()}")
        if not self.running:
            raise RuntimeError(f"{type(self).__name__} ended while it started:\n{self._log_end()}")

    def answers(self) -> bool:
        return answer(self.url, "SELECT 1") == 1

    def kill(self) -> None:
        """End the server's process as a power failure would, and wait until its children have gone as well."""
        os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """End the server in good order, if it runs."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap()

    def new_database(self) -> str:
        """Make another database, empty, in the running server; its URL."""
        name = f"{DATABASE}_{next(self._databases)}"
        _execute(self.url, f"CREATE DATABASE {name}")
        return self.url_of(name)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @abstractmethod
    def _make_data(self) -> None:
        """Make the data directory, with the user and the database."""

    @abstractmethod
    def _command(self) -> list[str]:
        """What serves the data directory, in the foreground."""

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._as_account("--pdeathsig=KILL", "--", *command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self._environment,
                start_new_session=True,  # an interrupt from the terminal is for the tests, which then end their servers
            )

    def _run(self, *command: str, stdin: str = "") -> str:
        """Run a command as the server's user; what it printed. Passwords go through `stdin`: others see arguments."""
        done = subprocess.run(
            self._as_account("--", *command),
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=self._environment,
            timeout=START_TIMEOUT_S,
        )
        assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def _environment(self) -> dict[str, str]:
        return _ENVIRONMENT | {"TMPDIR": str(self.directory), "HOME": str(self.directory)}

    def _as_account(self, *options: str) -> list[str]:
        """A command line that becomes, with the same process id, the program it ends in."""
        return ["setpriv", f"--reuid={self.account}", f"--regid={self.account}", "--clear-groups", *options]

    def _write(self, name: str, content: str) -> Path:
        path = self.directory / name
        path.write_text(content, encoding="utf-8")
        shutil.chown(path, self.account, self.account)
        path.chmod(0o600)
        return path

    def _reap(self) -> None:
        """Wait for a process that was told to end, and for its children, which are killed if they linger."""
        process, self._process = self._process, None
        assert process is not None
        process.wait(_STOP_TIMEOUT_S)
        if not wait_until(lambda: not _members(process.pid, self.directory), _CHILDREN_TIMEOUT_S):
            for member in _members(process.pid, self.directory):
                os.kill(member, signal.SIGKILL)
            assert wait_until(lambda: not _members(process.pid, self.directory), _CHILDREN_TIMEOUT_S)

    def _remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _log_end(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-6000:] if self.log.exists() else "(no log)"


class MariaDb(Server):
    """MariaDB as Debian ships it, without replication."""

    account = "mysql"
    scheme = "mariadb+pymysql"
    stop_signal = signal.SIGTERM

    def _make_data(self) -> None:
        self._configure()
        # The user may make databases, and only such as new_database() makes: `_` stands for any character.
        sql = f"""
            CREATE DATABASE {DATABASE};
            FLUSH PRIVILEGES;
            CREATE USER {USER}@{ADDRESS} IDENTIFIED BY '{self.password}';
            GRANT ALL ON {DATABASE}.* TO {USER}@{ADDRESS};
            GRANT ALL ON `{DATABASE}_%`.* TO {USER}@{ADDRESS};
        """
        accounts = self._write("accounts.sql", sql)
        self._run(
            "mariadb-install-db",
            f"--defaults-file={self._configuration}",
            "--auth-root-authentication-method=socket",
            "--skip-name-resolve",
            "--skip-test-db",
            f"--extra-file={accounts}",
            "--wsrep-on=OFF",
        )
        accounts.unlink()

    def _command(self) -> list[str]:
        return ["mariadbd", f"--defaults-file={self._configuration}"]

    def _configure(self) -> None:
        lines = (f"{name} = {value}\n" for name, value in self._options().items())
        self._write("my.cnf", "[mysqld]\n" + "".join(lines))

    @property
    def _configuration(self) -> Path:
        return self.directory / "my.cnf"

    def _options(self) -> dict[str, str | int]:
        return {
            "bind_address": ADDRESS,
            "port": self.port,
            "socket": f"{self.directory}/socket",
            "pid_file": f"{self.directory}/pid",
            "datadir": str(self.data),
            "tmpdir": str(self.directory),
            "skip_name_resolve": "ON",
            "character_set_server": "utf8mb4",
            "innodb_flush_log_at_trx_commit": 1,
            "innodb_buffer_pool_size": "64M",
            "innodb_log_file_size": "16M",
        }


class PostgreSql(Server):
    """PostgreSQL 15 as Debian ships it."""

    account = "postgres"
    scheme = "postgresql+psycopg"
    stop_signal = signal.SIGINT  # fast shutdown: does not wait for clients

    def _make_data(self) -> None:
        # What initdb made needs no flush: were the machine to fail before the tests begin, they would begin anew.
        self._run(
            f"{_POSTGRESQL_PROGRAMS}/initdb",
            f"--pgdata={self.data}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=reject",
            "--no-sync",
        )
        self._write("data/pg_hba.conf", f"host all all {ADDRESS}/32 scram-sha-256\n")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in self._options().items())
        # In single-user mode each line is a statement.
        self._run(
            f"{_POSTGRESQL_PROGRAMS}/postgres",
            "--single",
            "-D",
            str(self.data),
            "postgres",
            stdin=f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD '{self.password}'\n"
            f"CREATE DATABASE {DATABASE} OWNER {USER}\n",
        )

    def _command(self) -> list[str]:
        return [f"{_POSTGRESQL_PROGRAMS}/postgres", "-D", str(self.data)]

    def _options(self) -> dict[str, str | int]:
        return {
            "listen_addresses": f"'{ADDRESS}'",
            "port": self.port,
            "unix_socket_directories": "''",
            "fsync": "on",
            "synchronous_commit": "on",
            "shared_buffers": "64MB",
        }


def _directory_of(account: str) -> Path:
    """A directory that the account owns; pytest's own are closed to all but who runs it."""
    try:
        pwd.getpwnam(account)
    except KeyError:
        raise RuntimeError(f"this machine has no user {account}; run: make test-packages") from None
    directory = Path(tempfile.mkdtemp(prefix=f"podwright-{account}-"))
    shutil.chown(directory, account, account)
    return directory


def answer(url: str, statement: str) -> object:
    """The first value that a statement answers; nothing when the server does not take it."""
    try:
        return _execute(url, statement)
    except DBAPIError:
        return None


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection that keeps what is done by it."""
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _execute(url: str, statement: str) -> object:
    """The first value that a statement answers, if it answers any; outside of transactions, which databases need."""
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        return result.scalar() if result.returns_rows else None


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(_POLL_S)
    return met


def _members(session: int, directory: Path) -> list[int]:
    """The processes of a session, and those that work in a directory: PostgreSQL's children leave the session.

    Those that ended and wait for their parent do not count; they have no working directory.
    """
    members = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # proc(5): after the program's name in parentheses come state, parent, group, session.
            in_session = int((process / "stat").read_text().rpartition(")")[2].split()[3]) == session
            if (process / "cwd").readlink().is_relative_to(directory) or in_session:
                members.append(int(process.name))
        except OSError:
            continue
    return members
