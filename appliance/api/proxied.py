"""Who a reverse proxy says is asking: believed from the proxy's own address, refused from everywhere else.

Rules this module keeps:

1. A request with one of the proxy's headers that does not come from one of `trusted_header.proxies` is refused and put
   on record. The address is the peer's own: what X-Forwarded-For says decides nothing here.
2. Each header comes once at most. `X_Remote_User` counts as `X-Remote-User`, so that it cannot stand beside it.
3. What the proxy said reaches the application as a `ProxiedPerson` in the scope; the headers themselves do not.
4. A session of one person of the proxy is not used by another: who changes at the proxy signs in anew.
5. The groups of a header count from that request on, whatever the session was opened with. Who could not sign in by
   them is signed out.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from appliance.api.schemas.people import SESSION_COOKIE
from appliance.audit.entries import SignInFailed
from appliance.auth.belonging import groups_here, roles_here, texts
from appliance.auth.identity import Identity, SignOut
from appliance.auth.naming import normal_name
from appliance.auth.sessions import TokenKind
from appliance.config.identity import HEADER_DIRECTORY, TrustedHeaderSettings
from appliance.errors import AccessDenied, ApplianceError, NotSignedIn
from appliance.wiring import Appliance, put_on_record

_log = logging.getLogger(__name__)

PEER = "strongroom.peer"
"""Where in a scope the address stands that a connection really comes from."""

_PERSON = "strongroom.proxied"
_RECORD_EVERY_S = 60.0
_MAX_RECORDED = 1000
_SIGN_IN_PATHS = ("/login", "/logout")


@dataclass(frozen=True, slots=True)
class ProxiedPerson:
    """Somebody as the proxy names them. `groups` are those there."""

    name: str
    display_name: str
    groups: frozenset[str]


def proxied_person(request: HTTPConnection) -> ProxiedPerson | None:
    """Whom the proxy named for this request; None for nobody."""
    found = request.scope.get(_PERSON)
    return found if isinstance(found, ProxiedPerson) else None


def identity_of(person: ProxiedPerson, settings: TrustedHeaderSettings) -> Identity:
    """Who that is here. Raises AccessDenied: no role, or two that nobody may hold together."""
    return Identity(
        directory=HEADER_DIRECTORY,
        subject=_subject(person),
        name=person.name,
        display_name=person.display_name,
        groups=groups_here(person.groups, settings),
        roles=roles_here(person.groups, settings, "the reverse proxy"),
    )


class PeerNoted:
    """ASGI middleware for outside of everything that rewrites addresses: notes where a connection really comes from."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        peer = (scope.get("client") or ("", 0))[0]
        await self._app({**scope, PEER: peer}, receive, send)


class TrustedHeader:
    """ASGI middleware with the rules above."""

    def __init__(self, app: ASGIApp, appliance: Appliance) -> None:
        self._app = app
        self._appliance = appliance
        self._settings = appliance.settings.trusted_header
        self._names = frozenset(self._settings.headers)
        self._networks = self._settings.networks
        self._recorded: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        sent = [(_normal(name), name, value) for name, value in scope["headers"] if _normal(name) in self._names]
        try:
            person = self._person(str(scope.get(PEER, "")), sent)
        except AccessDenied as error:
            await run_in_threadpool(self._record, str(scope.get(PEER, "")), error)
            await _refuse(_problem(error), scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if _normal(name) not in self._names]
        inner = {**scope, "headers": headers, _PERSON: person}
        if person is not None:
            refusal = await run_in_threadpool(self._refusal, scope["path"], Headers(raw=headers), person)
            if refusal is not None:
                await _refuse(refusal, scope, receive, send)
                return
        await self._app(inner, receive, send)

    def _person(self, peer: str, sent: list[tuple[str, bytes, bytes]]) -> ProxiedPerson | None:
        """Whom these headers name. Raises AccessDenied when they may not."""
        if not sent:
            return None
        if not self._is_proxy(peer):
            raise AccessDenied("Only the reverse proxy may say who somebody is. Sign in on the sign-in page.")
        if len({name for name, _, _ in sent}) != len(sent) or any(b"_" in name for _, name, _ in sent):
            raise AccessDenied(
                "The reverse proxy sent a header twice, or passed on one that a browser made up. Have it remove those "
                "headers from what browsers send."
            )
        told = {name: _text(value) for name, _, value in sent}
        if not told.get(self._settings.user_header.lower()):
            return None
        self._require_secret(told.get(self._settings.secret_header.lower(), ""))
        return ProxiedPerson(
            name=told[self._settings.user_header.lower()],
            display_name=told.get(self._settings.display_name_header.lower(), ""),
            groups=texts(told.get(self._settings.groups_header.lower(), "").split(self._settings.separator)),
        )

    def _require_secret(self, sent: str) -> None:
        secret = self._settings.secret.get_secret_value()
        if secret and not hmac.compare_digest(secret.encode(), sent.encode()):
            raise AccessDenied(
                "The reverse proxy did not send its secret. Set the same one there and in trusted_header.secret."
            )

    def _is_proxy(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
        return any(plain in network for network in self._networks)

    def _refusal(self, path: str, headers: Headers, person: ProxiedPerson) -> Response | None:
        """What to say to somebody whom the proxy names, once its groups count; None for who may go on."""
        try:
            self._renew(person)
        except ApplianceError as error:  # else they would go on with the groups of before
            return _problem(error)
        return self._anew(path) if self._is_of_another(headers, person) else None

    def _renew(self, person: ProxiedPerson) -> None:
        """Let the header count for somebody who signed in before. Raises ApplianceError: it does not."""
        known = self._appliance.accounts.of_directory(HEADER_DIRECTORY, _subject(person))
        if known is None or known.heard_at is None:
            return  # they have to sign in first, and are asked for no more until then
        try:
            identity = identity_of(person, self._settings)
        except AccessDenied:
            told = SignOut(HEADER_DIRECTORY, secrets.token_hex(32), known.subject)
            for ended in self._appliance.sessions.end_for(told):
                put_on_record.signed_out(self._appliance.log, HEADER_DIRECTORY, ended)
        else:
            self._appliance.sessions.renew_for(identity, known)

    def _is_of_another(self, headers: Headers, person: ProxiedPerson) -> bool:
        """Whether the session that comes along is of somebody else whom the proxy named before."""
        session = cookie_parser(headers.get("cookie", "")).get(SESSION_COOKIE, "")
        try:
            shown = self._appliance.sessions.recognise(session, kind=TokenKind.SESSION, may_be_unfinished=True)
            holder = self._appliance.accounts.person(shown.principal.id)
        except ApplianceError:
            return False  # whoever this is has no session that could be taken for somebody's
        return holder.directory == HEADER_DIRECTORY and holder.name != normal_name(person.name)

    def _anew(self, path: str) -> Response | None:
        """What to say to somebody with another one's session; None where they can sign in."""
        if path.startswith(_SIGN_IN_PATHS):
            return None
        if path == "/":
            return RedirectResponse("/login", 303)
        message = "You are somebody else at the reverse proxy than when you signed in here. Sign in again."
        return JSONResponse({"code": NotSignedIn.code, "message": message}, NotSignedIn.status)

    def _record(self, peer: str, error: AccessDenied) -> None:
        """Put a refusal on record, one a minute from each address: strangers could fill the disk."""
        now = time.monotonic()
        if now - self._recorded.get(peer, -_RECORD_EVERY_S) < _RECORD_EVERY_S:
            return
        if len(self._recorded) >= _MAX_RECORDED:
            self._recorded.clear()
        self._recorded[peer] = now
        try:
            self._appliance.log.append(SignInFailed("", "", origin=peer, reason=error.code, door=HEADER_DIRECTORY))
        except ApplianceError as problem:
            _log.error("A refused header could not be put on record: %s", problem.code)


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    else:
        await response(scope, receive, send)


def _problem(error: ApplianceError) -> JSONResponse:
    return JSONResponse({"code": error.code, "message": str(error)}, error.status)


def _subject(person: ProxiedPerson) -> str:
    return normal_name(person.name) or person.name


def _normal(name: bytes) -> str:
    return name.decode("latin-1").lower().replace("_", "-")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()
