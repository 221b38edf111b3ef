"""Who may sign in: people, their passwords, roles and groups.

Rules this module keeps:

1. A name is 1 to 64 ASCII characters and the same in any case. Nothing that merely looks like a name, or folds to one,
   is taken for it.
2. A password is kept only as an argon2id hash (RFC 9106, low-memory profile), and a hash only leaves this module inside
   `Verified`, which does not show it.
3. Checking a password costs the same for an unknown name, a wrong password and a disabled person, and says the same.
4. Nobody is both admin and compliance officer: who runs the appliance does not judge its log.
5. There is always an enabled admin once there was one.
6. A new password, or disabling a person, ends all their sessions and tokens in the same transaction.
"""

from __future__ import annotations

import base64
import re
import secrets
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Integer,
    Row,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from appliance.database import Database, Moment, metadata
from appliance.domain import Principal, Role
from appliance.errors import ApplianceError, Conflict, InvalidRequest, NotFound, NotSignedIn

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 1024
MAX_LABEL_CHARACTERS = 128
"""The longest group name, display name or token label."""

_NAME = re.compile(r"[a-z0-9._@-]{1,64}")
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # without the look-alikes 0 o, 1 l i
_WRONG = "The name or the password is wrong, or the account is disabled. Try again, or ask an administrator."

people = Table(
    "people",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),  # casefolded
    Column("display_name", String(MAX_LABEL_CHARACTERS), nullable=False),
    Column("password_hash", String(256), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("person_id", String(36), ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    Column("group_name", String(MAX_LABEL_CHARACTERS), primary_key=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("person_id", String(36), ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # a sessions.TokenKind
    Column("label", String(MAX_LABEL_CHARACTERS), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name_key", String(64), nullable=False, index=True),
    Column("address", String(64), nullable=False, index=True),
    Column("at", Moment, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Person:
    """An account as an admin sees it."""

    id: str
    name: str
    display_name: str
    roles: frozenset[Role]
    groups: frozenset[str]
    disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Verified:
    """A principal whose password was right, and the hash it was checked against: proof that can go stale."""

    principal: Principal
    password_hash: str = field(repr=False)


class Accounts:
    """The people of the appliance."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hasher = argon2.PasswordHasher.from_parameters(argon2.profiles.RFC_9106_LOW_MEMORY)
        self._nobody = _unmatchable_hash(self._hasher)

    def add(
        self, name: str, password: str, roles: Iterable[Role], groups: Iterable[str], display_name: str = ""
    ) -> Principal:
        """Create an account.

        Args:
            name: What the person signs in with; case does not matter.
            password: See `generate_password` for a good one.
            roles: Not both admin and compliance.
            groups: Names of groups, known or not: a group exists by being named.
            display_name: How the person is shown; the name as given when empty.

        Raises:
            InvalidRequest: Something breaks a rule.
            Conflict: The name is taken.
        """
        key = _normal_name(name)
        if key is None:
            raise InvalidRequest(
                "A name has 1 to 64 of the characters a-z, 0-9, '.', '_', '@' and '-'. Choose another name."
            )
        principal = Principal(str(uuid.uuid4()), key, _checked_roles(roles), _checked_groups(groups))
        row = {
            "id": principal.id,
            "name": key,
            "display_name": checked_label(display_name or name, "display name"),
            "password_hash": self._hash(_checked_password(password, key)),
            "roles": sorted(principal.roles),
            "disabled": False,
            "created_at": datetime.now(UTC),
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
            groups: dict[str, set[str]] = {}
            for person_id, group in connection.execute(select(memberships)):
                groups.setdefault(person_id, set()).add(group)
            rows = connection.execute(select(people).order_by(people.c.name)).all()
        return [_person(row, frozenset(groups.get(row.id, ()))) for row in rows]

    def person(self, person_id: str) -> Person:
        """One person. Raises NotFound."""
        with self._database.read() as connection:
            row = _row(connection, person_id)
            return _person(row, _groups_of(connection, person_id))

    def set_password(self, person_id: str, password: str) -> None:
        """Give a person a new password and end all their sessions and tokens. Raises NotFound, InvalidRequest."""
        password_hash = self._hash(_checked_password(password, self.person(person_id).name))
        with self._database.write() as connection:
            _row(connection, person_id)
            _change(connection, person_id, password_hash=password_hash)
            end_sessions(connection, person_id)

    def groups(self) -> frozenset[str]:
        """Every group that somebody is in."""
        with self._database.read() as connection:
            return frozenset(connection.execute(select(memberships.c.group_name).distinct()).scalars())

    def set_groups(self, person_id: str, groups: Iterable[str]) -> None:
        """Replace a person's groups. Acts on their next request. Raises NotFound, InvalidRequest."""
        wanted = _checked_groups(groups)
        with self._database.write() as connection:
            _row(connection, person_id)
            connection.execute(delete(memberships).where(memberships.c.person_id == person_id))
            _write_groups(connection, person_id, wanted)

    def set_roles(self, person_id: str, roles: Iterable[Role]) -> None:
        """Replace a person's roles. Acts on their next request.

        Raises:
            NotFound: There is no such person.
            InvalidRequest: Admin and compliance at once, or an unknown role.
            Conflict: The last enabled admin would no longer be one.
        """
        wanted = _checked_roles(roles)
        with self._database.write() as connection:
            row = _row(connection, person_id)
            if Role.ADMIN not in wanted:
                _keep_an_admin(connection, row)
            _change(connection, person_id, roles=sorted(wanted))

    def set_disabled(self, person_id: str, *, disabled: bool) -> None:
        """Shut a person out at once, with all their sessions and tokens, or let them sign in again.

        Raises:
            NotFound: There is no such person.
            Conflict: They are the last enabled admin.
        """
        with self._database.write() as connection:
            row = _row(connection, person_id)
            if disabled:
                _keep_an_admin(connection, row)
                end_sessions(connection, person_id)
            _change(connection, person_id, disabled=disabled)

    def verify_password(self, name: str, password: str) -> Principal:
        """Who this is. Raises NotSignedIn, in the same words and time whatever is wrong."""
        return self.verify(name, password).principal

    def verify(self, name: str, password: str) -> Verified:
        """As `verify_password`, with the proof that `Sessions` needs to notice a password changed meanwhile.

        A hash made with other parameters than today's is renewed. Raises NotSignedIn.
        """
        key = _normal_name(name)
        with self._database.read() as connection:
            row = connection.execute(select(people).where(people.c.name == (key or ""))).one_or_none()
            groups = _groups_of(connection, row.id if row else "")
        stored = row.password_hash if row else self._nobody
        if not self._matches(stored, password) or row is None or row.disabled:
            raise NotSignedIn(_WRONG)
        if self._hasher.check_needs_rehash(stored):
            stored = self._renew(row.id, stored, password)
        return Verified(_principal(row, groups), stored)

    def _renew(self, person_id: str, stored: str, password: str) -> str:
        renewed = self._hash(password)
        with self._database.write() as connection:
            # only in place of what was verified: a password set meanwhile must win
            unchanged = (people.c.id == person_id) & (people.c.password_hash == stored)
            connection.execute(update(people).where(unchanged).values(password_hash=renewed))
        return renewed

    def _hash(self, password: str) -> str:
        try:
            return self._hasher.hash(_password_bytes(password))
        except Argon2Error as error:
            raise _cannot_hash(error) from error

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _password_bytes(password))
        except (VerifyMismatchError, InvalidHashError):
            return False
        except Argon2Error as error:
            raise _cannot_hash(error) from error


def generate_password() -> str:
    """A random password (99 bits) that can be read out and typed: five groups of four, without look-alikes."""
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(4)) for _ in range(5))


def read_principal(connection: Connection, person_id: str) -> Principal | None:
    """The person as they stand in this transaction; None for somebody unknown or disabled."""
    row = connection.execute(select(people).where(people.c.id == person_id)).one_or_none()
    return None if row is None or row.disabled else _principal(row, _groups_of(connection, person_id))


def end_sessions(connection: Connection, person_id: str) -> None:
    """End every session and API token of a person, in this transaction."""
    connection.execute(delete(sessions).where(sessions.c.person_id == person_id))


def checked_label(text: str, what: str) -> str:
    """`text` as a short printable name for people. Raises InvalidRequest, calling it `what`."""
    label = unicodedata.normalize("NFC", text).strip()
    # isprintable() is false for control, bidi and zero-width characters and for lone surrogates
    if not label or len(label) > MAX_LABEL_CHARACTERS or not label.isprintable():
        raise InvalidRequest(
            f"A {what} has 1 to {MAX_LABEL_CHARACTERS} printable characters, on one line. Choose another one."
        )
    return label


def _normal_name(name: str) -> str | None:
    """The key a name is kept under, None for what can be nobody's name."""
    # ASCII first: folding turns 'ß' into 'ss' and the Kelvin sign into 'k', which would be somebody else
    key = name.casefold() if name.isascii() else ""
    return key if _NAME.fullmatch(key) else None


def _checked_password(password: str, name: str) -> str:
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise InvalidRequest(
            f"A password has at least {MIN_PASSWORD_CHARACTERS} characters. Choose a longer one, such as four words."
        )
    if len(password) > MAX_PASSWORD_CHARACTERS:
        raise InvalidRequest(f"A password has at most {MAX_PASSWORD_CHARACTERS} characters. Choose a shorter one.")
    if password.casefold() == name:
        raise InvalidRequest("The password is the same as the name. Choose another password.")
    return password


def _checked_roles(roles: Iterable[Role]) -> frozenset[Role]:
    try:
        wanted = frozenset(Role(role) for role in roles)
    except ValueError as error:
        raise InvalidRequest(f"There is no such role. Choose from {', '.join(Role)}.") from error
    if {Role.ADMIN, Role.COMPLIANCE} <= wanted:
        raise InvalidRequest("Nobody can be both admin and compliance officer. Give one of the roles to someone else.")
    return wanted


def _checked_groups(groups: Iterable[str]) -> frozenset[str]:
    return frozenset(checked_label(group, "group name") for group in groups)


def _password_bytes(password: str) -> bytes:
    """NFC, so that the same keys on another keyboard give the same bytes; never fails, whatever was typed."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _unmatchable_hash(hasher: argon2.PasswordHasher) -> str:
    """A hash that costs as much to check as a real one and that no password matches: its digest is random."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={argon2.low_level.ARGON2_VERSION}${cost}${salt}${digest}"


def _cannot_hash(error: Argon2Error) -> ApplianceError:
    return ApplianceError(f"The password cannot be checked ({error}). Look for a shortage of memory, then try again.")


def _row(connection: Connection, person_id: str) -> Row[Any]:
    row = connection.execute(select(people).where(people.c.id == person_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such person. Choose one from the list of people.")
    return row


def _change(connection: Connection, person_id: str, **values: object) -> None:
    connection.execute(update(people).where(people.c.id == person_id).values(**values))


def _write_groups(connection: Connection, person_id: str, groups: frozenset[str]) -> None:
    rows = [{"person_id": person_id, "group_name": group} for group in sorted(groups)]
    if rows:
        connection.execute(insert(memberships), rows)


def _groups_of(connection: Connection, person_id: str) -> frozenset[str]:
    query = select(memberships.c.group_name).where(memberships.c.person_id == person_id)
    return frozenset(connection.scalars(query))


def _keep_an_admin(connection: Connection, row: Row[Any]) -> None:
    """Raise Conflict if the person of `row` is the only enabled admin. Call it in a transaction that writes."""
    if row.disabled or Role.ADMIN not in row.roles:
        return
    others = connection.scalars(select(people.c.roles).where(people.c.id != row.id, people.c.disabled.is_(False)))
    if not any(Role.ADMIN in roles for roles in others):
        raise Conflict(f"'{row.name}' is the last enabled admin. Make somebody else admin first.")


def _person(row: Row[Any], groups: frozenset[str]) -> Person:
    return Person(row.id, row.name, row.display_name, _roles(row), groups, row.disabled, row.created_at)


def _principal(row: Row[Any], groups: frozenset[str]) -> Principal:
    return Principal(row.id, row.name, _roles(row), groups)


def _roles(row: Row[Any]) -> frozenset[Role]:
    return frozenset(Role(role) for role in row.roles)
