"""Debian's PostgreSQL, really running on the loopback and a socket in a temporary folder, under an account that is not
root's, which it refuses."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pg8000.native import Connection

from appliance.config import LogSettings
from tests.appliance.ldap.slapd import Authority

_ROOM_BYTES = 1 << 30
ACCOUNT = "nobody"  # who runs it when root runs the tests
_END_SESSIONS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = :user"
SUPERUSER, USER, DATABASE, PASSWORD = "postgres", "strongroom", "strongroom", "correct horse"


def programs() -> Path:
    """Where Debian put the programs of the newest release that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parents[1].name))
    beside = shutil.which("pg_ctl")
    if not found and not beside:
        raise AssertionError(
            "PostgreSQL is not installed, and these tests need it. As root: sh deploy/debian-packages.sh test"
        )
    return (found[-1] if found else Path(str(beside))).parent


@dataclass
class Server:
    """A server that listens at a port of the loopback, and at a socket."""

    folder: Path
    port: int

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_wal_senders=0"
        self._control("start", "-o", options, "-l", str(self.folder / "server.log"))

    def stop(self, how: str = "fast") -> None:
        """`immediate` is as if it had been killed."""
        self._control("stop", "-m", how)

    def is_running(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def restart(self, how: str = "fast") -> None:
        self.stop(how)
        self.start()

    def empty(self, database: str = DATABASE) -> None:
        """Whoever is connected is no more, and no log is left."""
        with self.as_superuser(database) as connection:
            connection.run(_END_SESSIONS, user=USER)
            for (name,) in connection.run("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'query\\_log%'"):
                connection.run(f"DROP SCHEMA {name} CASCADE")

    def url(self, user: str = USER, database: str = DATABASE) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def settings(self, url: str = "", **changed: str) -> LogSettings:
        given = {"postgresql": url or self.url(), "postgresql_password_file": str(self.folder / "password"), **changed}
        return LogSettings(**given)  # type: ignore[arg-type]

    def over_the_socket(self, database: str = DATABASE) -> LogSettings:
        return LogSettings(postgresql=f"postgresql://{USER}@:{self.port}/{database}?host={self.folder}")

    @contextmanager
    def as_superuser(self, database: str = DATABASE) -> Iterator[Connection]:
        with contextlib.closing(
            Connection(SUPERUSER, unix_sock=f"{self.folder}/.s.PGSQL.{self.port}", database=database)
        ) as connection:
            yield connection

    def copy(self, database: str, name: str) -> None:
        """Make another database of that name that is as this one is."""
        with self.as_superuser("postgres") as connection:
            connection.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.run(_END_SESSIONS, user=USER)
            connection.run(f"CREATE DATABASE {name} TEMPLATE {database} OWNER {USER}")

    def put_in_its_place(self, name: str) -> None:
        """The database of that name is the one of the appliance from now on."""
        with self.as_superuser("postgres") as connection:
            connection.run(f"DROP DATABASE {DATABASE} WITH (FORCE)")
            connection.run(f"ALTER DATABASE {name} RENAME TO {DATABASE}")

    @contextmanager
    def with_database_on(self, disk: Path) -> Iterator[str]:
        """An empty database that lies on that disk, by its name."""
        (place := disk / "tables").mkdir()
        if os.geteuid() == 0:
            shutil.chown(place, ACCOUNT)
        with self.as_superuser("postgres") as connection:
            connection.run(f"CREATE TABLESPACE small LOCATION '{place}'")
            connection.run(f"CREATE DATABASE on_a_small_disk OWNER {USER} TABLESPACE small")
            try:
                yield "on_a_small_disk"
            finally:
                connection.run("DROP DATABASE on_a_small_disk WITH (FORCE)")
                connection.run("DROP TABLESPACE small")

    def dumped(self) -> bytes:
        """What pg_dump makes of the log."""
        return self._run(programs() / "pg_dump", "--format=custom", "--schema=query_log", DATABASE)

    def restore(self, dump: bytes, database: str = DATABASE) -> None:
        """Put what was dumped in the place of what is there."""
        self.empty(database)
        self._run(programs() / "pg_restore", "--exit-on-error", f"--dbname={database}", given=dump)

    @contextmanager
    def with_certificate(self, authority: Authority) -> Iterator[None]:
        """The server speaks TLS, with a certificate of that authority."""
        authority.issue(self.folder)
        for name in ("server.pem", "server.key"):
            (self.folder / name).chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(self.folder / name, ACCOUNT)
        files = {"ssl_cert_file": "server.pem", "ssl_key_file": "server.key"}
        self.set(**{name: str(self.folder / file) for name, file in files.items()}, ssl="on")
        try:
            yield
        finally:
            self.set(ssl="off")

    def set(self, **settings: str) -> None:
        """Change settings of the running server."""
        with self.as_superuser() as connection:
            for name, value in settings.items():
                connection.run(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.run("SELECT pg_reload_conf()")
        deadline = time.monotonic() + 60
        while any(self._shown(name) != value for name, value in settings.items()):
            assert time.monotonic() < deadline, f"the server does not take {settings}"
            time.sleep(0.02)

    def _shown(self, name: str) -> str:
        with self.as_superuser() as connection:
            return str(connection.run(f"SHOW {name}")[0][0])

    def _run(self, program: Path, *arguments: str, given: bytes | None = None) -> bytes:
        command = [str(program), "-h", str(self.folder), "-p", str(self.port), "-U", SUPERUSER, *arguments]
        return subprocess.run(command, input=given, check=True, capture_output=True).stdout

    def _control(self, *arguments: str) -> None:
        as_account(programs() / "pg_ctl", "-D", str(self.folder / "data"), "-w", "-s", *arguments)


@contextmanager
def running() -> Iterator[Server]:
    """A server of its own, with an account for the appliance, that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="strongroom-postgresql-", dir=_roomy_memory()) as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "password").write_text(f"{PASSWORD}\n")
        if os.geteuid() == 0:
            shutil.chown(folder, ACCOUNT)
        as_account(
            programs() / "initdb", "-D", str(folder / "data"), "-U", SUPERUSER, "-E", "UTF8", "--locale=C",
            "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync",
        )  # fmt: skip
        server = Server(folder, _free_port())
        server.start()
        try:
            with server.as_superuser("postgres") as connection:
                connection.run(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
                connection.run(f"CREATE DATABASE {DATABASE} OWNER {USER}")
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test may have stopped it
                server.stop("immediate")


def as_account(program: Path, *arguments: str) -> None:
    """Run a program of PostgreSQL's, never as root."""
    other = ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    subprocess.run(
        [*other, str(program), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        cwd="/", env=environment,
    )  # fmt: skip


def _roomy_memory() -> str | None:
    """Where files lie in memory, so that a busy disk makes no test wait; None where that is too small."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM_BYTES else None


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
