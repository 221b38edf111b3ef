"""Who may sign in: people, their passwords, roles and groups.

Rules this module keeps:

1. A password is kept only as a hash, and a hash only leaves this module inside `Verified`, which does not show it.
2. Checking a password costs the same for an unknown name, a wrong password, a disabled person and one whose password
   is not kept here, and says the same.
3. Nobody is both admin and compliance officer: who runs the appliance does not judge its log.
4. There is always an enabled local account with the role admin once there was one: directories can be down.
5. A new password, the role admin or compliance given here, or disabling a person ends all their sessions and tokens in
   the same transaction. With such a role a password kept here is only good for choosing another one: so far an
   administrator could set it and know it, without anybody having been asked.
6. What a directory gave somebody is changed by that directory alone (see `directories`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from appliance.auth import directories
from appliance.auth.identity import DirectoryState, DirectoryTerms, Identity, News, Noting, unnoted
from appliance.auth.naming import checked_groups, checked_label, checked_name, normal_name
from appliance.auth.passwords import Hasher, checked_password
from appliance.auth.standing import PRIVILEGED, Person, principal_of, read_people, read_person, read_principal
from appliance.auth.tables import memberships, people, sessions
from appliance.database import Database
from appliance.domain import Principal, Role
from appliance.errors import Conflict, InvalidRequest, NotFound, NotSignedIn

_CHANGED = "The account was changed meanwhile. Sign in again."
_WRONG = "The name, the password or the code is wrong, or the account is disabled. Try again, or ask an administrator."


RolesAllowed = Callable[[Sequence[Person]], None]
"""Raises when roles may not be changed, with everybody as they stand in the transaction that would change them."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A principal whose password was right, and the hash it was checked against: proof that can go stale."""

    principal: Principal
    password_hash: str = field(repr=False)


def now_utc() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class Accounts:
    """The people of the appliance."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now_utc) -> None:
        self._database = database
        self._clock = clock
        self._hasher = Hasher()

    def add(
        self,
        name: str,
        password: str,
        roles: Iterable[Role],
        groups: Iterable[str],
        display_name: str = "",
        *,
        must_change: bool = False,
        handed_over: bool = False,
    ) -> Principal:
        """Create an account.

        Args:
            name: What the person signs in with; case does not matter.
            password: See `generate_password` for a good one.
            roles: Not both admin and compliance.
            groups: Names of groups, known or not: a group exists by being named.
            display_name: How the person is shown; the name as given when empty.
            must_change: Whether the password is only good for choosing another one.
            handed_over: Whether an officer agreed that an administrator makes this account, see `standing.Person`.

        Raises:
            InvalidRequest: Something breaks a rule.
            Conflict: The name is taken.
        """
        principal = _new_principal(name, roles, groups)
        password_hash = self._hasher.hash(checked_password(password, principal.name))
        shown = display_name or name
        return self._insert(
            principal,
            shown,
            password_hash=password_hash,
            must_change_password=must_change,
            handed_over_at=self._clock() if handed_over else None,
        )

    def add_service(self, name: str, roles: Iterable[Role], groups: Iterable[str], display_name: str = "") -> Principal:
        """Create an account for a program: it holds tokens and cannot sign in.

        Raises:
            InvalidRequest: Something breaks a rule, or it would be a compliance officer: an admin makes its tokens,
                and would read the query log with one.
            Conflict: The name is taken.
        """
        principal = _new_principal(name, roles, groups)
        _require_fit_for_service(principal.roles)
        return self._insert(principal, display_name or name, password_hash="", service=True)

    def _insert(self, principal: Principal, display_name: str, **values: object) -> Principal:
        key = principal.name
        row = {
            "id": principal.id,
            "name": key,
            "display_name": checked_label(display_name, "display name"),
            "roles": sorted(principal.roles),
            "disabled": False,
            "created_at": self._clock(),
            "was_officer": Role.COMPLIANCE in principal.roles,
            **values,
        }
        with self._database.write() as connection:
            if connection.scalar(select(people.c.id).where(people.c.name == key)) is not None:
                raise Conflict(f"There is a person named '{key}' already. Choose another name.")
            connection.execute(insert(people), row)
            _write_groups(connection, principal.id, principal.groups)
        return principal

    def people(self) -> list[Person]:
        """Everybody, disabled or not, by name."""
        with self._database.read() as connection:
            return read_people(connection, self._clock())

    def names(self) -> dict[str, str]:
        """The names of everybody, disabled or not, by their ids."""
        with self._database.read() as connection:
            return {row.id: row.name for row in connection.execute(select(people.c.id, people.c.name))}

    def named(self, name: str) -> Person:
        """The person who signs in with this name. Raises NotFound."""
        with self._database.read() as connection:
            row = connection.execute(select(people).where(people.c.name == (normal_name(name) or ""))).one_or_none()
            if row is None:
                raise NotFound("There is nobody with this name. Write the name that they sign in with.")
            return read_person(connection, row, self._clock())

    def person(self, person_id: str) -> Person:
        """One person. Raises NotFound."""
        with self._database.read() as connection:
            return read_person(connection, _row(connection, person_id), self._clock())

    def set_password(
        self,
        person_id: str,
        password: str,
        *,
        must_change: bool = False,
        in_place_of: Verified | None = None,
        handed_over: bool = False,
    ) -> None:
        """Give a person a new password and end all their sessions and tokens.

        Args:
            person_id: A local account.
            password: The new one.
            must_change: Whether it is only good for choosing another one.
            in_place_of: The password that it replaces; any if not given.
            handed_over: Whether an officer agreed that an administrator does this; noted in the same transaction.

        Raises:
            NotFound: There is no such person.
            NotSignedIn: They have been given another password meanwhile.
            InvalidRequest: The password breaks a rule, or this person's password is kept by a directory.
        """
        person = self.person(person_id)
        if person.directory:
            raise InvalidRequest(f"The password of '{person.name}' is kept by '{person.directory}'. Change it there.")
        if person.service:
            raise InvalidRequest(f"'{person.name}' is a program and has no password. Give it a token.")
        password_hash = self._hasher.hash(checked_password(password, person.name))
        with self._database.write() as connection:
            row = _row(connection, person_id)
            if in_place_of is not None and row.password_hash != in_place_of.password_hash:
                raise NotSignedIn(_CHANGED)
            _change(connection, person_id, password_hash=password_hash, must_change_password=must_change)
            _forget_secret_in_setup(connection, row)
            end_sessions(connection, person_id)
            if handed_over:
                _change(connection, person_id, handed_over_at=self._clock())

    def id_of(self, name: str) -> str:
        """The account of this name; empty when there is none."""
        with self._database.read() as connection:
            found = connection.scalar(select(people.c.id).where(people.c.name == (normal_name(name) or "")))
            return str(found or "")

    def name_of(self, person_id: str) -> str:
        """The name of this account; empty when there is none."""
        with self._database.read() as connection:
            return str(connection.scalar(select(people.c.name).where(people.c.id == person_id)) or "")

    def is_local(self, name: str) -> bool:
        """Whether a local account has this name, so that no directory is asked about it."""
        mine = (people.c.name == (normal_name(name) or "")) & (people.c.directory == "")
        with self._database.read() as connection:
            return connection.scalar(select(people.c.id).where(mine)) is not None

    def groups(self) -> frozenset[str]:
        """Every group that somebody is in."""
        with self._database.read() as connection:
            return frozenset(connection.execute(select(memberships.c.group_name).distinct()).scalars())

    def change(
        self,
        person_id: str,
        *,
        roles: Iterable[Role] | None = None,
        groups: Iterable[str] | None = None,
        clearance: str | None = None,
        disabled: bool | None = None,
        handed_over: bool = False,
        roles_allowed: RolesAllowed | None = None,
    ) -> None:
        """Change what is given of an account, all of it or nothing. Acts on the person's next request.

        Whoever becomes admin or compliance officer signs in anew: what was opened or made before was another's to know.

        Args:
            person_id: Whose.
            roles: In place of those that the person was given here; those of a directory stay.
            groups: In place of those that the person was given here; those of a directory stay.
            clearance: The level that they are cleared for; empty for the usual one.
            disabled: Whether they are shut out, at once and with all their sessions and tokens.
            handed_over: Whether an officer agreed that an administrator does this; noted in the same transaction.
            roles_allowed: Asked before roles are changed, in the same transaction.

        Raises:
            NotFound: There is no such person.
            InvalidRequest: Admin and compliance at once, an unknown role, or a name that cannot be a group's.
            Conflict: The last enabled admin would no longer be one.
            ApplianceError: What `roles_allowed` raises.
        """
        wanted_roles = None if roles is None else _checked_roles(roles)
        wanted_groups = None if groups is None else checked_groups(groups)
        with self._database.write() as connection:
            row = _row(connection, person_id)
            if handed_over:  # before the roles: of who is no officer after this there is nothing to confirm
                _change(connection, person_id, handed_over_at=self._clock())
            if wanted_roles is not None:
                if roles_allowed is not None:
                    roles_allowed(read_people(connection, self._clock()))
                _set_roles(connection, row, wanted_roles)
            if wanted_groups is not None:
                given = (memberships.c.person_id == person_id) & (memberships.c.origin == "")
                connection.execute(delete(memberships).where(given))
                _write_groups(connection, person_id, wanted_groups)
            if clearance is not None:
                _change(connection, person_id, clearance=clearance)
            if disabled is not None:
                _set_disabled(connection, _row(connection, person_id), disabled=disabled)

    def set_clearance(self, person_id: str, clearance: str) -> None:
        """The level a person is cleared for, see `change`. Raises NotFound."""
        self.change(person_id, clearance=clearance)

    def set_groups(self, person_id: str, groups: Iterable[str]) -> None:
        """Replace the groups that a person was given here, see `change`. Raises NotFound, InvalidRequest."""
        self.change(person_id, groups=groups)

    def add_group(self, person_id: str, group: str) -> None:
        """Give a person one more group. Acts on their next request. Raises NotFound, InvalidRequest."""
        wanted = checked_groups([group])
        with self._database.write() as connection:
            person = read_person(connection, _row(connection, person_id), self._clock())
            _write_groups(connection, person_id, wanted - person.given_groups)

    def set_roles(self, person_id: str, roles: Iterable[Role]) -> None:
        """Replace the roles that a person was given here, see `change`. Raises NotFound, InvalidRequest, Conflict."""
        self.change(person_id, roles=roles)

    def set_disabled(self, person_id: str, *, disabled: bool) -> None:
        """Shut a person out, or let them sign in again, see `change`. Raises NotFound, Conflict."""
        self.change(person_id, disabled=disabled)

    def confirm(self, person_id: str, asked_at: datetime | None = None) -> None:
        """Note that somebody has the account themselves: it is as if no administrator had had a hand in it.

        What they are signed in with ends, and a password kept here is only good for choosing another one: whoever else
        knew it cannot go on beside them unnoticed. Nothing is done when it was handed over after `asked_at`, or not at
        all. Raises NotFound.
        """
        with self._database.write() as connection:
            row = _row(connection, person_id)
            if row.handed_over_at is None or (asked_at is not None and row.handed_over_at > asked_at):
                return
            _change(connection, person_id, handed_over_at=None)
            _sign_in_anew(connection, row)

    def verify(self, name: str, password: str) -> Verified:
        """Who this is, with the proof that `Sessions` needs to notice a password changed meanwhile.

        A hash made with other parameters than today's is renewed. Raises NotSignedIn, in the same words and time
        whatever is wrong.
        """
        with self._database.read() as connection:
            row = connection.execute(select(people).where(people.c.name == (normal_name(name) or ""))).one_or_none()
        stored = row.password_hash if row and row.password_hash else self._hasher.nobody
        if not self._hasher.matches(stored, password) or row is None:
            raise wrong()
        with self._database.read() as connection:  # not before: for a name that is not here there is nothing to read
            principal = read_principal(connection, row.id, self._clock())
        if principal is None:
            raise wrong()
        if self._hasher.is_outdated(stored):
            stored = self._rehash(row.id, stored, password)
        return Verified(principal, stored)

    def _rehash(self, person_id: str, stored: str, password: str) -> str:
        renewed = self._hasher.hash(password)
        with self._database.write() as connection:
            # only in place of what was verified: a password set meanwhile must win
            unchanged = (people.c.id == person_id) & (people.c.password_hash == stored)
            connection.execute(update(people).where(unchanged).values(password_hash=renewed))
        return renewed

    def known_as(self, identity: Identity) -> str | None:
        """The id of somebody of a directory who is known here."""
        theirs = directories.whom(identity.directory, identity.subject)
        with self._database.read() as connection:
            return connection.scalar(select(people.c.id).where(theirs))

    def of_directory(self, directory: str, subject: str) -> Person | None:
        """Somebody of a directory, as they stand now; None for who is not known here."""
        with self._database.read() as connection:
            row = connection.execute(select(people).where(directories.whom(directory, subject))).one_or_none()
            return None if row is None else read_person(connection, row, self._clock())

    def admit(
        self,
        identity: Identity,
        noting: Noting = unnoted,
        *,
        since: datetime | None = None,
        asked_at: datetime | None = None,
    ) -> Principal:
        """Take over what a directory says of somebody who just proved to it who they are.

        Args:
            identity: What it says.
            noting: Puts on record what is other than before; what cannot be put on record is not taken over.
            since: When the sign-in was begun, where the directory says by itself whom it signed out.
            asked_at: A moment before the directory was asked; now, where it said so unasked. Who was heard of since is
                left as they are.

        Raises:
            AccessDenied: They are disabled here.
            Conflict: Somebody else, of another directory or a local account, has that name.
            InvalidRequest: The name cannot be one here.
            NotFound: The directory is not configured.
            NotSignedIn: It signed them out meanwhile.
        """
        known = self.known_as(identity)
        with ExitStack() as acts, self._database.write() as connection:
            now = self._clock()
            if since is not None:
                directories.require_not_signed_out(connection, identity, since)
            before = read_person(connection, _row(connection, known), now) if known else None
            person_id = directories.admit(connection, identity, asked_at or now)
            after = read_person(connection, _row(connection, person_id), now)
            if before is None or before.told != after.told:
                news = News(identity.directory, after.name, after.told_roles, after.told_groups, before is None)
                acts.enter_context(noting(news))  # before the transaction ends, and with it takes effect
            return principal_of(after)

    def hear(self, identity: Identity, noting: Noting = unnoted, *, asked_at: datetime) -> None:
        """Take over what a directory says of somebody between two sign-ins.

        Who is not known, shut out, or has to sign in again anyway is left as they are, and so is who was heard of
        since. All of this is looked at in the transaction that takes it over.

        Args:
            identity: What it says.
            noting: As for `admit`.
            asked_at: A moment before the directory was asked.

        Raises:
            AuditUnavailable: It could not be put on record, and was not taken over.
            CatalogUnavailable: It could not be written.
        """
        known = self.known_as(identity)
        if known is None:
            return
        with ExitStack() as acts, self._database.write() as connection:
            now = self._clock()
            before = read_person(connection, _row(connection, known), now)
            if before.shut_out or not before.is_fresh:
                return
            directories.hear(connection, identity, asked_at)
            after = read_person(connection, _row(connection, known), now)
            if before.told != after.told:
                news = News(identity.directory, after.name, after.told_roles, after.told_groups, is_new=False)
                acts.enter_context(noting(news))

    def renew(self, directory: str, identities: Iterable[Identity], at: datetime) -> None:
        """Take over all that a directory says, as of `at`, of the people of it who are known here.

        Those it does not name are shut out, with their sessions and tokens.

        Raises:
            InvalidRequest: An identity is of another directory. Nothing was changed.
            NotFound: The directory is not configured.
        """
        with self._database.write() as connection:
            directories.renew(connection, directory, identities, at)

    def set_directories(self, terms: Iterable[DirectoryTerms]) -> None:
        """Which directories are configured; what any other one gave people counts for nothing from now on."""
        with self._database.write() as connection:
            directories.set_terms(connection, terms)

    def directory_failed(self, directory: str, problem: str) -> None:
        """Note why a directory could not be asked just now. Raises NotFound for one that is not configured."""
        with self._database.write() as connection:
            directories.failed(connection, directory, problem, self._clock())

    def directories(self) -> list[DirectoryState]:
        """Every directory there is, or was, by name."""
        with self._database.read() as connection:
            return directories.states(connection)


def wrong() -> NotSignedIn:
    """What is said of every sign-in that fails, whatever was wrong."""
    return NotSignedIn(_WRONG)


def end_sessions(connection: Connection, person_id: str) -> None:
    """End every session and API token of a person, in this transaction."""
    connection.execute(delete(sessions).where(sessions.c.person_id == person_id))


def _checked_roles(roles: Iterable[Role]) -> frozenset[Role]:
    try:
        wanted = frozenset(Role(role) for role in roles)
    except ValueError as error:
        raise InvalidRequest(f"There is no such role. Choose from {', '.join(Role)}.") from error
    if wanted >= PRIVILEGED:
        raise InvalidRequest("Nobody can be both admin and compliance officer. Give one of the roles to someone else.")
    return wanted


def _new_principal(name: str, roles: Iterable[Role], groups: Iterable[str]) -> Principal:
    checked = (checked_name(name), _checked_roles(roles), checked_groups(groups))
    return Principal(str(uuid.uuid4()), *checked)  # as `principal_of` has it


def _require_fit_for_service(roles: frozenset[Role]) -> None:
    if Role.COMPLIANCE in roles:
        raise InvalidRequest("A program cannot be compliance officer. Let an officer make a token of their own.")


def _row(connection: Connection, person_id: str) -> Row[Any]:
    row = connection.execute(select(people).where(people.c.id == person_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such person. Choose one from the list of people.")
    return row


def _change(connection: Connection, person_id: str, **values: object) -> None:
    connection.execute(update(people).where(people.c.id == person_id).values(**values))


def _set_roles(connection: Connection, row: Row[Any], wanted: frozenset[Role]) -> None:
    _checked_roles(wanted | frozenset(Role(role) for role in row.directory_roles if wanted & PRIVILEGED))
    if row.service:
        _require_fit_for_service(wanted)
    if Role.ADMIN not in wanted:
        _keep_an_admin(connection, row)
    values: dict[str, object] = {"roles": sorted(wanted)}
    if Role.COMPLIANCE in wanted:
        values["was_officer"] = True
    elif Role.COMPLIANCE not in row.directory_roles:
        values["handed_over_at"] = None  # of who is no officer there is nothing to confirm
    _change(connection, row.id, **values)
    if (wanted - frozenset(row.roles)) & PRIVILEGED:
        _sign_in_anew(connection, row)


def _set_disabled(connection: Connection, row: Row[Any], *, disabled: bool) -> None:
    if disabled:
        _keep_an_admin(connection, row)
        _forget_secret_in_setup(connection, row)
        end_sessions(connection, row.id)
    _change(connection, row.id, disabled=disabled)


def _write_groups(connection: Connection, person_id: str, groups: frozenset[str]) -> None:
    rows = [{"person_id": person_id, "group_name": group, "origin": ""} for group in sorted(groups)]
    if rows:
        connection.execute(insert(memberships), rows)


def _sign_in_anew(connection: Connection, row: Row[Any]) -> None:
    """End what somebody is signed in with; whoever else knows their password cannot go on using it unnoticed."""
    end_sessions(connection, row.id)
    _forget_secret_in_setup(connection, row)
    if row.password_hash:
        _change(connection, row.id, must_change_password=True)


def _forget_secret_in_setup(connection: Connection, row: Row[Any]) -> None:
    """A second factor that was begun and not finished: whoever began it knows the secret."""
    if not row.totp_on:
        _change(connection, row.id, totp_secret="")


def _keep_an_admin(connection: Connection, row: Row[Any]) -> None:
    """Raise Conflict if nobody else could sign in here as admin. Call it in a transaction that writes."""
    if row.disabled or row.directory or row.service or Role.ADMIN not in row.roles:
        return
    local = people.c.disabled.is_(False) & (people.c.directory == "") & people.c.service.is_(False)
    others = connection.scalars(select(people.c.roles).where(people.c.id != row.id, local))
    if not any(Role.ADMIN in roles for roles in others):
        raise Conflict(f"'{row.name}' is the last enabled admin. Make somebody else admin first.")
