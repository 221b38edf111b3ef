"""What somebody is called, the groups they are in, and where each came from."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.api.schemas.people import MembershipOut
from ui import pieces
from ui.inert import Html, text


def memberships(listed: Sequence[MembershipOut], whose: str = "their") -> Html:
    """One line for what was given here, and one for each directory."""
    if not listed:
        return pieces.line(f"Groups: none of {whose} own")
    origins = sorted({membership.origin for membership in listed})
    return pieces.join(_of(origin, [found for found in listed if found.origin == origin]) for origin in origins)


def named(display_name: str, name: str) -> str:
    """How somebody is called, with what they sign in as where that is something else."""
    return pieces.dotted("" if display_name == name else display_name, name)


def _of(origin: str, listed: Sequence[MembershipOut]) -> Html:
    where = f"Groups from {origin}" if origin else "Groups given here"
    stale = "" if listed[0].counts else " (these do not count now: the directory was not heard from for too long)"
    return Html(f"<p>{text(f'{where}: {pieces.listed([found.group for found in listed])}{stale}')}</p>")
