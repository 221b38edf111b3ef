"""Who is asking: turns a request's cookie or bearer token into a `Principal`, and refuses the wrong role.

Every route names what it needs by one of the dependencies at the end of this module; a test walks the OpenAPI schema to
see that none is open by omission.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Depends, Request

from appliance.api.schemas.people import SESSION_COOKIE
from appliance.audit.entries import AdminAction
from appliance.auth.groups import groups_in_use, require_one_spelling
from appliance.auth.sessions import TokenKind
from appliance.domain import Principal, Role
from appliance.errors import AccessDenied, NotSignedIn
from appliance.wiring import Appliance

OPERATOR = "operator"
GROUPS_HEADER = "X-Strongroom-Groups"
"""The operator's requests may name the groups to act for. Who can read the data folder can read the documents."""

_OPERATOR_ROLES = frozenset({Role.EMPLOYEE, Role.ADMIN})


def groups_header(groups: Iterable[str]) -> str:
    """The value of GROUPS_HEADER: percent-encoded, for a header is ASCII and a group's name may hold a comma."""
    return ",".join(quote(group, safe="", errors="surrogateescape") for group in groups)


def appliance_of(request: Request) -> Appliance:
    """The appliance this request is for."""
    appliance: Appliance = request.app.state.appliance
    return appliance


def signed_in(request: Request) -> Principal:
    """Whoever holds the session cookie, the API token or the operator's token. Raises NotSignedIn."""
    appliance = appliance_of(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        if hmac.compare_digest(token.encode(), appliance.operator_token.encode()):
            return _operator(request)
        return appliance.sessions.authenticate(token, kind=TokenKind.API)
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        raise NotSignedIn
    return appliance.sessions.authenticate(cookie, kind=TokenKind.SESSION)


def _operator(request: Request) -> Principal:
    named = request.headers.get(GROUPS_HEADER, "").split(",")
    groups = frozenset(name for name in (unquote(part).strip() for part in named) if name)
    return Principal(OPERATOR, OPERATOR, _OPERATOR_ROLES, groups)


def _holding(*roles: Role) -> Callable[[Principal], Principal]:
    def check(principal: Annotated[Principal, Depends(signed_in)]) -> Principal:
        if principal.roles.isdisjoint(roles):
            wanted = "' or '".join(role.value for role in roles)
            raise AccessDenied(f"This needs the role '{wanted}'. Ask an administrator if you should have it.")
        return principal

    return check


def _in_browser(request: Request, principal: Annotated[Principal, Depends(signed_in)]) -> Principal:
    if "Authorization" in request.headers:
        raise AccessDenied("This needs a session of a person, not a token. Sign in.")
    return principal


def record_act(appliance: Appliance, principal: Principal, action: str, subject: str, detail: str = "") -> None:
    """Put an act of an administrator on record before it is done. Raises AuditUnavailable: then it is not done."""
    appliance.log.append(AdminAction(principal.id, action, subject, detail))


def require_known_spelling(appliance: Appliance, groups: Iterable[str]) -> None:
    """Raises InvalidRequest when a group is written otherwise than one that is in use."""
    require_one_spelling(groups, groups_in_use(appliance.accounts, appliance.catalog))


TheAppliance = Annotated[Appliance, Depends(appliance_of)]
SignedIn = Annotated[Principal, Depends(signed_in)]
InBrowser = Annotated[Principal, Depends(_in_browser)]
Employee = Annotated[Principal, Depends(_holding(Role.EMPLOYEE))]
Admin = Annotated[Principal, Depends(_holding(Role.ADMIN))]
EmployeeOrAdmin = Annotated[Principal, Depends(_holding(Role.EMPLOYEE, Role.ADMIN))]
Compliance = Annotated[Principal, Depends(_holding(Role.COMPLIANCE))]
