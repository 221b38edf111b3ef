"""Who is behind a pseudonym: asking two officers for it, and being told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from appliance.api.schemas.shapes import In, Out


class NamingIn(In):
    """Whose name is wanted, by pseudonym; or whose pseudonym, by the name they sign in with; and why."""

    person: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Annotated[str, Field(max_length=500)]


class NamingOut(Out):
    """What an officer may be told until then: who is behind `person`, or which pseudonym they have."""

    id: str
    person: str
    reason: str
    until: datetime


class NamedOut(Out):
    """A pseudonym and who is behind it; the names are empty when the account is gone."""

    pseudonym: str
    name: str
    display_name: str
    until: datetime
