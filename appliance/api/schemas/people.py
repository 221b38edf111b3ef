"""Signing in, API tokens and accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance.api.schemas.shapes import GroupName, In, Name, Out, Password
from appliance.domain import Role

SESSION_COOKIE = "strongroom_session"
"""The cookie a browser proves itself with; the screens pass it on."""


class Credentials(In):
    """What signing in takes."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[Password, Field(min_length=1)]


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


class TokenInfo(Out):
    """An API token of one's own; `id` revokes it and opens nothing."""

    id: str
    label: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class IssuedToken(Out):
    """A new API token. `token` is shown once and stored nowhere."""

    token: str
    label: str
    expires_at: datetime


class PersonIn(In):
    """A new account. Without a password one is made up and returned once."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    display_name: Annotated[str, Field(max_length=200)] = ""
    password: Password = ""
    roles: Annotated[list[Role], Field(min_length=1)]
    groups: list[GroupName] = []


class PersonPatch(In):
    """Changes to an account; what is left out stays."""

    roles: Annotated[list[Role], Field(min_length=1)] | None = None
    groups: list[GroupName] | None = None
    disabled: bool | None = None


class NewPassword(In):
    """Sets a password; empty makes one up."""

    password: Password = ""


class PersonOut(Out):
    """An account."""

    id: str
    name: str
    display_name: str
    roles: list[Role]
    groups: list[str]
    disabled: bool
    created_at: datetime


class PersonCreated(PersonOut):
    """An account that was just made, or whose password was just set. `password` is shown once if it was made up."""

    password: str
