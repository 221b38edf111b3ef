"""Signing in and out: for programs here, for people through the page in `signin`; and one's own account and tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from appliance.api.gate import OPERATOR, AnyCaller, InBrowser, SignedIn, TheAppliance, Unfinished, record_act
from appliance.api.opening import end_session, set_cookie
from appliance.api.people_wire import membership_out, token_out
from appliance.api.schemas.people import (
    SESSION_COOKIE,
    AccountOut,
    Credentials,
    IssuedToken,
    Me,
    PasswordChange,
    TokenInfo,
    TokenRequest,
)
from appliance.api.signin import change_password, sign_in
from appliance.compliance.officers import is_officer
from appliance.domain import Principal
from appliance.wiring import Appliance

router = APIRouter(tags=["session"])


@router.post("/session")
def create_session(credentials: Credentials, request: Request, response: Response, appliance: TheAppliance) -> Me:
    """Sign in; the session travels in a cookie."""
    session = sign_in(appliance, request, credentials.name, credentials.password, credentials.code)
    set_cookie(response, appliance, session)
    return _me(appliance, session.principal)


@router.get("/session")
def session(person: AnyCaller, appliance: TheAppliance) -> Me:
    """Who is signed in."""
    return _me(appliance, person)


@router.delete("/session", status_code=204)
def delete_session(request: Request, person: Unfinished, appliance: TheAppliance) -> Response:
    """Sign out."""
    end_session(appliance, request.cookies.get(SESSION_COOKIE, ""), person)
    response = Response(status_code=204)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.post("/session/password")
def set_own_password(wanted: PasswordChange, response: Response, person: Unfinished, appliance: TheAppliance) -> Me:
    """Change one's own password. It ends every session and token one has; a new session travels in the cookie."""
    renewed = change_password(appliance, person, wanted.old, wanted.new)
    set_cookie(response, appliance, renewed)
    return _me(appliance, renewed.principal)


@router.get("/account")
def account(person: InBrowser, appliance: TheAppliance) -> AccountOut:
    """One's own account: what one is in, and where that came from."""
    found = appliance.accounts.person(person.id)
    return AccountOut(
        name=found.name,
        display_name=found.display_name,
        roles=sorted(found.roles),
        memberships=[membership_out(found, membership) for membership in found.memberships],
        directory=found.directory,
        heard_at=found.heard_at,
        second_factor=found.totp_on,
        can_have_second_factor=appliance.sessions.second_factors.are_for(found),
        handed_over=is_officer(found) and found.handed_over_at is not None,
    )


@router.get("/tokens")
def tokens(person: SignedIn, appliance: TheAppliance) -> list[TokenInfo]:
    """One's own tokens that are still good, oldest first."""
    return [token_out(token) for token in appliance.sessions.tokens(person.id)]


@router.post("/tokens", status_code=201)
def issue_token(wanted: TokenRequest, person: InBrowser, appliance: TheAppliance) -> IssuedToken:
    """A token for one's own programs. It is shown this once. A token cannot make another one."""
    lifetime = timedelta(days=wanted.days)
    with record_act(appliance, person, "token.issued", person.name, told_of_token(wanted)):
        token = appliance.sessions.issue_token(person.id, wanted.label, lifetime, wanted.scopes)
    return IssuedToken(token=token, label=wanted.label, expires_at=datetime.now(UTC) + lifetime)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: str, person: SignedIn, appliance: TheAppliance) -> Response:
    """End one of one's own tokens."""
    with record_act(appliance, person, "token.revoked", person.name, token_id[:12]):
        appliance.sessions.revoke_token(person.id, token_id)
    return Response(status_code=204)


def told_of_token(wanted: TokenRequest) -> str:
    """What the log says of a token that is made."""
    return f"{wanted.label} (for {', '.join(sorted(set(wanted.scopes)))})"


def _me(appliance: Appliance, principal: Principal) -> Me:
    return Me(
        name=principal.name,
        display_name=_display_name(appliance, principal),
        roles=sorted(principal.roles),
        groups=sorted(principal.groups),
    )


def _display_name(appliance: Appliance, principal: Principal) -> str:
    if principal.id == OPERATOR:
        return principal.name
    return appliance.accounts.person(principal.id).display_name
