"""A log kept in PostgreSQL: how a server is connected to, and what its errors mean.

The tables are in `postgresql_schema`, what is said to the server in `postgresql_wire`. Rules this module keeps:

1. A commit is on disk when it returns: `synchronous_commit` is on, and a server with `fsync` off is refused.
2. The password is read from its file whenever a connection is made. It is in no argument, message or log; neither is
   what the server writes about an error, which may repeat a row.
3. Over a network the server must show a certificate that is valid for its name. A socket and the loopback need none.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pg8000.exceptions import Error, InterfaceError
from pg8000.native import Connection as Wire

from appliance.audit import postgresql_schema as schema
from appliance.audit.postgresql_wire import Connection, sqlstate_of
from appliance.audit.sqlite import PATIENCE_S, our_errors
from appliance.config import LogSettings
from appliance.errors import AuditUnavailable

_CONNECT_S = 10.0
_READ_S = 120.0
_APPENDING = {"idle_in_transaction_session_timeout": "60000"}
"""The server undoes the transaction of a writer that was lost inside it, so that nobody waits for it."""

_READING = {"default_transaction_read_only": "on"}

_REMEDIES = {
    "53100": "the disk of its server is full; free some space there",
    "53300": "its server has no connection left; raise max_connections there",
    "55P03": "another program keeps it locked; close that program",
    "25006": "its server is a standby or read-only; name the primary in log.postgresql",
    "28P01": "its server refuses the password; see log.postgresql_password_file",
    "28000": "its server refuses the account; see pg_hba.conf there",
    "3D000": "there is no such database; create it, as docs/operations/query-log.md says",
    "42501": "the account may not use it; make the account the owner of the database and of its tables",
}
_OF_CLASS = {
    "08": "its server cannot be reached; see that it runs and that log.postgresql is right",
    "53": "its server is out of memory or of something else that it needs; see its own log",
    "57": "its server is being stopped or started; see that it runs",
    "58": "the disk of its server refuses to read or write; check its space and its health",
    "XX": "it is damaged; run the verification, then restore the latest backup",
}
_OTHERWISE = "it is not a log of the appliance, or was altered; run the verification"
_DAMAGE = ("XX001", "XX002", "42P01", "42703", "42883", "3F000")


class PostgresqlStore:
    """A log in a database of a PostgreSQL server; the files beside it are named after `path`."""

    ERRORS: tuple[type[Exception], ...] = (Error,)

    def __init__(self, path: Path, settings: LogSettings, patience_s: float = PATIENCE_S) -> None:
        self.path = path
        self.patience_s = patience_s
        self._settings = settings
        self._address = settings.postgresql_address

    def __str__(self) -> str:
        return f"in PostgreSQL at {self._address}"

    def is_there(self) -> bool:
        with contextlib.closing(self.open_to_read()) as connection:
            return schema.is_there(connection)

    def identity(self) -> object:
        return None  # a database cannot be put in the place of one that is connected to, and its rows are looked at

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        try:
            with our_errors(self.path):  # of the files beside it
                yield
        except Error as error:
            raise self._unavailable(_remedy(error)) from error

    def shows_damage(self, error: Exception) -> bool:
        return sqlstate_of(error) in _DAMAGE

    def open_to_append(self) -> Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = Connection(partial(self._connected, _APPENDING), 2 * self.patience_s)
        try:
            for name, wanted in (("fsync", "on"), ("full_page_writes", "on"), ("server_encoding", "UTF8")):
                if connection.execute(f"SHOW {name}").fetchone() != (wanted,):
                    raise self._unavailable(f"{name} of its server is not {wanted}, which the log needs")
            with connection.transaction():
                schema.make(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def open_to_read(self) -> Connection:
        return Connection(partial(self._connected, _READING), _READ_S)

    def _connected(self, settings: dict[str, str], answers_within_s: float) -> Wire:
        """A connection of the driver. Raises its errors, and AuditUnavailable where the settings are wrong."""
        address = self._address
        startup = {
            "search_path": schema.NAME,
            "synchronous_commit": "on",
            "lock_timeout": str(round(self.patience_s * 1000)),
            **settings,
        }
        password, tls = self._password(), False if address.is_this_machine else self._tls()
        with contextlib.ExitStack() as opened:
            try:
                way = opened.enter_context(contextlib.closing(self._reached(answers_within_s)))
                wire = Wire(
                    address.user,
                    host=address.host,  # whose name the certificate must have
                    sock=way,
                    database=address.database,
                    password=password,
                    ssl_context=tls,
                    application_name="strongroom",
                    startup_params=startup,
                )
            except (InterfaceError, OSError) as error:
                raise self._not_reached(error) from error
            opened.pop_all()  # the connection closes it
            return wire

    def _reached(self, answers_within_s: float) -> socket.socket:
        """A way to the server. Raises OSError."""
        address = self._address
        if address.socket:
            way = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            way.connect(address.socket)
        else:
            way = socket.create_connection((address.host, address.port), _CONNECT_S)
            way.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            way.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        way.settimeout(answers_within_s)
        return way

    def _not_reached(self, error: Exception) -> Exception:
        if isinstance(error, ssl.SSLError) or "SSL" in str(error):  # the driver says so when there is no TLS at all
            return self._unavailable(
                "its server shows no certificate that is valid for its name; see log.postgresql_ca_file"
            )
        unreachable: Exception = InterfaceError("network error")
        return unreachable

    def _password(self) -> str:
        path = self._settings.postgresql_password_file
        if not path:
            return ""
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise self._unavailable(f"the file {path} with its password cannot be read") from error

    def _tls(self) -> ssl.SSLContext:
        path = self._settings.postgresql_ca_file
        try:
            return ssl.create_default_context(cafile=path or None)
        except OSError as error:
            raise self._unavailable(f"the authority in {path} cannot be read; see log.postgresql_ca_file") from error

    def _unavailable(self, remedy: str) -> AuditUnavailable:
        return AuditUnavailable(f"The query log {self} is not usable: {remedy}. Nothing is answered until it is.")


def _remedy(error: Error) -> str:
    code = sqlstate_of(error) or "08000"
    return _REMEDIES.get(code) or _OF_CLASS.get(code[:2], _OTHERWISE)
