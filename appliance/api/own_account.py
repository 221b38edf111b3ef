"""The pages on which people change their password and set up their second factor: plain HTML, like the sign-in page.

Rules this module keeps:

1. What is secret travels between the browser and these pages alone; the screens never hold it.
2. They are open to somebody whose sign-in is not finished yet. What else is open to them are signing out, and changing
   the password over the API (`gate.Unfinished`).
3. Taking a second factor away takes a code of it: a browser left open is not enough.
4. They lead on to the page that somebody came for (`goals`), and to nothing that is not open to them yet.
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from string import Template

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from appliance.api.gate import record_act
from appliance.api.goals import goal_of, with_goal
from appliance.api.opening import set_cookie
from appliance.api.qr import qr_code
from appliance.api.schemas.people import SESSION_COOKIE
from appliance.api.signin import change_password, next_address
from appliance.api.signin_pages import goal_field, page
from appliance.auth.brake import Attempt
from appliance.auth.second_factor import address_for_apps
from appliance.auth.sessions import TokenKind
from appliance.domain import Principal
from appliance.errors import ApplianceError, InvalidRequest, NotSignedIn
from appliance.wiring import Appliance


@dataclass(frozen=True, slots=True)
class _Visit:
    """Somebody at one of the pages: with which session, what they sent, and which page they came for."""

    token: str
    person: Principal
    fields: dict[str, str]
    goal: str


_Answer = Callable[[_Visit], Response]

_CHANGE_FORM = """<form method="post" action="/password">
$goal
<label for="old">Password now</label>
<input id="old" name="old" type="password" autocomplete="current-password" maxlength="1024" required autofocus>
<label for="new">New password</label>
<input id="new" name="new" type="password" autocomplete="new-password" minlength="12" maxlength="1024" required>
<label for="again">New password again</label>
<input id="again" name="again" type="password" autocomplete="new-password" maxlength="1024" required>
<button type="submit">Change password</button>
</form>"""

_CODE_INPUT = """<label for="code">Code that the app shows</label>
<input id="code" name="code" type="text" autocomplete="one-time-code" autocapitalize="none" maxlength="64" required>"""

_SETUP = """$qr
<p class="secret">$secret</p>
<form method="post" action="/second-factor">
$goal
$code
<button type="submit">Turn on</button>
</form>"""

_REMOVAL = """<form method="post" action="/second-factor/remove">
$code
<button type="submit">Take it away</button>
</form>"""

_LINK = '<p class="small"><a href="$address">$words</a></p>'
_FIRST = {"/password": "Change your password first", "/second-factor": "Set up your second factor first"}

_DONE = """<ul class="secret codes">$codes</ul>
<p class="small"><a href="$onward">I have noted them. Continue</a></p>"""


def own_account_routes(appliance: Appliance) -> list[Route]:
    """`/password` and `/second-factor`."""
    password, factor = _PasswordPage(appliance), _SecondFactorPage(appliance)
    return [
        Route("/password", _for_whoever_signed_in(appliance, password.show), methods=["GET"]),
        Route("/password", _for_whoever_signed_in(appliance, password.change), methods=["POST"]),
        Route("/second-factor", _for_whoever_signed_in(appliance, factor.show), methods=["GET"]),
        Route("/second-factor", _for_whoever_signed_in(appliance, factor.turn_on), methods=["POST"]),
        Route("/second-factor/remove", _for_whoever_signed_in(appliance, factor.remove), methods=["POST"]),
    ]


def _for_whoever_signed_in(appliance: Appliance, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    """A page for whoever holds a session, finished or not; a stranger is led to the sign-in page.

    So is who is one by the time of the answer. Every other error is told on a page.
    """

    async def endpoint(request: Request) -> Response:
        token, goal = request.cookies.get(SESSION_COOKIE, ""), goal_of(request.query_params)
        try:
            found = await run_in_threadpool(
                appliance.sessions.recognise, token, kind=TokenKind.SESSION, may_be_unfinished=True
            )
            async with request.form(max_files=0, max_fields=4, max_part_size=4096) as form:
                fields = {name: str(value) for name, value in form.items()}
            goal = goal_of(fields) or goal
            return await run_in_threadpool(answer, _Visit(token, found.principal, fields, goal))
        except NotSignedIn:
            return RedirectResponse(with_goal("/login", goal), 303)
        except ApplianceError as error:
            return _page("Your account", "", "", str(error), error.status, back="")

    return endpoint


class _PasswordPage:
    def __init__(self, appliance: Appliance) -> None:
        self._appliance = appliance

    def show(self, visit: _Visit) -> Response:
        if self._appliance.accounts.person(visit.person.id).directory:
            lead = "Your password is kept elsewhere. Change it where you sign in."
            return _page("Change your password", lead, "", back=self._back(visit))
        return self._form(visit, "")

    def change(self, visit: _Visit) -> Response:
        new = visit.fields.get("new", "")
        if new != visit.fields.get("again"):
            return self._form(visit, "The new password was typed in two ways. Try again.", 422)
        try:
            session = change_password(self._appliance, visit.person, visit.fields.get("old", ""), new)
        except NotSignedIn:
            return self._form(visit, "The password you have now was not typed right. Try again.", 401)
        except ApplianceError as error:
            return self._form(visit, str(error), error.status)
        response = RedirectResponse(next_address(self._appliance, session.token, visit.goal), 303)
        set_cookie(response, self._appliance, session)
        return response

    def _form(self, visit: _Visit, message: str, status: int = 200) -> Response:
        lead = "At least 12 characters; four words are good. Your other sessions, and your tokens, end."
        if self._appliance.accounts.person(visit.person.id).must_change_password:
            lead = f"Somebody else set your password. Choose one that you alone know before you go on. {lead}"
        form = Template(_CHANGE_FORM).substitute(goal=goal_field(visit.goal))
        return _page("Change your password", lead, form, message, status, back=self._back(visit))

    def _back(self, visit: _Visit) -> str:
        return _way_back("/password", next_address(self._appliance, visit.token, visit.goal))


class _SecondFactorPage:
    def __init__(self, appliance: Appliance) -> None:
        self._appliance = appliance

    def show(self, visit: _Visit) -> Response:
        return self._form(visit, "")

    def turn_on(self, visit: _Visit) -> Response:
        factors, person = self._appliance.sessions.second_factors, visit.person
        try:
            with record_act(self._appliance, person, "second_factor.set_up", person.name):
                codes = factors.confirm(person.id, visit.fields.get("code", ""))
        except ApplianceError as error:
            return self._form(visit, str(error), error.status)
        lead = "It is on. Each of these codes signs you in once if you lose the device. They are shown this once."
        listed = "".join(f"<li>{html.escape(code)}</li>" for code in codes)
        try:
            onward = next_address(self._appliance, visit.token, visit.goal)
        except ApplianceError:  # the codes are shown all the same; the next page says what is wrong
            onward = f"/{visit.goal}"
        body = Template(_DONE).substitute(codes=listed, onward=html.escape(onward))
        return _page("Second factor", lead, body, back=_way_back("/second-factor", onward))

    def remove(self, visit: _Visit) -> Response:
        sessions, person = self._appliance.sessions, visit.person
        try:
            sessions.brake.refuse_when_paused(Attempt.in_session(person.id))  # not on record, as at the door
            with record_act(self._appliance, person, "second_factor.removed", person.name):
                sessions.remove_second_factor(person.id, visit.fields.get("code", ""))
        except ApplianceError as error:
            return self._form(visit, str(error), error.status)
        return RedirectResponse("/second-factor", 303)

    def _form(self, visit: _Visit, message: str, status: int = 200) -> Response:
        person, back = visit.person, self._back(visit)
        if self._appliance.accounts.person(person.id).totp_on:
            lead = "It is on: signing in takes a code of your app. To use another device, take it away first."
            removal = Template(_REMOVAL).substitute(code=_CODE_INPUT)
            return _page("Second factor", lead, removal, message, status, back=back)
        try:
            secret = self._appliance.sessions.second_factors.begin(person.id)
        except InvalidRequest as error:
            return _page("Second factor", "", "", str(error), error.status, back=back)
        lead = "Scan this with an authenticator app, or type the letters below into it. Then give the code it shows."
        qr, field = qr_code(address_for_apps(secret, person.name)), goal_field(visit.goal)
        body = Template(_SETUP).substitute(qr=qr, secret=_in_fours(secret), code=_CODE_INPUT, goal=field)
        return _page("Second factor", lead, body, message, status, back=back)

    def _back(self, visit: _Visit) -> str:
        return _way_back("/second-factor", next_address(self._appliance, visit.token, visit.goal))


def _way_back(here: str, onward: str) -> str:
    """The link to one's account, or to what has to be done before that is open; none to the page itself; as HTML."""
    step = onward.partition("?")[0]
    if step == here:
        return ""
    address, words = (onward, _FIRST[step]) if step in _FIRST else ("/account", "Back to your account")
    return Template(_LINK).substitute(address=html.escape(address), words=words)


def _page(title: str, lead: str, body: str, message: str = "", status: int = 200, *, back: str) -> HTMLResponse:
    """A page with what somebody does about their account; `body` and `back` are HTML of ours."""
    words = {"lead": html.escape(lead), "message": html.escape(message)}
    return page("account.html", title, status, body=body, back=back, **words)


def _in_fours(secret: str) -> str:
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
