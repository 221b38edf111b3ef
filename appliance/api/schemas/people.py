"""Signing in, API tokens and accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance.api.schemas.shapes import GroupName, In, Name, Out, Password
from appliance.domain import Role, Scope

SESSION_COOKIE = "strongroom_session"
"""The cookie a browser proves itself with; the screens pass it on."""

HOST_COOKIE = f"__Host-{SESSION_COOKIE}"
"""Its name where it is bound to this host (`appliance.host_cookie`)."""


class Credentials(In):
    """What signing in takes."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[Password, Field(min_length=1)]
    code: Annotated[str, Field(max_length=64)] = ""


class PasswordChange(In):
    """Changes one's own password."""

    old: Password
    new: Password


class Me(Out):
    """Who is signed in."""

    name: str
    display_name: str
    roles: list[Role]
    groups: list[str]


class TokenRequest(In):
    """Asks for an API token of one's own."""

    label: Name
    days: Annotated[int, Field(ge=1, le=366)] = 90
    scopes: Annotated[list[Scope], Field(min_length=1)] = [Scope.ASK]


class TokenInfo(Out):
    """An API token of one's own; `id` revokes it and opens nothing. `last_seen_at` is None where it was never used."""

    id: str
    label: str
    created_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime
    scopes: list[Scope]


class IssuedToken(Out):
    """A new API token. `token` is shown once and stored nowhere."""

    token: str
    label: str
    expires_at: datetime


class MembershipOut(Out):
    """A group somebody is in. `origin` is the directory that put them there, empty when it was given here.

    One that does not count is of a directory whose word is too old, or that is configured no more.
    """

    group: str
    origin: str
    counts: bool


class AccountOut(Out):
    """One's own account. Of an officer, `handed_over` says that another one has yet to confirm that they have it."""

    name: str
    display_name: str
    roles: list[Role]
    memberships: list[MembershipOut]
    directory: str
    heard_at: datetime | None
    second_factor: bool
    can_have_second_factor: bool = True
    handed_over: bool = False


class DirectoryOut(Out):
    """A directory of people. One that is not `configured` any more counts for nothing."""

    name: str
    kind: str
    configured: bool
    max_age_s: float
    synced_at: datetime | None
    attempted_at: datetime | None
    problem: str


class PersonIn(In):
    """A new account. Without a password one is made up and returned once; a `service` has none, it holds tokens.

    Either password is good for choosing another one.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)]
    display_name: Annotated[str, Field(max_length=200)] = ""
    password: Password = ""
    roles: Annotated[list[Role], Field(min_length=1)]
    groups: list[GroupName] = []
    service: bool = False


class PersonPatch(In):
    """Changes to an account: what is given here. What is left out stays, and so does what a directory gave."""

    roles: Annotated[list[Role], Field(min_length=1)] | None = None
    groups: list[GroupName] | None = None
    disabled: bool | None = None
    clearance: Annotated[str, Field(max_length=32)] | None = None


class NewPassword(In):
    """Sets a password; empty makes one up. It is good for choosing another one."""

    password: Password = ""


class AgreementIn(In):
    """Asks the compliance officers to agree that an account of theirs is made or changed."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class AgreementOut(Out):
    """The account of an officer that one may make or change until then."""

    name: str
    reason: str
    until: datetime


class PersonOut(Out):
    """An account. `roles` and `groups` count now; `given_roles` and `given_groups` are those that were given here.

    `gone` means its directory knows it no more; `paused_s` how long signing in is paused after failures. `new_groups`
    are those just given that nothing had before, no document, source or person: there are groups by being used.
    """

    id: str
    name: str
    display_name: str
    roles: list[Role]
    groups: list[str]
    disabled: bool
    created_at: datetime
    given_roles: list[Role] = []
    given_groups: list[str] = []
    memberships: list[MembershipOut] = []
    directory: str = ""
    heard_at: datetime | None = None
    gone: bool = False
    service: bool = False
    must_change_password: bool = False
    second_factor: bool = False
    paused_s: float = 0
    clearance: str = ""
    new_groups: list[str] = []


class PersonCreated(PersonOut):
    """An account that was just made, or whose password was just set. `password` is shown once if it was made up."""

    password: str
