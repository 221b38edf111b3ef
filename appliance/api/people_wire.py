"""Translates people, their memberships and their tokens to wire types."""

from __future__ import annotations

from appliance.api.schemas.people import DirectoryOut, MembershipOut, PersonOut, TokenInfo
from appliance.auth.identity import DirectoryState
from appliance.auth.sessions import IssuedToken
from appliance.auth.standing import Membership, Person


def person_out(person: Person, paused_s: float) -> PersonOut:
    """An account as an admin sees it."""
    return PersonOut(
        id=person.id,
        name=person.name,
        display_name=person.display_name,
        roles=sorted(person.roles),
        groups=sorted(person.groups),
        disabled=person.disabled,
        created_at=person.created_at,
        clearance=person.clearance,
        given_roles=sorted(person.given_roles),
        given_groups=sorted(person.given_groups),
        memberships=[membership_out(person, membership) for membership in person.memberships],
        directory=person.directory,
        heard_at=person.heard_at,
        gone=person.gone,
        service=person.service,
        must_change_password=person.must_change_password,
        second_factor=person.totp_on,
        paused_s=paused_s,
    )


def membership_out(person: Person, membership: Membership) -> MembershipOut:
    """A group of a person, and whether it counts now."""
    return MembershipOut(
        group=membership.group, origin=membership.origin, counts=not membership.origin or person.is_fresh
    )


def token_out(token: IssuedToken) -> TokenInfo:
    """A token without what opens anything."""
    return TokenInfo(
        id=token.id,
        label=token.label,
        created_at=token.created_at,
        last_seen_at=token.last_seen_at,
        expires_at=token.expires_at,
        scopes=sorted(token.scopes),
    )


def directory_out(state: DirectoryState) -> DirectoryOut:
    """How a directory of people stands."""
    return DirectoryOut(
        name=state.name,
        kind=state.kind,
        configured=state.is_configured,
        max_age_s=state.max_age_s,
        synced_at=state.synced_at,
        attempted_at=state.attempted_at,
        problem=state.problem,
    )
