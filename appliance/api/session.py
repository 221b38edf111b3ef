"""Signing in and out: for programs here, for people through the page in `signin`; and one's own API tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from appliance.api.gate import OPERATOR, InBrowser, SignedIn, TheAppliance, record_act
from appliance.api.schemas.people import SESSION_COOKIE, Credentials, IssuedToken, Me, TokenInfo, TokenRequest
from appliance.api.signin import end_session, set_cookie, sign_in
from appliance.domain import Principal
from appliance.wiring import Appliance

router = APIRouter(tags=["session"])


@router.post("/session")
def create_session(credentials: Credentials, request: Request, response: Response, appliance: TheAppliance) -> Me:
    """Sign in; the session travels in a cookie."""
    session = sign_in(appliance, request, credentials.name, credentials.password)
    set_cookie(response, appliance, session)
    return _me(appliance, session.principal)


@router.get("/session")
def session(person: SignedIn, appliance: TheAppliance) -> Me:
    """Who is signed in."""
    return _me(appliance, person)


@router.delete("/session", status_code=204)
def delete_session(request: Request, person: SignedIn, appliance: TheAppliance) -> Response:
    """Sign out."""
    end_session(appliance, request.cookies.get(SESSION_COOKIE, ""), person)
    response = Response(status_code=204)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


@router.get("/tokens")
def tokens(person: SignedIn, appliance: TheAppliance) -> list[TokenInfo]:
    """One's own tokens that are still good, oldest first."""
    return [
        TokenInfo(
            id=token.id,
            label=token.label,
            created_at=token.created_at,
            last_seen_at=token.last_seen_at,
            expires_at=token.expires_at,
        )
        for token in appliance.sessions.tokens(person.id)
    ]


@router.post("/tokens", status_code=201)
def issue_token(wanted: TokenRequest, person: InBrowser, appliance: TheAppliance) -> IssuedToken:
    """A token for one's own programs. It is shown this once. A token cannot make another one."""
    lifetime = timedelta(days=wanted.days)
    record_act(appliance, person, "token.issued", person.name, wanted.label)
    token = appliance.sessions.issue_token(person.id, wanted.label, lifetime)
    return IssuedToken(token=token, label=wanted.label, expires_at=datetime.now(UTC) + lifetime)


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: str, person: SignedIn, appliance: TheAppliance) -> Response:
    """End one of one's own tokens."""
    record_act(appliance, person, "token.revoked", person.name, token_id[:12])
    appliance.sessions.revoke_token(person.id, token_id)
    return Response(status_code=204)


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
