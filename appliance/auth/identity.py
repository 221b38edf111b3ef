"""Somebody as a directory describes them, and what the appliance knows of the directory itself.

A directory is whoever else knows the organisation's people: a single sign-on provider, an LDAP server, a reverse proxy.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from appliance.auth.standing import Person
from appliance.domain import Role


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as a directory describes them, now.

    `subject` is who they are to the directory whatever they are called (an entryUUID, a `sub`); `name` is what they
    are called here, by the rules of local names. `session` is which of their sign-ins there they came by, as a SHA-256;
    empty where the directory does not say.
    """

    directory: str
    subject: str
    name: str
    display_name: str
    groups: frozenset[str]
    roles: frozenset[Role]
    session: str = ""


@dataclass(frozen=True, slots=True)
class SignOut:
    """What a directory says of somebody who is signed out there.

    `session` is the one sign-in there that ended; empty: all of theirs did. `subject` may be empty where a session is
    named. `message` tells this word from every other one of the directory, so that it counts once.
    """

    directory: str
    message: str
    subject: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What that came to for somebody: how many sessions ended, and whether what the directory gave is withdrawn."""

    name: str
    sessions: int
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class News:
    """What the word of a directory comes to for somebody who signs in, where it is other than before.

    `is_new`: they were not known here. `roles` and `groups` are those of the directory.
    """

    directory: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str]
    is_new: bool


Noting = Callable[[News], AbstractContextManager[object]]
"""Puts news on record; inside a `with` of what comes back it takes effect."""


def unnoted(_news: News) -> AbstractContextManager[object]:
    """For where there is no log: the tests of this package."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class DirectoryTerms:
    """A directory as it is configured. After `max_age_s` without word of a person, what it gave them is nothing."""

    name: str
    kind: str
    max_age_s: float


@dataclass(frozen=True, slots=True)
class DirectoryState:
    """How a directory stands. `synced_at` is when it last told of people, `problem` why the last attempt failed."""

    name: str
    kind: str
    max_age_s: float
    synced_at: datetime | None
    attempted_at: datetime | None
    problem: str

    @property
    def is_configured(self) -> bool:
        """Whether the settings still name it. One they name no more counts for nothing."""
        return self.max_age_s > 0


class PasswordDirectory(Protocol):
    """A directory that checks passwords itself, so that its people use the sign-in page."""

    @property
    def name(self) -> str:
        """By which name it stands among the directories."""
        ...

    def verify(self, name: str, password: str) -> Identity | None:
        """Who this is; None when name or password are wrong. Raises DirectoryUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What a directory said of somebody when it was asked, after `asked_at`; None where it knows them no more."""

    asked_at: datetime
    identity: Identity | None


class LookAgain(Protocol):
    """Asks a directory again about people whom it told of before."""

    def told(self, person: Person) -> Told | None:
        """What it says of somebody; None where it was not asked, has not answered, or that was taken over already."""
        ...

    def taken(self, person: Person, told: Told) -> None:
        """This was taken over, and is not said again."""
        ...
