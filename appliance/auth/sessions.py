"""Proof that somebody signed in: browser sessions, API tokens, and the brake on guessing passwords.

Rules this module keeps:

1. A token is 256 random bits and is shown once; the database holds its SHA-256 only.
2. A token is good for one purpose: a session cookie is no API token, and the other way round.
3. Roles, groups and `disabled` are read on every request, so a change acts at once.
4. What is paused is refused before any hash is computed (see `brake`). Who comes through single sign-on or a trusted
   header shows no password, so no pause keeps them out.
5. One password is checked at a time. So guesses sent at once cannot slip past the count together, and a flood of them
   takes 64 MiB of memory, not 64 MiB each. (Across several processes, each may let one more guess through.) A directory
   is asked after that, with the failure counted already: one that hangs holds up nobody with a local account.
6. A wrong code of the second factor is said and counted as a wrong password is, and by person besides (see
   `second_factor`). It is asked of everybody who has one, also of those whose password a directory checks, before
   anything the directory says is taken over. While codes pause, nothing tells whether a password is right.
7. Who has yet to change their password, or to set up a second factor that their role needs, is signed in for that
   alone. Every caller that does not ask for such a session by name is refused.
8. A session that a directory says is over has ended before the directory is answered.
9. A token is good for the scopes it was issued with, within the rights its owner has now.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    insert,
    not_,
    or_,
    select,
    update,
)

from appliance.auth import directories
from appliance.auth.accounts import Accounts, Verified, end_sessions, now_utc, wrong
from appliance.auth.brake import Attempt, Brake
from appliance.auth.identity import Identity, LookAgain, Noting, PasswordDirectory, SignedOut, SignOut, unnoted
from appliance.auth.naming import checked_label, normal_name
from appliance.auth.second_factor import SecondFactors
from appliance.auth.standing import Person, principal_of, read_admitted, read_principal
from appliance.auth.tables import people, sessions
from appliance.config import SignInSettings
from appliance.database import Database
from appliance.domain import Principal, Scope, text_sha256
from appliance.errors import (
    DirectoryUnavailable,
    InvalidRequest,
    NotFound,
    NotSignedIn,
    PasswordChangeRequired,
    SecondFactorRequired,
    TooManyAttempts,
)

TOKEN_PREFIX = "sr_"  # noqa: S105 - lets people and secret scanners recognise a token
MAX_TOKEN_LIFETIME = timedelta(days=366)
DEFAULT_SCOPES = frozenset({Scope.ASK})
_SEEN_EVERY = timedelta(minutes=1)
_ASK_LATER = (
    "Your organisation's directory cannot be asked at the moment. Try again later; an administrator sees why under "
    "Administration > Directories."
)


class TokenKind(StrEnum):
    """What a token is good for."""

    SESSION = "session"  # the cookie of a browser
    API = "token"  # a program's own token


@dataclass(frozen=True, slots=True)
class SignedInSession:
    """What a sign-in gives back. `token` goes into the cookie and is never shown again."""

    token: str = field(repr=False)
    principal: Principal
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An API token as its owner sees it later. `id` is the token's SHA-256: good for revoking it, for nothing else.

    `last_seen_at` is None where it was never used.
    """

    id: str
    label: str
    created_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime
    scopes: frozenset[Scope] = frozenset()


@dataclass(frozen=True, slots=True)
class Recognised:
    """Somebody who showed a good token. `scopes` is what an API token may be used for; a session has none.

    `answerable` is the account of whoever answers for what is given with it: who made the token of a program, if that
    is known, and else its owner.
    """

    principal: Principal
    scopes: frozenset[Scope]
    answerable: str


def _alive(now: datetime | BindParameter[Any], idle_since: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    in_use = or_(sessions.c.kind != TokenKind.SESSION, sessions.c.last_seen_at > idle_since)
    return and_(sessions.c.expires_at > now, in_use)


_SHOWN = select(sessions).where(
    sessions.c.token_sha256 == bindparam("token"),
    sessions.c.kind == bindparam("kind"),
    _alive(bindparam("now"), bindparam("idle_since")),
)
"""The session or token that a request shows. Made once: to make it takes as long as to execute it."""


class Sessions:
    """Sign-ins and API tokens. Threads may share it."""

    def __init__(
        self,
        database: Database,
        settings: SignInSettings,
        clock: Callable[[], datetime] = now_utc,
        directories: Sequence[PasswordDirectory] = (),
        noting: Noting = unnoted,
        codes_clock: Callable[[], datetime] | None = None,
        accounts: Accounts | None = None,
        look_again: LookAgain | None = None,
    ) -> None:
        """What opens and knows sessions.

        Args:
            directories: Those that check passwords, in the order in which they are asked.
            noting: Puts on record what a directory changes for somebody who signs in.
            codes_clock: What codes of the second factor go by; `clock`, if None.
            accounts: Where passwords are checked; their own, if None.
            look_again: Asks their directory again about those who ask for something.
        """
        self._database = database
        self._accounts = accounts or Accounts(database, clock)
        self._directories = directories
        self._noting = noting
        self._look_again = look_again
        self._clock = clock
        self._lifetime = timedelta(seconds=settings.lifetime_s)
        self._idle = timedelta(seconds=settings.idle_timeout_s)
        self._needs_second_factor = frozenset(settings.second_factor_roles)
        names = [directory.name for directory in directories]
        self.second_factors = SecondFactors(database, codes_clock or clock, names, settings, steady=clock)
        self.brake = Brake(database, settings, clock)
        # noted rarely, to spare the disk, but often enough that somebody at work never looks idle
        self._seen_every = min(_SEEN_EVERY, self._idle / 10)
        self._one_at_a_time = threading.Lock()

    def sign_in(self, name: str, password: str, address: str, code: str = "") -> SignedInSession:
        """A new browser session.

        Args:
            name: As typed.
            password: As typed.
            address: Where the request comes from, for the brake only.
            code: Of the second factor, as typed; asked of those who have one.

        Raises:
            TooManyAttempts: This failed too often; `wait_s` says how long to wait.
            NotSignedIn: In the same words and time for an unknown name, a wrong password or code, a disabled person.
            DirectoryUnavailable: The name is of no local account, and a directory cannot be asked.
        """
        self._refuse_while_codes_pause(name)
        try:
            with self._counted(Attempt.at_the_door(name, address)):
                return self._checked(name, password, code)
        except NotSignedIn:
            # after the hash was computed, so that a name that is here costs no less than one that is not
            asked_at = self._clock()
            identity = self._told_by_a_directory(name, password, address)
            if identity is None:
                raise
        known = self._accounts.known_as(identity)
        if known is not None and not self.second_factors.passes(known, code):
            raise wrong()  # counted already, and nothing is taken over from the directory
        admitted = self._accounts.admit(identity, self._noting, asked_at=asked_at)
        return self._open(admitted.id, admitted.name)

    def change_password(self, person_id: str, old: str, new: str) -> SignedInSession:
        """Give somebody the password they chose; ends all their sessions and tokens and opens a new session.

        Raises:
            TooManyAttempts: The old password was wrong too often: it is no easier to guess here than at the door.
            NotSignedIn: The old password is wrong.
            InvalidRequest: The new one breaks a rule, or is the old one.
        """
        person = self._accounts.person(person_id)
        with self._counted(Attempt.in_session(person_id)):
            verified = self._accounts.verify(person.name, old)
            if old == new:
                raise InvalidRequest("The new password is the old one. Choose another password.")
            self._accounts.set_password(person_id, new, in_place_of=verified)
            return self._open(person_id, person.name)

    def remove_second_factor(self, person_id: str, code: str) -> None:
        """Take somebody's own second factor away, for one of its codes.

        Raises:
            TooManyAttempts: The code was wrong too often: it is no easier to guess here than at the door.
            NotSignedIn: The code is wrong.
        """
        self._refuse_while_codes_pause(self._accounts.person(person_id).name)
        with self._counted(Attempt.in_session(person_id)):
            if not self.second_factors.passes(person_id, code):
                raise NotSignedIn("The code is wrong, or was used before. Wait for the next one.")
            self.second_factors.remove(person_id)

    @contextmanager
    def _counted(self, attempt: Attempt) -> Iterator[None]:
        """For as long as one password is checked: refuses who is paused, and counts a failure."""
        self.brake.refuse_when_paused(attempt)  # before the queue: who is paused holds nobody else up
        with self._one_at_a_time:
            self.brake.refuse_when_paused(attempt)
            try:
                yield
            except NotSignedIn:
                self.brake.count(attempt)
                raise

    def pauses(self, names: Iterable[str]) -> dict[str, timedelta]:
        """Which of these names are paused for wrong passwords or codes, and for how long at most."""
        asked = set(names)
        waits = self.brake.pauses(asked)
        for name, wait in self.second_factors.pauses().items():
            if name in asked:
                waits[name] = max(wait, waits.get(name, wait))
        return waits

    def lift(self, name: str) -> None:
        """Forget the wrong passwords and codes of a name, so that its pauses end."""
        self.brake.lift(name)
        self.second_factors.lift(name)

    def _refuse_while_codes_pause(self, name: str) -> None:
        """Raises TooManyAttempts, whatever the password is: else that would tell that it is right."""
        wait = self.second_factors.pauses().get(normal_name(name) or "")
        if wait is not None:
            raise TooManyAttempts(wait.total_seconds())

    def open_for(self, identity: Identity, *, since: datetime | None = None) -> SignedInSession:
        """A new browser session of somebody who proved to their directory who they are.

        Args:
            identity: What it says of them.
            since: See `Accounts.admit`.

        Raises:
            AccessDenied, Conflict, InvalidRequest, NotFound, NotSignedIn: See `Accounts.admit`.
        """
        admitted = self._accounts.admit(identity, self._noting, since=since)
        # not under the name they go by there: it may be another's here
        return self._open(admitted.id, admitted.name, identity=identity, since=since)

    def renew_for(self, identity: Identity, known: Person) -> None:
        """Take over what a directory says of somebody between two sign-ins, where it is other roles or groups.

        Nothing is written where it is the same. For who has to sign in again anyway, or may not, nothing changes.

        Args:
            identity: What it says of them now.
            known: How they stand here.

        Raises:
            AccessDenied, NotFound: See `Accounts.admit`.
            AuditUnavailable: It could not be put on record, and was not taken over.
        """
        told = (identity.roles, directories.kept_groups(identity))
        if known.is_fresh and not known.shut_out and (known.told_roles, known.told_groups) != told:
            self._accounts.admit(identity, self._noting)

    def end_for(self, told: SignOut) -> list[SignedOut]:
        """End the browser sessions that a directory says are over.

        API tokens go on. But with all of somebody's sessions goes what the directory gave them, until they sign in
        again: their tokens are then good for what they were given here.

        Returns:
            Whom that changed something for.

        Raises:
            InvalidRequest, NotFound: See `directories.sign_out`. Nothing ended.
        """
        now = self._clock()
        of_them = directories.whom(told.directory, told.subject)
        over: ColumnElement[bool] = sessions.c.person_id.in_(select(people.c.id).where(of_them))
        if told.session:  # one of theirs of which it is not known which it is there may be this one
            over = or_(sessions.c.session_there == told.session, and_(over, sessions.c.session_there == ""))
        mine = and_(sessions.c.kind == TokenKind.SESSION, over)
        with self._database.write() as connection:
            self._purge(connection, now)
            withdrawn = directories.sign_out(connection, told, now)
            ended = Counter(connection.scalars(select(sessions.c.person_id).where(mine)))
            connection.execute(delete(sessions).where(mine))
            whose = people.c.id.in_(ended) if not withdrawn else or_(people.c.id.in_(ended), of_them)
            found = connection.execute(select(people.c.id, people.c.name).where(whose)).all()
        return [SignedOut(row.name, ended[row.id], withdrawn) for row in found]

    def _checked(self, name: str, password: str, code: str) -> SignedInSession:
        verified = self._accounts.verify(name, password)
        if not self.second_factors.passes(verified.principal.id, code):
            raise wrong()
        return self._open(verified.principal.id, name, verified)

    def _told_by_a_directory(self, name: str, password: str, address: str) -> Identity | None:
        """Who this is to the first directory that knows; a local account's password is shown to none."""
        if self._accounts.is_local(name):
            return None
        for directory in self._directories:
            try:
                identity = directory.verify(name, password)
            except DirectoryUnavailable as error:
                self.brake.take_back(Attempt.at_the_door(name, address))  # nobody has looked at that password
                self._accounts.directory_failed(directory.name, str(error))
                raise DirectoryUnavailable(_ASK_LATER) from error  # what is wrong with it is not for strangers
            if identity is not None:
                return identity
        return None

    def authenticate(self, token: str, *, kind: TokenKind = TokenKind.SESSION) -> Principal:
        """Who holds this token, with the roles and groups they have now. Raises as `recognise` does."""
        return self.recognise(token, kind=kind).principal

    def recognise(self, token: str, *, kind: TokenKind, may_be_unfinished: bool = False) -> Recognised:
        """Who holds this token, with the roles and groups they have now, and what it may be used for.

        Args:
            token: As it was shown.
            kind: What it is used as.
            may_be_unfinished: Whether to take somebody who has yet to change their password or set up a second factor.

        Raises:
            NotSignedIn: Unknown, ended, expired, idle too long, of the other kind, or its owner is disabled.
            PasswordChangeRequired, SecondFactorRequired: Its owner has to do that first.
            AuditUnavailable, CatalogUnavailable: What a directory says by now could not be put on record or written.
                Nobody goes on without it: each request tries that again, and does not ask the directory for it.
        """
        now, token_sha256 = self._clock(), text_sha256(token)
        row, person = self._shown(token_sha256, kind, now)
        if person is not None and self._takes_over_news_of(person):
            row, person = self._shown(token_sha256, kind, now)  # the session too may have ended by it
        if row is None or person is None:
            raise NotSignedIn()
        if not may_be_unfinished:
            self._require_finished(person)
        is_first_use = kind is TokenKind.API and row.last_seen_at == row.created_at
        if is_first_use or now - row.last_seen_at >= self._seen_every:
            with self._database.write() as connection:
                mine = and_(sessions.c.token_sha256 == token_sha256, sessions.c.kind == kind)
                connection.execute(update(sessions).where(mine).values(last_seen_at=now))
        scopes = frozenset(Scope(scope) for scope in row.scopes)
        return Recognised(principal_of(person), scopes, answerable=row.issued_by or person.id)

    def _shown(self, token_sha256: str, kind: TokenKind, now: datetime) -> tuple[Row[Any] | None, Person | None]:
        """The session or token of this hash, if it is good, and its owner, if they are let in."""
        shown = {"token": token_sha256, "kind": kind, "now": now, "idle_since": now - self._idle}
        with self._database.read() as connection:
            row = connection.execute(_SHOWN, shown).one_or_none()
            return row, read_admitted(connection, row.person_id, now) if row else None

    def _takes_over_news_of(self, person: Person) -> bool:
        """Whether their directory was asked again about somebody, and answered. Raises as `recognise` does."""
        told = self._look_again.told(person) if self._look_again is not None else None
        if told is None or self._look_again is None:
            return False
        if told.identity is not None:
            self._accounts.hear(told.identity, self._noting, asked_at=told.asked_at)
        self._look_again.taken(person, told)
        return True

    def _require_finished(self, person: Person) -> None:
        if person.must_change_password:
            raise PasswordChangeRequired
        proves_more_here = not person.totp_on and self.second_factors.are_for(person)
        if proves_more_here and not self._needs_second_factor.isdisjoint(person.roles):
            raise SecondFactorRequired

    def sign_out(self, token: str) -> None:
        """End a browser session. Ending it twice is no error."""
        mine = and_(sessions.c.token_sha256 == text_sha256(token), sessions.c.kind == TokenKind.SESSION)
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(mine))

    def issue_token(
        self,
        person_id: str,
        label: str,
        lifetime: timedelta,
        scopes: Collection[Scope] = DEFAULT_SCOPES,
        *,
        issued_by: str = "",
    ) -> str:
        """A new API token, which nobody can show again.

        Args:
            person_id: Whose rights it carries.
            label: What it is for, in the owner's words.
            lifetime: How long it is good; at most `MAX_TOKEN_LIFETIME`. It does not end by being idle.
            scopes: What it may be used for, within the owner's rights.
            issued_by: The account of who makes it for a program.

        Raises:
            NotFound: There is no such person, or they are disabled.
            InvalidRequest: No label, no scope, or a lifetime out of range.
        """
        if not timedelta(0) < lifetime <= MAX_TOKEN_LIFETIME:
            raise InvalidRequest(
                f"A token lasts up to {MAX_TOKEN_LIFETIME.days} days. Choose a lifetime in that range."
            )
        if not scopes:
            raise InvalidRequest(f"A token is for something. Choose from {', '.join(Scope)}.")
        label = checked_label(label, "token label")
        now = self._clock()
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        with self._database.write() as connection:
            if read_principal(connection, person_id, now) is None:
                raise NotFound("There is no such person, or they are disabled. Choose an enabled person.")
            _insert(connection, token, person_id, TokenKind.API, label, now, now + lifetime, scopes, issued_by)
        return token

    def tokens(self, person_id: str) -> list[IssuedToken]:
        """The API tokens of a person that are still good, oldest first."""
        theirs = and_(sessions.c.person_id == person_id, sessions.c.kind == TokenKind.API)
        query = select(sessions).where(theirs, self._alive(self._clock())).order_by(sessions.c.created_at)
        with self._database.read() as connection:
            return [
                IssuedToken(
                    row.token_sha256,
                    row.label,
                    row.created_at,
                    None if row.last_seen_at == row.created_at else row.last_seen_at,
                    row.expires_at,
                    frozenset(Scope(scope) for scope in row.scopes),
                )
                for row in connection.execute(query)
            ]

    def revoke_token(self, person_id: str, token_id: str) -> None:
        """End one API token of a person. Raises NotFound, also for a token of somebody else."""
        theirs = and_(
            sessions.c.token_sha256 == token_id, sessions.c.person_id == person_id, sessions.c.kind == TokenKind.API
        )
        with self._database.write() as connection:
            if connection.execute(delete(sessions).where(theirs)).rowcount == 0:
                raise NotFound("There is no such token. Choose one from the list of tokens.")

    def revoke_all(self, person_id: str) -> None:
        """End every session and API token of a person. A new password and disabling do this by themselves."""
        with self._database.write() as connection:
            end_sessions(connection, person_id)

    def revoke_everything(self) -> int:
        """End every session and API token of everybody; how many there were. For after a restore from a backup, which
        brings back those that had ended since."""
        with self._database.write() as connection:
            return connection.execute(delete(sessions)).rowcount

    def purge(self) -> int:
        """Delete what has ended; the number of sessions and tokens deleted. Every sign-in does this too."""
        with self._database.write() as connection:
            return self._purge(connection, self._clock())

    def _open(
        self,
        person_id: str,
        name: str,
        verified: Verified | None = None,
        *,
        identity: Identity | None = None,
        since: datetime | None = None,
    ) -> SignedInSession:
        now = self._clock()
        token = secrets.token_urlsafe(32)
        with self._database.write() as connection:
            if identity is not None and since is not None:  # again: that may have come since they were admitted
                directories.require_not_signed_out(connection, identity, since)
            current = connection.scalar(select(people.c.password_hash).where(people.c.id == person_id))
            principal = read_principal(connection, person_id, now)
            if principal is None or (verified is not None and current != verified.password_hash):
                # disabled, or given a new password, while the old one was being checked
                raise NotSignedIn("The account was changed while you signed in. Sign in again.")
            self._purge(connection, now)
            self.brake.forget(connection, name)
            there = "" if identity is None else identity.session
            _insert(connection, token, person_id, TokenKind.SESSION, "", now, now + self._lifetime, session_there=there)
        return SignedInSession(token, principal, now + self._lifetime)

    def _alive(self, now: datetime) -> ColumnElement[bool]:
        return _alive(now, now - self._idle)

    def _purge(self, connection: Connection, now: datetime) -> int:
        self.brake.purge(connection)
        directories.forget_sign_outs(connection, now)
        return connection.execute(delete(sessions).where(not_(self._alive(now)))).rowcount


def _insert(
    connection: Connection,
    token: str,
    person_id: str,
    kind: TokenKind,
    label: str,
    now: datetime,
    expires_at: datetime,
    scopes: Collection[Scope] = (),
    issued_by: str = "",
    session_there: str = "",
) -> None:
    row = {
        "token_sha256": text_sha256(token),
        "person_id": person_id,
        "kind": kind,
        "label": label,
        "created_at": now,
        "last_seen_at": now,
        "expires_at": expires_at,
        "scopes": sorted(scopes),
        "issued_by": issued_by,
        "session_there": session_there,
    }
    connection.execute(insert(sessions), row)
