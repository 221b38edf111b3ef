"""Who is asking: turns a request's cookie or bearer token into a `Principal`, and refuses the wrong role.

Rules this module keeps:

1. Every route names what it needs by one of the dependencies at the end of this module; a test walks the OpenAPI schema
   to see that none is open by omission.
2. An API token opens a route only if the dependency names a scope that the token has. One that names none is for people
   in a browser.
3. A route that shows what the query log holds asks for `OpenedLog`, so that nothing is read without a written reason.
4. Somebody who has yet to change their password, or to set up the second factor their role needs, is refused here,
   whatever they show. One dependency lets them in, `Unfinished`, for signing out and for changing the password.
5. Who shows a bearer token is taken by it alone, whatever cookie comes along. Any other Authorization header is not
   ours (a proxy's own, of a browser that signed in there) and decides nothing.
6. A dependency that looks nothing up is a coroutine: it takes no thread, for which others would wait.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Depends, Request

from appliance.api.opening import session_name
from appliance.api.proxied import PEER
from appliance.api.schemas.people import SESSION_COOKIE
from appliance.audit.acts import Begun, begun
from appliance.audit.entries import AdminAction
from appliance.auth.groups import groups_in_use, require_one_spelling
from appliance.auth.sessions import TokenKind
from appliance.domain import Principal, Role, Scope
from appliance.errors import AccessDenied, NotSignedIn
from appliance.wiring import Appliance

OPERATOR = "operator"
GROUPS_HEADER = "X-Strongroom-Groups"
"""The operator's requests may name the groups to act for. Who can read the data folder can read the documents."""

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""What a reverse proxy says of a request that came from elsewhere."""

_OPERATOR_ROLES = frozenset({Role.EMPLOYEE, Role.ADMIN})


def groups_header(groups: Iterable[str]) -> str:
    """The value of GROUPS_HEADER: percent-encoded, for a header is ASCII and a group's name may hold a comma."""
    return ",".join(quote(group, safe="", errors="surrogateescape") for group in groups)


def appliance_of(request: Request) -> Appliance:
    """The appliance this request is for."""
    appliance: Appliance = request.app.state.appliance
    return appliance


async def _the_appliance(request: Request) -> Appliance:
    return appliance_of(request)


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who is asking, and by what: `scopes` is None for whoever does not come with an API token.

    `session` names the session or token, and does not open it. `answerable` is the account of whoever answers for what
    is given with it: of a program, who made its token.
    """

    principal: Principal
    scopes: frozenset[Scope] | None
    session: str
    answerable: str
    in_browser: bool = False


def _caller(request: Request) -> _Caller:
    """Whoever holds the session cookie, the API token or the operator's token.

    A program, which holds an API token, is given nothing that may not leave the screens.

    Raises:
        NotSignedIn, PasswordChangeRequired, SecondFactorRequired, AuditUnavailable, CatalogUnavailable: See
            `Sessions.recognise`.
    """
    appliance = appliance_of(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        if _is_here(request) and hmac.compare_digest(token.encode(), appliance.operator_token.encode()):
            return _Caller(_operator(appliance, request), None, OPERATOR, OPERATOR)
        found = appliance.sessions.recognise(token, kind=TokenKind.API)
        principal = appliance.outside(appliance.cleared(found.principal))
        return _Caller(principal, found.scopes, session_name(token), found.answerable)
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        raise NotSignedIn
    principal = appliance.cleared(appliance.sessions.authenticate(cookie, kind=TokenKind.SESSION))
    return _Caller(principal, None, session_name(cookie), principal.id, in_browser=True)


def _is_here(request: Request) -> bool:
    """Whether a request was made on this machine: the operator's token lies in a file here, and is good here alone."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    peer = str(request.scope.get(PEER, ""))
    try:
        return ip_address(peer).is_loopback or peer == (request.scope.get("server") or ("",))[0]
    except ValueError:  # no address: a socket that only programs of this machine reach
        return True


def _operator(appliance: Appliance, request: Request) -> Principal:
    named = request.headers.get(GROUPS_HEADER, "").split(",")
    groups = frozenset(name for name in (unquote(part).strip() for part in named) if name)
    highest = appliance.settings.access.levels[-1]
    return appliance.cleared(Principal(OPERATOR, OPERATOR, _OPERATOR_ROLES, groups, clearance=highest))


def _holding(*roles: Role, scope: Scope | None) -> Callable[[_Caller], Awaitable[Principal]]:
    """Admits whoever has one of these roles (none named: anybody signed in), with a token only for its scope."""

    async def check(caller: Annotated[_Caller, Depends(_caller)]) -> Principal:
        return _admitted(caller, roles, scope)

    return check


def _admitted(caller: _Caller, roles: Collection[Role], scope: Scope | None) -> Principal:
    if caller.scopes is not None and scope not in caller.scopes:
        raise AccessDenied(_not_for_this(scope))
    if roles and caller.principal.roles.isdisjoint(roles):
        wanted = "' or '".join(role.value for role in roles)
        raise AccessDenied(f"This needs the role '{wanted}'. Ask an administrator if you should have it.")
    return caller.principal


def _not_for_this(scope: Scope | None) -> str:
    if scope is None:
        return "This needs a session of a person, not a token. Sign in."
    return f"This token is not for that. Use one that was made with the scope '{scope.value}'."


async def _with_any_token(caller: Annotated[_Caller, Depends(_caller)]) -> Principal:
    return caller.principal


def _unfinished(request: Request) -> Principal:
    """Whoever holds the session cookie, even if they have yet to change their password. Raises as `recognise` does."""
    cookie = request.cookies.get(SESSION_COOKIE, "")
    return appliance_of(request).sessions.recognise(cookie, kind=TokenKind.SESSION, may_be_unfinished=True).principal


async def _in_browser(caller: Annotated[_Caller, Depends(_caller)]) -> Principal:
    if not caller.in_browser:
        raise AccessDenied(_not_for_this(None))
    return caller.principal


async def _still_asking(request: Request) -> Callable[[], Principal]:
    return lambda: _admitted(_caller(request), (Role.EMPLOYEE,), Scope.ASK)


def record_act(appliance: Appliance, principal: Principal, action: str, subject: str, detail: str = "") -> Begun:
    """Put an act on record before it is done, which is inside a `with` of what comes back if it can fail.

    Raises AuditUnavailable: then it is not done.
    """
    return begun(appliance.log.append, AdminAction(principal.id, action, subject, detail))


def require_known_spelling(appliance: Appliance, groups: Iterable[str]) -> None:
    """Raises InvalidRequest when a group is written otherwise than one that is in use."""
    require_one_spelling(groups, groups_in_use(appliance.accounts, appliance.catalog))


async def _session(caller: Annotated[_Caller, Depends(_caller)]) -> str:
    return caller.session


async def _door(caller: Annotated[_Caller, Depends(_caller)]) -> str:
    if caller.in_browser:
        return "browser"
    return "command-line" if caller.scopes is None else "api"


def _answerable(caller: Annotated[_Caller, Depends(_caller)]) -> str:
    return caller.answerable


def _opened(
    officer: Annotated[Principal, Depends(_holding(Role.COMPLIANCE, scope=Scope.LOG))],
    session: Annotated[str, Depends(_session)],
    request: Request,
) -> Principal:
    """An officer who wrote down why they read the log. Raises LogNotOpened."""
    appliance_of(request).openings.require(session)
    return officer


TheAppliance = Annotated[Appliance, Depends(_the_appliance)]
AnyCaller = Annotated[Principal, Depends(_with_any_token)]
SignedIn = Annotated[Principal, Depends(_holding(scope=None))]
Unfinished = Annotated[Principal, Depends(_unfinished)]
InBrowser = Annotated[Principal, Depends(_in_browser)]
Employee = Annotated[Principal, Depends(_holding(Role.EMPLOYEE, scope=None))]
Citing = Annotated[Principal, Depends(_holding(*Role, scope=Scope.ASK))]
Asking = Annotated[Principal, Depends(_holding(Role.EMPLOYEE, scope=Scope.ASK))]
StillAsking = Annotated[Callable[[], Principal], Depends(_still_asking)]
"""Asks again, as often as it is called, whether the session or token is good, and for whom."""

OwnHistory = Annotated[Principal, Depends(_holding(Role.EMPLOYEE, scope=Scope.HISTORY))]
Reading = Annotated[Principal, Depends(_holding(Role.EMPLOYEE, scope=Scope.LIBRARY))]
EmployeeOrAdmin = Annotated[Principal, Depends(_holding(Role.EMPLOYEE, Role.ADMIN, scope=Scope.LIBRARY))]
Admin = Annotated[Principal, Depends(_holding(Role.ADMIN, scope=None))]
IngestAdmin = Annotated[Principal, Depends(_holding(Role.ADMIN, scope=Scope.INGEST))]
PeopleAdmin = Annotated[Principal, Depends(_holding(Role.ADMIN, scope=Scope.PEOPLE))]
EvaluationAdmin = Annotated[Principal, Depends(_holding(Role.ADMIN, scope=Scope.EVALUATE))]
AdminOrCompliance = Annotated[Principal, Depends(_holding(Role.ADMIN, Role.COMPLIANCE, scope=Scope.HEALTH))]
HealthAdmin = Annotated[Principal, Depends(_holding(Role.ADMIN, scope=Scope.HEALTH))]
Compliance = Annotated[Principal, Depends(_holding(Role.COMPLIANCE, scope=Scope.LOG))]
"""An officer, for what shows nothing that the query log holds."""

Officer = Annotated[Principal, Depends(_holding(Role.COMPLIANCE, scope=None))]
"""A compliance officer in person: what a token may not do."""

OpenedLog = Annotated[Principal, Depends(_opened)]
"""An officer to whom the query log is open: every route that shows what it holds asks for this."""

Answerable = Annotated[str, Depends(_answerable)]
"""The account of whoever answers for what is given: themselves, or of a program who made the token it shows."""

TheSession = Annotated[str, Depends(_session)]
"""A name for the session or token of whoever asks, which does not open it."""

TheDoor = Annotated[str, Depends(_door)]
"""By which way somebody asks, for the record: `DOORS` in `appliance.wording` has the words."""
