"""The brake on guessing: failed attempts are counted, and too many of them make a pause.

Rules this module keeps:

1. Sign-ins are counted per name *and* address, so a stranger who guesses elsewhere keeps nobody out. A name alone has a
   higher limit, against guesses from many addresses; so has an address, against guesses at many names.
2. They are counted whether or not the name exists. A restart forgets nothing.
3. What somebody does with their own password in a session, and what fails at another door, is counted apart: neither is
   stopped by what strangers do, nor by the pause of an address.
4. A name is kept as its hash only: people type their password into the wrong field.
5. A clock that is set back never makes a pause longer than the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from appliance.auth.tables import sign_in_failures
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import text_sha256
from appliance.errors import TooManyAttempts

ADDRESS_FACTOR = 10
"""An address may fail this many times as often as one name there: colleagues share one behind a proxy."""

_UNKNOWN_ADDRESS = "unknown"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What may fail: whose it is, and where it comes from. The address is empty for what is counted apart."""

    key: str
    address: str = ""

    @classmethod
    def at_the_door(cls, name: str, address: str) -> Attempt:
        """A sign-in with a password."""
        return cls(_key(name), address[:64] or _UNKNOWN_ADDRESS)

    @classmethod
    def in_session(cls, person_id: str) -> Attempt:
        """What somebody who is signed in does with their own password or code."""
        return cls(text_sha256(f"SESSION {person_id}"))  # capitals: no name that is typed has this key

    @classmethod
    def by_single_sign_on(cls, address: str) -> Attempt:
        """A return from single sign-on, before it is known whose."""
        return cls(text_sha256(f"SINGLE SIGN-ON {address}"))

    @classmethod
    def by_sign_out(cls, address: str) -> Attempt:
        """What is said to be the sign-out of a directory, and is not. Nothing else is counted for its address."""
        return cls(text_sha256("SIGN-OUT"), f"SIGN-OUT {address}"[:64])


class Brake:
    """Counts failures. Threads may share it."""

    def __init__(self, database: Database, settings: SignInSettings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._window = timedelta(seconds=settings.failure_window_s)
        self._max_failures = settings.max_failures
        self._max_per_name = settings.max_failures_per_name

    def refuse_when_paused(self, attempt: Attempt) -> None:
        """Raises TooManyAttempts, with how long to wait."""
        wait = self.pause(attempt)
        if wait > timedelta(0):
            raise TooManyAttempts(wait.total_seconds())

    def pause(self, attempt: Attempt) -> timedelta:
        """How long this has to wait; zero when it may be tried."""
        now = self._clock()
        with self._database.read() as connection:
            return max(self._wait(connection, whose, limit, now) for whose, limit in self._limits(attempt))

    def count(self, attempt: Attempt) -> None:
        """One more failure."""
        row = {"name_key": attempt.key, "address": attempt.address, "at": self._clock()}
        with self._database.write() as connection:
            self.purge(connection)
            connection.execute(insert(sign_in_failures), row)

    def take_back(self, attempt: Attempt) -> None:
        """One failure less: it was none after all."""
        latest = select(func.max(sign_in_failures.c.id)).where(_is(attempt)).scalar_subquery()
        with self._database.write() as connection:
            connection.execute(delete(sign_in_failures).where(sign_in_failures.c.id == latest))

    def pauses(self, names: Iterable[str]) -> dict[str, timedelta]:
        """Which of these names are paused, at one address or everywhere, and for how long at most."""
        named = {_key(name): name for name in names}
        now = self._clock()
        waits: dict[str, timedelta] = {}
        with self._database.read() as connection:
            failed = connection.execute(select(sign_in_failures.c.name_key, sign_in_failures.c.address).distinct())
            for attempt in [Attempt(row.name_key, row.address) for row in failed if row.name_key in named]:
                name = named[attempt.key]
                found = [self._wait(connection, *limit, now) for limit in self._limits_of_the_name(attempt)]
                waits[name] = max(*found, waits.get(name, timedelta(0)))
        return {name: wait for name, wait in waits.items() if wait > timedelta(0)}

    def lift(self, name: str) -> None:
        """Forget the failures of a name, so that its pauses end. Those of the addresses are forgotten with them."""
        with self._database.write() as connection:
            self.forget(connection, name)

    def forget(self, connection: Connection, name: str) -> None:
        """As `lift`, in this transaction."""
        connection.execute(delete(sign_in_failures).where(sign_in_failures.c.name_key == _key(name)))

    def purge(self, connection: Connection) -> None:
        """Delete what is too old to count, in this transaction."""
        connection.execute(delete(sign_in_failures).where(sign_in_failures.c.at <= self._clock() - self._window))

    def _limits(self, attempt: Attempt) -> Iterator[tuple[ColumnElement[bool], int]]:
        """Which failures count for this, and how many of them make a pause."""
        yield from self._limits_of_the_name(attempt)
        if attempt.address:
            yield sign_in_failures.c.address == attempt.address, self._max_failures * ADDRESS_FACTOR

    def _limits_of_the_name(self, attempt: Attempt) -> Iterator[tuple[ColumnElement[bool], int]]:
        yield _is(attempt), self._max_failures
        yield sign_in_failures.c.name_key == attempt.key, self._max_per_name

    def _wait(self, connection: Connection, whose: ColumnElement[bool], limit: int, now: datetime) -> timedelta:
        """How long until fewer than `limit` failures lie within the window; zero when there are fewer now."""
        start = now - self._window
        youngest_first = (
            select(sign_in_failures.c.at)
            .where(whose, sign_in_failures.c.at > start)
            .order_by(sign_in_failures.c.at.desc())
        )
        deciding = connection.scalar(youngest_first.offset(limit - 1).limit(1))
        # a clock set back leaves failures in the future: they count, but never pause for more than a window
        return timedelta(0) if deciding is None else min(deciding - start, self._window)


def _is(attempt: Attempt) -> ColumnElement[bool]:
    return (sign_in_failures.c.name_key == attempt.key) & (sign_in_failures.c.address == attempt.address)


def _key(name: str) -> str:
    return text_sha256(name.casefold())
