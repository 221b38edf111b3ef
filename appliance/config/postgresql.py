"""The address of a PostgreSQL server, as `postgresql://USER@HOST:PORT/DATABASE`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from appliance.config.identity import is_this_machine

PORT = 5432


@dataclass(frozen=True, slots=True)
class PostgresqlAddress:
    """Who connects to which database of which server. With a `socket_folder` there is no host."""

    user: str
    host: str
    port: int
    database: str
    socket_folder: str = ""

    def __str__(self) -> str:
        """What it is called in messages. There is no password in an address."""
        return f"{self.socket_folder or self.host}:{self.port}/{self.database}"

    @property
    def socket(self) -> str:
        """The Unix socket of the server; empty when it is reached over the network."""
        return f"{self.socket_folder}/.s.PGSQL.{self.port}" if self.socket_folder else ""

    @property
    def is_this_machine(self) -> bool:
        """Whether what is said to the server stays on this machine."""
        return bool(self.socket_folder) or is_this_machine(self.host)


def address_in(url: str) -> PostgresqlAddress:
    """The address in a URL. A socket is named as libpq does: `postgresql://USER@/DATABASE?host=/run/postgresql`.

    Raises:
        ValueError: It is none, or holds a password. The message repeats nothing of it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORT
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:  # a port or a bracket that is none
        raise ValueError(_FORM) from None
    if parts.password is not None:
        raise ValueError("holds a password: put it into the file that 'log.postgresql_password_file' names")
    folder = options.pop("host", [""])[0]
    user, database = unquote(parts.username or ""), unquote(parts.path.removeprefix("/"))
    is_one_place = bool(host) != folder.startswith("/")
    if parts.scheme != "postgresql" or options or parts.fragment or not is_one_place or not user or not database:
        raise ValueError(_FORM)
    return PostgresqlAddress(user, host, port, database, folder)


_FORM = (
    "is no address such as postgresql://USER@HOST:5432/DATABASE, or postgresql://USER@/DATABASE?host=/run/postgresql "
    "for a socket on this machine"
)
