"""How somebody stands at this moment: which roles and groups count.

Rules this module keeps:

1. What was given here counts. What a directory gave counts while its word is fresh: it told of this very person no
   longer ago than its `max_age_s`, and is still configured. A word from the future is none: some clock is wrong.
2. Nobody is both admin and compliance officer. Where a directory would make them so, neither role of its counts.
3. Somebody disabled here, or gone from their directory, is nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from appliance.auth.tables import directories, memberships, people
from appliance.domain import Principal, Role

PRIVILEGED = frozenset({Role.ADMIN, Role.COMPLIANCE})
"""The roles that no one person may hold together."""

MAX_SKEW = timedelta(minutes=5)
"""How far in the future a directory's word may lie and still be believed."""

# Every request asks these. They are made once: to make one takes as long as to execute it.
_PERSON = select(people).where(people.c.id == bindparam("id"))
_THEIR_GROUPS = select(memberships).where(memberships.c.person_id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class Membership:
    """A group somebody is in, and where that came from: `origin` is empty when it was given here."""

    group: str
    origin: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account as an admin sees it. `roles` and `groups` are those that count now.

    `told_roles` are those that the directory gave, fresh or not. `handed_over_at` is when an administrator last made
    them compliance officer or changed how one signs in; None once another officer confirmed that they have the account.
    `was_officer` says whether they ever were one.
    """

    id: str
    name: str
    display_name: str
    roles: frozenset[Role]
    groups: frozenset[str]
    disabled: bool
    created_at: datetime
    given_roles: frozenset[Role] = frozenset()
    memberships: tuple[Membership, ...] = ()
    directory: str = ""
    subject: str = ""
    told_roles: frozenset[Role] = frozenset()
    heard_at: datetime | None = None
    is_fresh: bool = True
    gone: bool = False
    service: bool = False
    must_change_password: bool = False
    totp_on: bool = False
    clearance: str = ""
    handed_over_at: datetime | None = None
    was_officer: bool = False

    @property
    def shut_out(self) -> bool:
        """Whether they may not sign in: disabled here, or gone from their directory."""
        return self.disabled or self.gone

    @property
    def given_groups(self) -> frozenset[str]:
        """The groups that were given here."""
        return frozenset(membership.group for membership in self.memberships if not membership.origin)

    @property
    def told_groups(self) -> frozenset[str]:
        """The groups that the directory gave, fresh or not."""
        return frozenset(membership.group for membership in self.memberships if membership.origin == self.directory)

    @property
    def told(self) -> tuple[str, bool, frozenset[Role], frozenset[str]]:
        """What the directory decides about somebody."""
        return self.name, self.gone, self.told_roles, self.told_groups


def read_person(connection: Connection, row: Row[Any], now: datetime) -> Person:
    """The person of a row of `people`, as they stand in this transaction."""
    found = connection.execute(_THEIR_GROUPS, {"id": row.id}).all()
    theirs = tuple(Membership(membership.group_name, membership.origin) for membership in found)
    return _person(row, theirs, _max_ages(connection) if row.directory else {}, now)


def read_people(connection: Connection, now: datetime) -> list[Person]:
    """Everybody, by name."""
    theirs: dict[str, list[Membership]] = {}
    for found in connection.execute(select(memberships).order_by(memberships.c.group_name, memberships.c.origin)):
        theirs.setdefault(found.person_id, []).append(Membership(found.group_name, found.origin))
    max_ages = _max_ages(connection)
    rows = connection.execute(select(people).order_by(people.c.name)).all()
    return [_person(row, tuple(theirs.get(row.id, ())), max_ages, now) for row in rows]


def read_admitted(connection: Connection, person_id: str, now: datetime) -> Person | None:
    """Somebody as they stand in this transaction; None for somebody unknown, disabled or gone."""
    row = connection.execute(_PERSON, {"id": person_id}).one_or_none()
    return None if row is None or row.disabled or row.gone else read_person(connection, row, now)


def read_principal(connection: Connection, person_id: str, now: datetime) -> Principal | None:
    """As `read_admitted`, as somebody who asks for something."""
    person = read_admitted(connection, person_id, now)
    return None if person is None else principal_of(person)


def principal_of(person: Person) -> Principal:
    """The person as somebody who asks for something."""
    # No level yet: whoever lets them read says which they are cleared for (`appliance.wiring.Appliance.cleared`).
    return Principal(person.id, person.name, person.roles, person.groups, clearance=person.clearance)


def _person(row: Row[Any], theirs: tuple[Membership, ...], max_ages: Mapping[str, timedelta], now: datetime) -> Person:
    fresh = not row.directory or _is_fresh(row.heard_at, max_ages.get(row.directory, timedelta(0)), now)
    given = frozenset(Role(role) for role in row.roles)
    counted = {"", row.directory} if fresh else {""}
    return Person(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        roles=_counting(given, frozenset(Role(role) for role in row.directory_roles) if fresh else frozenset()),
        groups=frozenset(membership.group for membership in theirs if membership.origin in counted),
        disabled=row.disabled,
        created_at=row.created_at,
        given_roles=given,
        memberships=tuple(sorted(theirs, key=lambda membership: (membership.group, membership.origin))),
        directory=row.directory,
        subject=row.subject,
        told_roles=frozenset(Role(role) for role in row.directory_roles),
        heard_at=row.heard_at,
        is_fresh=fresh,
        gone=row.gone,
        service=row.service,
        must_change_password=row.must_change_password,
        totp_on=row.totp_on,
        clearance=row.clearance,
        handed_over_at=row.handed_over_at,
        was_officer=row.was_officer,
    )


def _is_fresh(heard_at: datetime | None, max_age: timedelta, now: datetime) -> bool:
    return heard_at is not None and -MAX_SKEW <= now - heard_at < max_age


def _counting(given: frozenset[Role], from_directory: frozenset[Role]) -> frozenset[Role]:
    both = given | from_directory
    return given | (from_directory - PRIVILEGED) if both >= PRIVILEGED else both


def _max_ages(connection: Connection) -> dict[str, timedelta]:
    """By directory, how long its word counts."""
    query = select(directories.c.name, directories.c.max_age_s)
    return {name: timedelta(seconds=max_age_s) for name, max_age_s in connection.execute(query)}
