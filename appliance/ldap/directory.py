"""An organisation's directory: lets its people in with the password they have there, and tells their groups.

Rules this module keeps:

1. A name is looked for by the service account, and must be exactly one person's, letter by letter: directories compare
   more loosely than we do. The password is then tried on the DN that was found, never on one made of what was typed.
2. A name that finds nobody is tried too, on a DN that does not exist, so that it takes about as long.
3. Whoever the directory shuts out is nobody, whatever their password.
4. A password of the service account that is refused is not tried again at once: every sign-in would try it, and
   lock the account.
5. Somebody whom its groups make both admin and compliance officer is neither, and is not let in.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from appliance.auth.accounts import now_utc
from appliance.auth.identity import Identity
from appliance.auth.naming import normal_name
from appliance.config.identity import LdapSettings
from appliance.domain import Role
from appliance.errors import DirectoryUnavailable
from appliance.ldap import filters
from appliance.ldap.connection import Connection, Server, WrongPassword, connect
from appliance.ldap.entries import STATE_ATTRIBUTES, subject_of, subject_value, why_shut_out
from appliance.ldap.groups import GroupFinder
from appliance.ldap.messages import Entry

_DISPLAY = ("displayName", "cn")
_ASKED_AT_ONCE = 50
_REFUSED_FOR_S = 300.0
_AT_ONCE, _WAIT_S = 8, 1.0  # sign-ins that wait for the directory: one that hangs must not take every thread


@dataclass(frozen=True, slots=True)
class Census:
    """What a directory says of people it was asked for, as of the moment the question began."""

    asked_at: datetime
    identities: tuple[Identity, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Refused:
    """A password of the service account that a server did not take."""

    password: str = field(repr=False)
    url: str
    at: float = field(default_factory=time.monotonic)

    @property
    def told(self) -> str:
        return (
            f"The directory at {self.url} does not let the service account in. Check ldap.bind_dn and the password in "
            f"ldap.bind_password_file. The same password is tried again after {_REFUSED_FOR_S / 60:g} minutes."
        )

    def still_holds(self, password: str) -> bool:
        return self.password == password and time.monotonic() - self.at < _REFUSED_FOR_S


class LdapDirectory:
    """The directory that the settings name. Threads may share it: each call has a connection of its own."""

    def __init__(self, settings: LdapSettings, clock: Callable[[], datetime] = now_utc) -> None:
        """Ask nothing yet. `clock` says when it was asked; it is the one by which people's sign-ins are dated.

        Raises ConfigurationError for a filter that is none.
        """
        self._settings = settings
        self._clock = clock
        self._people = filters.parsed(settings.resolved("people_filter"))
        filters.parsed(settings.resolved("groups_filter"))
        self._refused: _Refused | None = None
        self._seats = threading.BoundedSemaphore(_AT_ONCE)
        self._name, self._id = settings.resolved("name_attribute"), settings.resolved("id_attribute")

    @property
    def name(self) -> str:
        """By which name it stands among the directories."""
        return self._settings.name

    def verify(self, name: str, password: str) -> Identity | None:
        """Who this is; None when name or password are wrong, or they are shut out. Raises DirectoryUnavailable."""
        login = normal_name(name)
        if login is None or not password:
            return None
        if not self._seats.acquire(timeout=_WAIT_S):
            raise DirectoryUnavailable(f"The directory '{self.name}' is slow: {_AT_ONCE} sign-ins wait for it already.")
        try:
            return self._verify(login, password)
        finally:
            self._seats.release()

    def _verify(self, login: str, password: str) -> Identity | None:
        with self._searching() as (connection, server):
            found = self._person(connection, login)
            if not _is_password_of(server, found.dn if found else self._nobody(), password) or found is None:
                return None
            if why_shut_out(found, datetime.now(UTC)):
                return None
            return self._identity(found, GroupFinder(connection, self._settings), set())

    def census(self, subjects: Iterable[str]) -> Census:
        """What the directory says of these people now; who is missing there is missing here.

        Raises DirectoryUnavailable: then it said nothing at all.
        """
        asked_at = self._clock()
        identities: list[Identity] = []
        notes: set[str] = set()
        with self._searching() as (connection, _):
            groups = GroupFinder(connection, self._settings)
            for entry in self._known(connection, sorted(subjects)):
                reason = why_shut_out(entry, datetime.now(UTC))
                identity = None if reason else self._identity(entry, groups, notes)
                if reason:
                    notes.add(f"'{entry.text(self._name)}' is shut out: {reason} in the directory.")
                if identity is not None:
                    identities.append(identity)
        return Census(asked_at, tuple(identities), tuple(sorted(notes)))

    def probe(self) -> str:
        """The address that answers, once the service account was let in and found a person.

        Raises DirectoryUnavailable.
        """
        with self._searching() as (connection, server):
            if not connection.search(self._settings.people_base, self._people, ("1.1",), at_most=1):
                raise DirectoryUnavailable(
                    f"The directory at {server.url} shows the service account nobody below ldap.people_base. Check "
                    "ldap.people_base and ldap.people_filter, and what the account may read."
                )
            return server.url

    @contextmanager
    def _searching(self) -> Iterator[tuple[Connection, Server]]:
        """A connection as the service account, to the first server that works."""
        connection, server = self._service()
        with connection:
            yield connection, server

    def _service(self) -> tuple[Connection, Server]:
        password = self._bind_password()
        if self._refused is not None and self._refused.still_holds(password):
            raise DirectoryUnavailable(self._refused.told)
        problems: list[str] = []
        for url in self._settings.urls:
            server = self._server(url)
            try:
                connection = connect(server)
                connection.bind(self._settings.bind_dn, password)
            except WrongPassword:  # no other server is asked: it would count one more
                connection.close()
                self._refused = _Refused(password, url)
                raise DirectoryUnavailable(self._refused.told) from None
            except DirectoryUnavailable as error:
                problems.append(str(error))
            else:
                return connection, server
        raise DirectoryUnavailable(" ".join(problems))

    def _server(self, url: str) -> Server:
        settings = self._settings
        plain = settings.plain_on_loopback and url.startswith("ldap:")
        return Server(url, settings.ca_file, settings.timeout_s, plain)

    def _bind_password(self) -> str:
        path = self._settings.bind_password_file
        try:
            password = Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise DirectoryUnavailable(
                f"The file in ldap.bind_password_file ({path}) cannot be read: {reason}."
            ) from error
        if not password:
            raise DirectoryUnavailable(
                f"The file in ldap.bind_password_file ({path}) is empty. Put the password in it."
            )
        return password

    def _person(self, connection: Connection, login: str) -> Entry | None:
        wanted = filters.all_of(self._people, filters.equal(self._name, login))
        found = connection.search(self._settings.people_base, wanted, self._attributes(), at_most=2)
        same = [entry for entry in found if [normal_name(value) for value in entry.texts(self._name)] == [login]]
        return same[0] if len(found) == len(same) == 1 else None

    def _known(self, connection: Connection, subjects: list[str]) -> Iterator[Entry]:
        for first in range(0, len(subjects), _ASKED_AT_ONCE):
            asked = subjects[first : first + _ASKED_AT_ONCE]
            values = [subject_value(subject, self._settings.kind) for subject in asked]
            theirs = filters.any_of(filters.equal(self._id, value) for value in values)
            wanted = filters.all_of(self._people, theirs)
            yield from connection.search(
                self._settings.people_base, wanted, self._attributes(), at_most=2 * _ASKED_AT_ONCE
            )

    def _attributes(self) -> tuple[str, ...]:
        return (self._name, self._id, *_DISPLAY, *STATE_ATTRIBUTES)

    def _identity(self, entry: Entry, groups: GroupFinder, notes: set[str]) -> Identity | None:
        """What the directory says of a person; None, and a note, for somebody who cannot be one here."""
        subject = subject_of(entry, self._id, self._settings.kind)
        names = entry.texts(self._name)
        login = normal_name(names[0]) if len(names) == 1 else None
        if not subject or login is None:
            notes.add(
                f"'{entry.dn}' is shut out: its {self._name} or {self._id} is none, or none that can be used here."
            )
            return None
        belonging = groups.of(entry, names[0])
        notes.update(belonging.notes)
        if belonging.is_admin and belonging.is_compliance:
            notes.add(f"'{login}' is shut out: groups make them both admin and compliance officer. Take one away.")
            return None
        display = next((text for attribute in _DISPLAY if (text := entry.text(attribute))), login)
        given = ((Role.ADMIN, belonging.is_admin), (Role.COMPLIANCE, belonging.is_compliance))
        roles = frozenset({Role.EMPLOYEE, *(role for role, holds in given if holds)})
        return Identity(self.name, subject, login, display, belonging.groups, roles)

    def _nobody(self) -> str:
        return f"cn={secrets.token_hex(8)},{self._settings.people_base}"


def _is_password_of(server: Server, dn: str, password: str) -> bool:
    """Whether the server lets this DN in; on a connection of its own, so that the searching one stays who it is."""
    with connect(server) as connection:
        try:
            connection.bind(dn, password)
        except WrongPassword:
            return False
    return True
