"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.

Rules this module keeps:

1. A code is good once. The time step it belongs to is used up, and with it every earlier one.
2. A clock may be half a minute off, to either side; no more.
3. A secret can be read until a first code has proved that it arrived in an app, and never again.
4. A recovery code is 79 random bits, good once; the database holds its SHA-256 only.
5. It is for whoever signs in with a password, ours or that of a directory that checks it. Those whom another door
   vouches for (single sign-on, a proxy) have their second factor there; programs have none.
6. Wrong codes are counted by person, in a row, wherever they come from and however long ago: a right one ends the row,
   or an administrator (NIST SP 800-63B-4, 3.2.2). `max_failures` of them make a pause, and each after that one twice as
   long, up to a day; after `max_failures_per_name`, 100 at most, it does not end by itself. Meanwhile no code is looked
   at. Codes are asked of those alone whose password was right, so nobody else can make such a pause.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from sqlalchemy import Connection, Row, delete, insert, select, update

from appliance.auth.accounts import now_utc
from appliance.auth.passwords import readable
from appliance.auth.standing import Person
from appliance.auth.tables import people, recovery_codes
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import text_sha256
from appliance.errors import Conflict, InvalidRequest, NotFound

STEP_S = 30
DIGITS = 6
RECOVERY_CODES = 10

_DRIFT = 1  # steps, to either side
_SECRET_BYTES = 20  # as long as the SHA-1 it is used with
_LONGEST_PAUSE = timedelta(days=1)
_NONE_FAILED: dict[str, Any] = {"codes_failed": 0, "code_failed_at": None}
_NOT_IT = "That is not the code that the app shows now. Check the clock of the device, and try the next one."


class SecondFactors:
    """The second factors of people. Threads may share it."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = now_utc,
        directories: Collection[str] = (),
        settings: SignInSettings = SignInSettings(),
        steady: Callable[[], datetime] | None = None,
    ) -> None:
        """Second factors of local accounts, and of the people of `directories`, which check passwords alone.

        Codes go by `clock`. `steady` says when an account was handed over, as `Accounts` has it; `clock`, if None.
        """
        self._shortest_s = settings.failure_window_s
        self._max_in_a_row = settings.max_failures_per_name
        self._max_failures = min(settings.max_failures, self._max_in_a_row)
        self._database = database
        self._clock = clock
        self._steady = steady or clock
        self._directories = frozenset({"", *directories})

    def are_for(self, person: Person) -> bool:
        """Whether somebody can have one."""
        return self._are_for(person.directory, service=person.service)

    def _are_for(self, directory: str, *, service: bool) -> bool:
        return directory in self._directories and not service

    def begin(self, person_id: str) -> str:
        """The secret to put into an app, in base32; the same one until a first code was given.

        Raises:
            Conflict: They have a second factor.
            InvalidRequest: They sign in elsewhere, or not at all.
            NotFound: There is no such person.
        """
        with self._database.write() as connection:
            secret = self._secret_in_setup(connection, person_id)
            if not secret:
                secret = base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()
                connection.execute(update(people).where(people.c.id == person_id).values(totp_secret=secret))
        return secret

    def confirm(self, person_id: str, code: str) -> list[str]:
        """Take the first code as proof that the secret arrived; from now on signing in needs one.

        Returns:
            Recovery codes, which nobody can show again.

        Raises:
            InvalidRequest: It is not the code of this moment, or `begin` was not called.
            Conflict, NotFound: See `begin`.
        """
        made = [readable(groups=4) for _ in range(RECOVERY_CODES)]
        with self._database.write() as connection:
            secret = self._secret_in_setup(connection, person_id)
            step = _matching_step(secret, code, self._clock(), used=0) if secret else None
            if step is None:
                raise InvalidRequest(_NOT_IT)
            connection.execute(update(people).where(people.c.id == person_id).values(totp_on=True, totp_step=step))
            connection.execute(delete(recovery_codes).where(recovery_codes.c.person_id == person_id))
            rows = [{"person_id": person_id, "code_sha256": text_sha256(one)} for one in made]
            connection.execute(insert(recovery_codes), rows)
        return made

    def remove(self, person_id: str, *, handed_over: bool = False) -> None:
        """Take the second factor away, so that a password is enough, or a new one is set up.

        Whether an officer agreed that an administrator does this (`handed_over`) is noted in the same transaction.
        """
        with self._database.write() as connection:
            nothing: dict[str, Any] = {"totp_on": False, "totp_secret": "", "totp_step": 0} | _NONE_FAILED
            if handed_over:
                nothing["handed_over_at"] = self._steady()
            connection.execute(update(people).where(people.c.id == person_id).values(nothing))
            connection.execute(delete(recovery_codes).where(recovery_codes.c.person_id == person_id))

    def passes(self, person_id: str, code: str) -> bool:
        """Whether somebody may come in with this code, which is used up by it; anybody without a second factor may."""
        with self._database.write() as connection:
            row = connection.execute(select(people).where(people.c.id == person_id)).one_or_none()
            if row is None or not row.totp_on:
                return row is not None
            if self._pause(row) > timedelta(0):
                return False
            step = _matching_step(row.totp_secret, code, self._clock(), used=row.totp_step)
            if step is not None or _use_recovery_code(connection, person_id, code):
                changed = {"totp_step": row.totp_step if step is None else step} | _NONE_FAILED
            elif code.strip():
                changed = {"codes_failed": row.codes_failed + 1, "code_failed_at": self._clock()}
            else:  # whoever leaves it empty guesses nothing
                return False
            connection.execute(update(people).where(people.c.id == person_id).values(changed))
            return "totp_step" in changed

    def pauses(self) -> dict[str, timedelta]:
        """How long no code is looked at of those to whom that applies, by name."""
        failed = select(people).where(people.c.codes_failed >= self._max_failures)
        with self._database.read() as connection:
            waits = {str(row.name): self._pause(row) for row in connection.execute(failed)}
        return {name: wait for name, wait in waits.items() if wait > timedelta(0)}

    def lift(self, name: str) -> None:
        """Forget the wrong codes of a name, so that its pause ends."""
        with self._database.write() as connection:
            connection.execute(update(people).where(people.c.name == name.casefold()).values(_NONE_FAILED))

    def _pause(self, row: Row[Any]) -> timedelta:
        """How long no code of this person is looked at; zero when it is."""
        if row.codes_failed >= self._max_in_a_row:
            return _LONGEST_PAUSE
        if row.codes_failed < self._max_failures:
            return timedelta(0)
        last: datetime = row.code_failed_at
        doubled_s = self._shortest_s * 2.0 ** (row.codes_failed - self._max_failures)
        whole = timedelta(seconds=min(doubled_s, _LONGEST_PAUSE.total_seconds()))
        return min(last + whole - self._clock(), whole)  # a clock set back makes it no longer

    def _secret_in_setup(self, connection: Connection, person_id: str) -> str:
        """The secret that waits for its first code, empty when there is none yet."""
        row = connection.execute(select(people).where(people.c.id == person_id)).one_or_none()
        if row is None:
            raise NotFound("There is no such person. Choose one from the list of people.")
        if not self._are_for(row.directory, service=row.service):
            raise InvalidRequest("Only somebody who signs in with a password has a second factor here.")
        if row.totp_on:
            raise Conflict("There is a second factor already. Have it taken away before another one is set up.")
        return str(row.totp_secret)


def totp(secret: str, step: int) -> str:
    """The code of a time step (RFC 4226, HMAC-SHA-1)."""
    sha1 = SHA1()  # noqa: S303 - what apps compute with, and no weakness in a HMAC
    return HOTP(base64.b32decode(secret), DIGITS, sha1).generate(step).decode()


def address_for_apps(secret: str, name: str) -> str:
    """What the QR code holds: secret and name, as authenticator apps read them."""
    label = quote(f"Strongroom:{name}")
    return f"otpauth://totp/{label}?secret={secret}&issuer=Strongroom&digits={DIGITS}&period={STEP_S}"


def _matching_step(secret: str, code: str, now: datetime, *, used: int) -> int | None:
    """The time step that a code belongs to, None for a wrong, an old or a used one."""
    current, typed = int(now.timestamp()) // STEP_S, code.replace(" ", "")
    if not typed.isascii():
        return None
    try:
        expected = [(step, totp(secret, step)) for step in range(current - _DRIFT, current + _DRIFT + 1)]
    except ValueError:  # a damaged or cut secret lets nobody in
        return None
    matching = [step for step, right in expected if hmac.compare_digest(right, typed)]
    return next((step for step in matching if step > used), None)


def _use_recovery_code(connection: Connection, person_id: str, code: str) -> bool:
    digest = text_sha256(code.strip().lower())
    mine = (recovery_codes.c.person_id == person_id) & (recovery_codes.c.code_sha256 == digest)
    return connection.execute(delete(recovery_codes).where(mine)).rowcount == 1
