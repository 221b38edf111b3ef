"""Binds the session cookie to this very host, where the appliance is reached by TLS.

A cookie can be planted by a neighbour: another host of the same domain, or the same host without TLS. Who makes a
browser bring a session of their own sees what is asked in it. Browsers take a cookie whose name begins with `__Host-`
from this host alone, and by TLS alone (RFC 6265bis, section 4.1.3.2). So under that name the cookie travels, and under
its plain name the rest of the appliance knows it.

Rules this module keeps:

1. With `server.secure_cookie`, a session cookie that comes under its plain name is no session.
2. What goes to the browser has what the prefix asks for: Secure, the path "/", no domain. So does what deletes it.
3. The name with the prefix is understood without that setting too: the screens always bring it.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appliance.api.schemas.people import HOST_COOKIE, SESSION_COOKIE

_PLAIN, _BOUND = f"{SESSION_COOKIE}=".encode(), f"{HOST_COOKIE}=".encode()


class HostCookie:
    """ASGI middleware with the rules above, for outside of everything that reads a cookie."""

    def __init__(self, app: ASGIApp, *, required: bool) -> None:
        self._app = app
        self._required = required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_bound(message: Message) -> None:
            if self._required and "headers" in message:
                message = {**message, "headers": [_bound(name, value) for name, value in message["headers"]]}
            await send(message)

        headers = [self._inside(name, value) for name, value in scope["headers"]]
        await self._app({**scope, "headers": headers}, receive, send_bound)

    def _inside(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name != b"cookie" or SESSION_COOKIE.encode() not in value:
            return name, value
        pairs = [pair.strip(b" \t") for pair in value.split(b";")]
        return name, b"; ".join(self._known(pairs))

    def _known(self, pairs: list[bytes]) -> Iterable[bytes]:
        is_bound = any(pair.startswith(_BOUND) for pair in pairs)
        for pair in pairs:
            if pair.startswith(_BOUND):
                yield _PLAIN + pair.removeprefix(_BOUND)
            elif not (pair.partition(b"=")[0].strip() == SESSION_COOKIE.encode() and (self._required or is_bound)):
                yield pair


def _bound(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name.lower() != b"set-cookie" or not value.startswith(_PLAIN):
        return name, value
    attributes = [part.strip().lower() for part in value.split(b";")[1:]]
    secure = b"" if b"secure" in attributes else b"; Secure"
    return name, _BOUND + value.removeprefix(_PLAIN) + secure
