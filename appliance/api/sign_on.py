"""The doors besides the password: single sign-on, and what a reverse proxy says.

Rules this module keeps:

1. Each opens a new session, on record before it is used, and takes over none that was there.
2. The session's cookie is SameSite=Strict, and the browser comes here from another site: it would not send the cookie
   along on a redirect. So it is shown a page of ours, which takes it to the screens by itself.
3. Nobody is sent to an address that a request names; by its name alone, to one of our own pages (`goals`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from appliance.api import proxied
from appliance.api.goals import goal_of, with_goal
from appliance.api.opening import address_of, record_failure, record_sign_in, set_cookie
from appliance.api.schemas.pages import NEXT
from appliance.api.schemas.people import SESSION_COOKIE
from appliance.api.signin_pages import arrival_page, notice_page, sign_in_page
from appliance.auth.brake import Attempt
from appliance.auth.identity import Identity
from appliance.auth.oidc.sign_on import ATTEMPT_S, RETURN_PATH, NotBegunHere, Returned, SingleSignOn
from appliance.auth.sessions import SignedInSession
from appliance.config.identity import HEADER_DIRECTORY, OIDC_DIRECTORY
from appliance.errors import ApplianceError
from appliance.wiring import Appliance

BEGIN_PATH = "/login/oidc"
ARRIVED_PATH = "/login/arrived"
_BESIDE = "|"  # in the cookie of a sign-in that was begun, before its goal


def sign_on_routes(appliance: Appliance) -> list[Route]:
    """`/login/oidc` and where it returns to, where single sign-on is configured; `/login/arrived` for all."""

    async def arrived(request: Request) -> Response:
        if request.cookies.get(SESSION_COOKIE):
            return RedirectResponse(f"/{goal_of(request.query_params)}", 303)
        return notice_page(
            "Your browser did not keep the cookie",
            "Allow cookies for this address, then sign in again. (server.secure_cookie needs an address with https.)",
        )

    sign_on = appliance.sign_on
    if sign_on is None:
        return [Route(ARRIVED_PATH, arrived, methods=["GET"])]

    async def begin(request: Request) -> Response:
        goal = goal_of(request.query_params)
        try:
            begun = await run_in_threadpool(sign_on.begin)
        except ApplianceError as error:
            return sign_in_page(str(error), error.status, sign_on.name, goal=goal)
        response = RedirectResponse(begun.address, 303, {"Cache-Control": "no-store"})
        response.set_cookie(
            _attempt_cookie(appliance),
            f"{begun.cookie}{_BESIDE}{quote(goal)}",
            max_age=ATTEMPT_S,
            path="/",
            httponly=True,
            samesite="lax",  # the way back from the provider comes from another site
            secure=appliance.settings.server.secure_cookie,
        )
        return response

    async def come_back(request: Request) -> Response:
        goal = goal_of({NEXT: _kept(appliance, request)[1]})
        try:
            session = await run_in_threadpool(_finish, appliance, sign_on, request)
        except ApplianceError as error:
            response: Response = sign_in_page(str(error), error.status, sign_on.name, goal=goal)
        else:
            response = arrival_page(with_goal(ARRIVED_PATH, goal))
            set_cookie(response, appliance, session)
        response.delete_cookie(_attempt_cookie(appliance), path="/", secure=appliance.settings.server.secure_cookie)
        return response

    return [
        Route(ARRIVED_PATH, arrived, methods=["GET"]),
        Route(BEGIN_PATH, begin, methods=["GET"]),
        Route(RETURN_PATH, come_back, methods=["GET"]),
    ]


def arrive_through_proxy(appliance: Appliance, request: Request, goal: str) -> Response | None:
    """What somebody sees whom the reverse proxy names; None for a browser of whom it says nothing."""
    person = proxied.proxied_person(request)
    if person is None:
        return None
    try:
        session = _vouched_for(appliance, person, address_of(request))
    except ApplianceError as error:
        name = appliance.sign_on.name if appliance.sign_on else ""
        return sign_in_page(str(error), error.status, name, goal=goal)
    response = arrival_page(with_goal(ARRIVED_PATH, goal))
    set_cookie(response, appliance, session)
    return response


def leaving_address(appliance: Appliance, directory: str) -> str:
    """Where somebody of a directory goes to end their session there; empty for nowhere."""
    if directory == OIDC_DIRECTORY and appliance.sign_on is not None:
        return appliance.sign_on.sign_out_address()
    return appliance.settings.trusted_header.sign_out_url if directory == HEADER_DIRECTORY else ""


def open_session(
    appliance: Appliance, identity: Identity, address: str, *, since: datetime | None = None
) -> SignedInSession:
    """A new session of somebody a directory vouches for, on record before it is used.

    Raises:
        ApplianceError: See `Sessions.open_for`; and AuditUnavailable: then there is no session.
    """
    session = appliance.sessions.open_for(identity, since=since)
    record_sign_in(appliance, session, address, identity.directory)
    return session


def _vouched_for(appliance: Appliance, person: proxied.ProxiedPerson, address: str) -> SignedInSession:
    try:
        identity = proxied.identity_of(person, appliance.settings.trusted_header)
        return open_session(appliance, identity, address)
    except ApplianceError as error:
        record_failure(appliance, error, person.name, address, HEADER_DIRECTORY)
        raise


def _finish(appliance: Appliance, sign_on: SingleSignOn, request: Request) -> SignedInSession:
    address, cookie = address_of(request), _kept(appliance, request)[0]
    try:
        since = appliance.clock() - timedelta(seconds=sign_on.begun_before_s(cookie))  # a code may hold what was then
        identity = sign_on.finish(cookie, _returned(request))
    except NotBegunHere:
        raise  # nothing was attempted: strangers could send us anybody's browser, and fill the disk
    except ApplianceError as error:
        _record_refusal(appliance, error, address)
        raise
    try:
        return open_session(appliance, identity, address, since=since)
    except ApplianceError as error:
        record_failure(appliance, error, identity.name, address, OIDC_DIRECTORY)
        raise


def _record_refusal(appliance: Appliance, error: ApplianceError, address: str) -> None:
    """Put on record that somebody came back without proof; a few from each address: strangers could fill the disk."""
    brake, attempt = appliance.sessions.brake, Attempt.by_single_sign_on(address)
    if not brake.pause(attempt):
        brake.count(attempt)
        record_failure(appliance, error, None, address, OIDC_DIRECTORY)


def _returned(request: Request) -> Returned:
    """What the browser brought; what it brought twice, it did not bring."""
    query = request.query_params
    once = {key: query[key] for key in query if len(query.getlist(key)) == 1}
    return Returned(once.get("state", ""), once.get("code", ""), once.get("iss", ""), once.get("error", ""))


def _kept(appliance: Appliance, request: Request) -> tuple[str, str]:
    """What the browser kept of the sign-in that it began, and the goal of that."""
    cookie, _, goal = request.cookies.get(_attempt_cookie(appliance), "").partition(_BESIDE)
    return cookie, unquote(goal)


def _attempt_cookie(appliance: Appliance) -> str:
    """Its name: over TLS one that no other host of the same domain can set."""
    return "__Host-strongroom_attempt" if appliance.settings.server.secure_cookie else "strongroom_attempt"
