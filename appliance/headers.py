"""The outermost layer of the server: what may come in, and the headers everything goes out with.

Rules this module keeps:

1. A request whose Host is not one of ours is refused (DNS rebinding), and so is one that changes something and comes
   from a page of another origin (cross-site request forgery).
2. Every response carries the Content-Security-Policy and its companions: whatever slips into a page can load nothing.
3. Doors of Streamlit that nobody needs are closed. That of uploads, where Streamlit asks for no session, opens for
   those who may upload (`UploadDoor`, further in: behind whatever says who somebody is).
4. A request body is bounded, and may be as large as a document only where documents are uploaded.
5. An error nobody foresaw is logged by type and place. Its message, which may hold what somebody wrote, goes nowhere.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.api.schemas.evaluations import MAX_GOLDEN_BYTES
from appliance.api.schemas.people import SESSION_COOKIE
from appliance.errors import place_of

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
    )
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}

_OF_ONE_PERSON = ("/api/", "/v1/")
"""What is said here is for whoever asked, and no browser or proxy keeps it."""

CLOSED_PATHS = ("/_stcore/metrics", "/_stcore/agent", "/media", "/component")
GOLDEN_SETS = "/api/evaluations"
UPLOAD_DOOR = "/_stcore/upload_file"
_UPLOADS = re.compile(rf"{UPLOAD_DOOR}/.+|/api/sources/[^/]+/uploads")
_FORM_BYTES = 64 * 1024  # what a form puts around a file
_MAX_DIGITS = 20  # of a Content-Length, as in h11; Python refuses to read numbers of thousands of digits
_OWN_SITE = frozenset({"same-origin", "none"})  # "none": typed or opened by the person, by no page
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class OuterLayer:
    """ASGI middleware with the rules above."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed_hosts: Iterable[str],
        max_upload_bytes: int = 0,
    ) -> None:
        """Put the layer around `app`. `max_upload_bytes`: how large an uploaded document may be."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                if scope["path"].startswith(_OF_ONE_PERSON):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        limit = self._limit(scope["path"])
        refusal = self._refusal(scope, headers, limit)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
        elif scope["path"] == "/" and f"{SESSION_COOKIE}=" not in headers.get("cookie", ""):
            await RedirectResponse("/login", 303)(scope, receive, send_with_headers)
        else:
            await self._guarded(scope, _Bounded(receive, limit), send_with_headers)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, without its errors: a server would print them with their message."""
        begun = ended = False

        async def watched(message: Message) -> None:
            nonlocal begun, ended
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the outermost edge of a request
            if not ended:
                _log.error("Unexpected %s at %s", type(error).__name__, place_of(error))
            if not begun:
                refusal = _problem("internal", "Something went wrong inside the appliance. Try again.", 500)
                await refusal(scope, receive, send)

    def _limit(self, path: str) -> int:
        """How many bytes the body of a request to `path` may have."""
        if self._max_upload_bytes and _UPLOADS.fullmatch(path):
            return self._max_upload_bytes + _FORM_BYTES
        return MAX_GOLDEN_BYTES if path == GOLDEN_SETS else MAX_BODY_BYTES

    def _refusal(self, scope: Scope, headers: Headers, limit: int) -> JSONResponse | None:
        if _host_name(headers.get("host", "")) not in self._hosts:
            return _problem("wrong_host", "This name is not one of server.allowed_hosts.", 421)
        if scope["method"] not in _SAFE_METHODS and not self._may_change(headers):
            return _problem("wrong_origin", "Requests from pages of other sites are refused.", 403)
        if scope["path"].startswith(CLOSED_PATHS):
            return _problem("not_found", "There is nothing here.", 404)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or len(length) > _MAX_DIGITS or int(length) > limit:
            return _problem("too_large", f"This request may have {limit:,} bytes.", 413)
        return None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _host_name(host) in self._hosts and self._is_own(headers.get("origin"), host):
            try:
                await self._app(scope, receive, send)
            except Exception as error:  # noqa: BLE001 - the outermost edge of a connection
                _log.error("Unexpected %s at %s", type(error).__name__, place_of(error))
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    def _may_change(self, headers: Headers) -> bool:
        """Whether a request is none that a page of another site makes a browser send, by all that a browser tells.

        `Sec-Fetch-Site` (Fetch Metadata) comes with every request of a browser, `Origin` not with all of them.
        """
        if headers.get("sec-fetch-site", "none") not in _OWN_SITE:
            return False
        return self._is_own(headers.get("origin"), headers.get("host", ""))

    def _is_own(self, origin: str | None, host: str) -> bool:
        """Whether a request comes from our own pages, or from no page at all (a program)."""
        if origin is None:
            return True
        try:
            return urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:  # "http://[": no browser sends that
            return False


class UploadDoor:
    """ASGI middleware that opens the door of uploads for those who may upload, and for nobody else."""

    def __init__(self, app: ASGIApp, *, may_upload: Callable[[str], bool]) -> None:
        """Put it around `app`.

        Args:
            may_upload: Whether the holder of a session cookie may upload; asked outside of the event loop.
        """
        self._app = app
        self._may_upload = may_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http" and scope["path"].startswith(UPLOAD_DOOR):
            session = cookie_parser(Headers(scope=scope).get("cookie", "")).get(SESSION_COOKIE, "")
            if not await run_in_threadpool(self._may_upload, session):
                await _problem("not_found", "There is nothing here.", 404)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Bounded:
    """A `receive` that ends a body which is longer than it may be, whatever its headers say."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                return {"type": "http.disconnect"}
        return message


def _host_name(host: str) -> str:
    """The name in a Host header, without the port; "" when it is no name."""
    if not _is_plain(host):
        return ""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:  # a bracket that is not closed, or no address between two
        return ""


def _is_plain(host: str) -> bool:
    return bool(host) and all(character.isalnum() or character in ".-:[]_" for character in host)


def _problem(code: str, message: str, status: int) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status)
