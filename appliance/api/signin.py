"""The sign-in page: plain HTML outside of the user interface, so that nothing of it loads for strangers."""

from __future__ import annotations

import contextlib

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from appliance.api.goals import goal_of, with_goal
from appliance.api.opening import address_of, end_session, record_failure, record_sign_in, set_cookie
from appliance.api.schemas.people import SESSION_COOKIE
from appliance.api.sign_on import arrive_through_proxy, leaving_address, sign_on_routes
from appliance.api.sign_outs import sign_out_routes
from appliance.api.signin_pages import STATIC, notice_page, sign_in_page
from appliance.audit.acts import begun
from appliance.audit.entries import AdminAction
from appliance.auth.brake import Attempt
from appliance.auth.sessions import SignedInSession, TokenKind
from appliance.config import PasswordsFor
from appliance.config.identity import HEADER_DIRECTORY
from appliance.domain import Principal, Role
from appliance.errors import (
    AccessDenied,
    ApplianceError,
    DirectoryUnavailable,
    NotFound,
    NotSignedIn,
    PasswordChangeRequired,
    SecondFactorRequired,
    TooManyAttempts,
)
from appliance.wiring import Appliance

_PROXY_IS_NOT_ASKED = "local"
"""A query parameter of the sign-in page: for somebody who wants to give a password although a proxy names them."""


def sign_in(appliance: Appliance, request: Request, name: str, password: str, code: str = "") -> SignedInSession:
    """A new session, on record before it is used. A refusal is on record too.

    But for two: during a pause, and while a directory cannot be asked, strangers could fill the disk with them. The
    failures that led to the pause are recorded, and the directory's trouble is told elsewhere.

    Raises:
        ApplianceError: See `Sessions.sign_in`; and AuditUnavailable.
    """
    address = address_of(request)
    try:
        session = appliance.sessions.sign_in(name, password, address, code)
        _require_password_door(appliance, session)
    except (TooManyAttempts, DirectoryUnavailable):
        raise
    except ApplianceError as error:
        record_failure(appliance, error, name, address)
        raise
    record_sign_in(appliance, session, address)
    return session


def change_password(appliance: Appliance, person: Principal, old: str, new: str) -> SignedInSession:
    """The new session of somebody who changed their password; the act is on record before it is done.

    As with `sign_in`, a refusal during a pause is not.

    Raises:
        ApplianceError: See `Sessions.change_password`; and AuditUnavailable.
    """
    appliance.sessions.brake.refuse_when_paused(Attempt.in_session(person.id))
    with begun(appliance.log.append, AdminAction(person.id, "password.changed", person.name)):
        return appliance.sessions.change_password(person.id, old, new)


def next_address(appliance: Appliance, token: str, goal: str = "") -> str:
    """Where a browser goes that is signed in: to the page that is its goal, or to what is yet to be done before that.

    Raises:
        NotSignedIn: It is not.
        AuditUnavailable, CatalogUnavailable: See `Sessions.recognise`.
    """
    try:
        appliance.sessions.authenticate(token)
    except PasswordChangeRequired:
        return with_goal("/password", goal)
    except SecondFactorRequired:
        return with_goal("/second-factor", goal)
    return f"/{goal}"


def _require_password_door(appliance: Appliance, session: SignedInSession) -> None:
    """Raises AccessDenied, and ends the session, when this person has to come by another door."""
    admins_only = appliance.settings.sign_in.passwords is PasswordsFor.ADMINS
    if admins_only and Role.ADMIN not in session.principal.roles:
        appliance.sessions.sign_out(session.token)
        raise AccessDenied(
            "Only administrators sign in with a password here. Use single sign-on, or the address of the reverse proxy."
        )


def signin_routes(appliance: Appliance) -> list[Route]:
    """`/login` and `/logout`, and what belongs to them."""

    sign_on_name = appliance.sign_on.name if appliance.sign_on is not None else ""

    async def show(request: Request) -> Response:
        goal = goal_of(request.query_params)
        if _PROXY_IS_NOT_ASKED not in request.query_params:
            arrival = await run_in_threadpool(arrive_through_proxy, appliance, request, goal)
            if arrival is not None:
                return arrival
            with contextlib.suppress(ApplianceError):  # who is signed in has nothing to do here; all others sign in
                token = request.cookies.get(SESSION_COOKIE, "")
                onward = await run_in_threadpool(next_address, appliance, token, goal)
                return RedirectResponse(onward, 303, {"Cache-Control": "no-store"})
        return sign_in_page(sign_on_name=sign_on_name, goal=goal)

    async def submit(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=4, max_part_size=4096) as form:
            name, password, code = (str(form.get(field, "")) for field in ("name", "password", "code"))
            goal = goal_of(form)
        try:
            session = await run_in_threadpool(sign_in, appliance, request, name, password, code)
            onward = await run_in_threadpool(next_address, appliance, session.token, goal)
        except ApplianceError as error:
            return sign_in_page(str(error), error.status, sign_on_name, goal=goal, name=name)
        response = RedirectResponse(onward, 303)
        set_cookie(response, appliance, session)
        return response

    async def leave(request: Request) -> Response:
        token = request.cookies.get(SESSION_COOKIE, "")
        directory = ""
        try:
            found = await run_in_threadpool(
                appliance.sessions.recognise, token, kind=TokenKind.SESSION, may_be_unfinished=True
            )
            directory = await run_in_threadpool(_directory_of, appliance, found.principal)
            await run_in_threadpool(end_session, appliance, token, found.principal)
        except NotSignedIn:
            token = ""  # it had ended already
        except ApplianceError as error:  # no bare error for who wants to leave
            return notice_page("Sign out", str(error), error.status, back="/", link="Back")
        response = await run_in_threadpool(_left, appliance, directory)
        response.delete_cookie(SESSION_COOKIE, path="/")
        return response

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", submit, methods=["POST"]),
        Route("/login.css", _style, methods=["GET"]),
        Route("/favicon.ico", _no_icon, methods=["GET"]),  # browsers ask for it beside what is no page, as an export
        Route("/logout", leave, methods=["POST"]),
        *sign_on_routes(appliance),
        *sign_out_routes(appliance),
    ]


async def _style(_request: Request) -> Response:
    return Response(STATIC.joinpath("login.css").read_text("utf-8"), media_type="text/css")


async def _no_icon(_request: Request) -> Response:
    return Response(status_code=204, headers={"Cache-Control": "max-age=86400"})


def _directory_of(appliance: Appliance, person: Principal) -> str:
    try:
        return appliance.accounts.person(person.id).directory
    except NotFound:
        return ""


def _left(appliance: Appliance, directory: str) -> Response:
    """What somebody sees who signed out: the directory's own signing out, if there is one."""
    address = leaving_address(appliance, directory)
    if address:
        return notice_page("Signed out", "You are signed out here. One moment.", onward=address)
    if directory == HEADER_DIRECTORY:  # the sign-in page would let them in again at once
        return notice_page("Signed out", "You are signed out here, but not at the reverse proxy.")
    return RedirectResponse("/login", 303)
