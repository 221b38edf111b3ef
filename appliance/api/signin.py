"""The sign-in page: plain HTML outside of the user interface, so that nothing of it loads for strangers."""

from __future__ import annotations

import html
from importlib.resources import files
from string import Template

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from appliance.api.schemas.people import SESSION_COOKIE
from appliance.audit.entries import AdminAction, SignedIn, SignedOut, SignInFailed
from appliance.auth.sessions import SignedInSession, TokenKind
from appliance.domain import Principal, text_sha256
from appliance.errors import ApplianceError, NotSignedIn, PasswordChangeRequired, SecondFactorRequired
from appliance.wiring import Appliance

_STATIC = files("appliance.api").joinpath("static")


def sign_in(appliance: Appliance, request: Request, name: str, password: str, code: str = "") -> SignedInSession:
    """A new session, on record before it is used. Raises NotSignedIn, TooManyAttempts, AuditUnavailable.

    A refusal during a pause is not recorded: strangers could fill the disk with them, and the failures that led to the
    pause are.
    """
    address = address_of(request)
    try:
        session = appliance.sessions.sign_in(name, password, address, code)
    except NotSignedIn as error:
        # The name as typed may be a password in the wrong field: its hash is enough to tell attempts apart.
        appliance.log.append(SignInFailed("", text_sha256(name.casefold()), origin=address, reason=error.code))
        raise
    record_sign_in(appliance, session, address)
    return session


def record_sign_in(appliance: Appliance, session: SignedInSession, address: str) -> None:
    """Put a new session on record. Raises AuditUnavailable: then the session has ended already."""
    try:
        appliance.log.append(
            SignedIn(session.principal.id, session.principal.name, _session_name(session.token), origin=address)
        )
    except ApplianceError:
        appliance.sessions.sign_out(session.token)
        raise


def address_of(request: Request) -> str:
    """Where a request comes from, as far as is known."""
    return request.client.host if request.client else ""


def change_password(appliance: Appliance, request: Request, person: Principal, old: str, new: str) -> SignedInSession:
    """The new session of somebody who changed their password; the act is on record before it is done.

    Raises:
        ApplianceError: See `Sessions.change_password`; and AuditUnavailable.
    """
    appliance.log.append(AdminAction(person.id, "password.changed", person.name, ""))
    return appliance.sessions.change_password(person.id, old, new, address_of(request))


def next_address(appliance: Appliance, token: str) -> str:
    """Where a browser goes that has just signed in: to what is yet to be done first, or to the screens."""
    try:
        appliance.sessions.authenticate(token)
    except PasswordChangeRequired:
        return "/password"
    except SecondFactorRequired:
        return "/second-factor"
    return "/"


def end_session(appliance: Appliance, token: str, person: Principal) -> None:
    """Sign out."""
    if token:
        appliance.sessions.sign_out(token)
        appliance.log.append(SignedOut(person.id, _session_name(token)))


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


def signin_routes(appliance: Appliance) -> list[Route]:
    """`/login` and `/logout`."""

    async def show(_request: Request) -> Response:
        return _page("")

    async def submit(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=4, max_part_size=4096) as form:
            name, password, code = (str(form.get(field, "")) for field in ("name", "password", "code"))
        try:
            session = await run_in_threadpool(sign_in, appliance, request, name, password, code)
        except ApplianceError as error:
            return _page(str(error), error.status)
        response = RedirectResponse(await run_in_threadpool(next_address, appliance, session.token), 303)
        set_cookie(response, appliance, session)
        return response

    async def leave(request: Request) -> Response:
        token = request.cookies.get(SESSION_COOKIE, "")
        try:
            found = await run_in_threadpool(
                appliance.sessions.recognise, token, kind=TokenKind.SESSION, may_be_unfinished=True
            )
            await run_in_threadpool(end_session, appliance, token, found.principal)
        except NotSignedIn:
            token = ""  # it had ended already
        response = RedirectResponse("/login", 303)
        response.delete_cookie(SESSION_COOKIE, path="/")
        return response

    async def style(_request: Request) -> Response:
        return Response(_STATIC.joinpath("login.css").read_text("utf-8"), media_type="text/css")

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", submit, methods=["POST"]),
        Route("/login.css", style, methods=["GET"]),
        Route("/logout", leave, methods=["POST"]),
    ]


def _page(message: str, status: int = 200) -> HTMLResponse:
    template = Template(_STATIC.joinpath("login.html").read_text("utf-8"))
    body = template.safe_substitute(message=html.escape(message))
    return HTMLResponse(body, status, {"Cache-Control": "no-store"})


def _session_name(token: str) -> str:
    """A name for a session that does not open it."""
    return text_sha256(f"session-name {token}")[:16]
