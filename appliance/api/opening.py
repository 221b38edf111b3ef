"""The browser session of somebody who just proved who they are: put on record, given to the browser, ended.

Every door uses it: the password, single sign-on, the reverse proxy. `door` is the name of the directory that vouched
for somebody, empty for a password.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from appliance.api.schemas.people import SESSION_COOKIE
from appliance.audit.entries import SignedIn, SignedOut, SignInFailed
from appliance.auth.sessions import SignedInSession
from appliance.domain import Principal, text_sha256
from appliance.errors import ApplianceError
from appliance.wiring import Appliance


def address_of(request: Request) -> str:
    """Where a request comes from, as far as is known."""
    return request.client.host if request.client else ""


def record_sign_in(appliance: Appliance, session: SignedInSession, address: str, door: str = "") -> None:
    """Put a new session on record. Raises AuditUnavailable: then the session has ended already."""
    person = session.principal
    try:
        appliance.log.append(SignedIn(person.id, person.name, session_name(session.token), origin=address, door=door))
    except ApplianceError:
        appliance.sessions.sign_out(session.token)
        raise


def record_failure(appliance: Appliance, error: ApplianceError, name: str | None, address: str, door: str = "") -> None:
    """Put a refused sign-in on record; `name` is None where none was given. Raises AuditUnavailable."""
    # A name that is nobody's may be a password in the wrong field: its hash is enough to tell attempts apart.
    name_key = "" if name is None else text_sha256(name.casefold())
    account = appliance.accounts.id_of(name or "")
    told = SignInFailed(account, "" if account else name_key, origin=address, reason=error.code, door=door)
    appliance.log.append_refusal(told)


def end_session(appliance: Appliance, token: str, person: Principal) -> None:
    """Sign out."""
    if token:
        appliance.sessions.sign_out(token)
        appliance.log.append(SignedOut(person.id, session_name(token)))


def set_cookie(response: Response, appliance: Appliance, session: SignedInSession) -> None:
    """Put the session into the browser, out of reach of scripts and of other sites."""
    response.set_cookie(
        SESSION_COOKIE,
        session.token,
        path="/",
        httponly=True,
        samesite="strict",
        secure=appliance.settings.server.secure_cookie,
        expires=session.expires_at,
    )


def session_name(token: str) -> str:
    """A name for a session that does not open it."""
    return text_sha256(f"session-name {token}")[:16]
