"""A provider that can be told to do wrong, over a real socket."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc.jwk import RSAKey

from appliance.auth.oidc.logout_token import EVENT

CLIENT = "strongroom"
DISCOVERY = "/.well-known/openid-configuration"

Reply = tuple[int, dict[str, str], bytes]
_NUMBERS = itertools.count()
_KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"}, auto_kid=False)


def reply(content: Any, status: int = 200, **headers: str) -> Reply:
    return status, headers, json.dumps(content).encode()


@dataclass
class Misbehaving:
    """A well-behaved provider, until something of it is changed."""

    issuer: str
    key: RSAKey = field(default_factory=lambda: _KEY)
    published: list[Any] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)
    header: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    discovery: dict[str, Any] = field(default_factory=dict)
    replies: dict[str, Callable[[], Reply]] = field(default_factory=dict)
    delay_s: dict[str, float] = field(default_factory=dict)
    trickle: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    sign: Callable[[dict[str, Any], bytes], str] | None = None

    def keys(self) -> list[Any]:
        return self.published or [self.key.as_dict(private=False)]

    def id_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "0815", "exp": now + 60, "iat": now, "nonce": self.nonce,
            "preferred_username": "anna", "name": "Anna Berg", "groups": ["staff"], **self.claims,
        }  # fmt: skip
        return self._token({}, claims)

    def logout_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "0815", "exp": now + 120, "iat": now, "jti": f"jti-{next(_NUMBERS)}",
            "events": {EVENT: {}}, **self.claims,
        }  # fmt: skip
        return self._token({"typ": "logout+jwt"}, claims)

    def _token(self, kind: dict[str, Any], claims: dict[str, Any]) -> str:
        payload = json.dumps({key: value for key, value in claims.items() if key not in self.without}).encode()
        header = {"alg": "RS256", "kid": "first", **kind, **self.header}
        header = {key: value for key, value in header.items() if value is not None}
        return self.sign(header, payload) if self.sign else self.signed(header, payload)

    def signed(self, header: dict[str, Any], payload: bytes) -> str:
        """A token with an RS256 signature, whatever its header says."""
        signing_input = f"{_encoded(header)}.{_encoded_bytes(payload)}"
        signature = self.key.private_key.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signing_input}.{_encoded_bytes(signature)}"

    def reply(self, path: str) -> Reply:
        if path in self.replies:
            return self.replies[path]()
        if path == DISCOVERY:
            told = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/auth",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "end_session_endpoint": f"{self.issuer}/end",
                **self.discovery,
            }
            return reply({key: value for key, value in told.items() if value is not None})
        if path == "/keys":
            return reply({"keys": self.keys()})
        if path == "/token":
            return reply({"id_token": self.id_token(), "access_token": "opaque", "token_type": "Bearer"})
        return reply({"sub": "0815"}) if path == "/userinfo" else reply({}, 404)


def signed_by_nobody(header: dict[str, Any], payload: bytes) -> str:
    """An unsigned token, as `alg: none` has it."""
    return f"{_encoded({**header, 'alg': 'none'})}.{_encoded_bytes(payload)}."


def signed_with_the_public_key(header: dict[str, Any], payload: bytes) -> str:
    """HS256 with the public key as the shared secret: what fools a verifier that lets the token choose."""
    signing_input = f"{_encoded({**header, 'alg': 'HS256'})}.{_encoded_bytes(payload)}"
    signature = hmac.digest(_KEY.as_pem(private=False), signing_input.encode(), "sha256")
    return f"{signing_input}.{_encoded_bytes(signature)}"


def _encoded(content: Any) -> str:
    return _encoded_bytes(json.dumps(content).encode())


def _encoded_bytes(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def misbehaving_provider() -> Iterator[Misbehaving]:
    """A provider at a free port, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            provider.asked.append(path)
            length = int(self.headers.get("content-length") or 0)
            if length:
                provider.forms.append(parse_qs(self.rfile.read(length).decode()))
            time.sleep(provider.delay_s.get(path, 0))
            status, headers, body = provider.reply(path)
            with suppress(OSError):  # whoever asked may have given up
                self._send(status, headers, body, slowly=path in provider.trickle)

        do_POST = do_GET  # noqa: N815 - the name http.server calls

        def _send(self, status: int, headers: dict[str, str], body: bytes, *, slowly: bool) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for start in range(0, len(body), 8 if slowly else len(body)):
                self.wfile.write(body[start : start + 8] if slowly else body)
                self.wfile.flush()
                time.sleep(0.05 if slowly else 0)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider = Misbehaving(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
