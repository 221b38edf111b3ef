"""The brake on guessing: failed sign-ins are counted, and too many of them pause a name or an address.

Rules this module keeps:

1. Failures are counted in the database, per name and per address, whether or not the name exists. A restart forgets
   nothing.
2. A name is kept as its hash only: people type their password into the wrong field.
3. A clock that is set back never makes a pause longer than the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from appliance.auth.tables import sign_in_failures
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import text_sha256
from appliance.errors import TooManyAttempts

ADDRESS_FACTOR = 10
"""An address may fail this many times as often as a name: colleagues share one behind a proxy."""


class Brake:
    """Counts failures. Threads may share it."""

    def __init__(self, database: Database, settings: SignInSettings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._window = timedelta(seconds=settings.failure_window_s)
        self._max_failures = settings.max_failures

    def refuse_when_paused(self, name: str, address: str) -> None:
        """Raises TooManyAttempts, with how long to wait; an empty name is nobody's."""
        with self._database.read() as connection:
            wait = max(
                self._pause(connection, sign_in_failures.c.name_key == _key(name), self._max_failures),
                self._pause(
                    connection, sign_in_failures.c.address == address[:64], self._max_failures * ADDRESS_FACTOR
                ),
            )
        if wait > timedelta(0):
            raise TooManyAttempts(wait.total_seconds())

    def count(self, name: str, address: str) -> None:
        """One more failure of this name, from this address."""
        row = {"name_key": _key(name), "address": address[:64], "at": self._clock()}
        with self._database.write() as connection:
            self.purge(connection)
            connection.execute(insert(sign_in_failures), row)

    def take_back(self, name: str, address: str) -> None:
        """One failure less of this name, from this address: it was none after all."""
        theirs = (sign_in_failures.c.name_key == _key(name)) & (sign_in_failures.c.address == address[:64])
        latest = select(func.max(sign_in_failures.c.id)).where(theirs).scalar_subquery()
        with self._database.write() as connection:
            connection.execute(delete(sign_in_failures).where(sign_in_failures.c.id == latest))

    def pauses(self, names: Iterable[str]) -> dict[str, timedelta]:
        """Which of these names are paused, and for how long."""
        with self._database.read() as connection:
            failed = set(connection.scalars(select(sign_in_failures.c.name_key).distinct()))
            waits = {
                name: self._pause(connection, sign_in_failures.c.name_key == _key(name), self._max_failures)
                for name in names
                if _key(name) in failed
            }
        return {name: wait for name, wait in waits.items() if wait > timedelta(0)}

    def lift(self, name: str) -> None:
        """Forget the failures of a name, so that its pause ends. Those of the addresses are forgotten with them."""
        with self._database.write() as connection:
            self.forget(connection, name)

    def forget(self, connection: Connection, name: str) -> None:
        """As `lift`, in this transaction."""
        connection.execute(delete(sign_in_failures).where(sign_in_failures.c.name_key == _key(name)))

    def purge(self, connection: Connection) -> None:
        """Delete what is too old to count, in this transaction."""
        connection.execute(delete(sign_in_failures).where(sign_in_failures.c.at <= self._clock() - self._window))

    def _pause(self, connection: Connection, whose: ColumnElement[bool], limit: int) -> timedelta:
        """How long until fewer than `limit` failures lie within the window; zero when there are fewer now."""
        start = self._clock() - self._window
        youngest_first = (
            select(sign_in_failures.c.at)
            .where(whose, sign_in_failures.c.at > start)
            .order_by(sign_in_failures.c.at.desc())
        )
        deciding = connection.scalar(youngest_first.offset(limit - 1).limit(1))
        # a clock set back leaves failures in the future: they count, but never pause for more than a window
        return timedelta(0) if deciding is None else min(deciding - start, self._window)


def _key(name: str) -> str:
    return text_sha256(name.casefold())
