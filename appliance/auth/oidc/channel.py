"""The line to the identity provider: JSON over TLS, with an end to everything.

Rules this module keeps:

1. Nothing but the origin of the configured issuer is ever called: no redirect is followed, no proxy of the environment
   is used, and an address elsewhere is refused before a connection is made.
2. An answer has a size and a whole exchange has a time that it may take, however slowly it trickles.
3. What was sent or received is in no message.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from appliance.errors import ConfigurationError, DirectoryUnavailable

MAX_ANSWER_BYTES = 512 * 1024
_FAILED = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the JSON object, and what time it is there, where that was said."""

    status: int
    content: Mapping[str, Any]
    at: datetime | None = None


class Channel:
    """Asks the provider at `issuer`, and nobody else. Threads may share it."""

    def __init__(self, issuer: str, *, name: str, ca_file: str, timeout_s: float) -> None:
        """Raises ConfigurationError when there are no certificates in `ca_file`."""
        self._origin = _origin(issuer)
        self._name = name
        self._timeout_s = timeout_s
        self._client = httpx.Client(
            verify=_trusting(ca_file),
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    def get(self, address: str, *, bearer: str = "") -> Answer:
        """Raises DirectoryUnavailable."""
        return self._ask("GET", address, headers={"Authorization": f"Bearer {bearer}"} if bearer else {})

    def post(self, address: str, form: str, *, credentials: tuple[str, str] | None) -> Answer:
        """Send a form that is encoded already. Raises DirectoryUnavailable."""
        basic = httpx.BasicAuth(*credentials) if credentials else httpx.Auth()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", address, content=form.encode(), headers=headers, auth=basic)

    def owns(self, address: str) -> bool:
        """Whether an address is at the provider's own origin."""
        try:
            return _origin(address) == self._origin
        except ValueError:  # a port or a bracket that is none
            return False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, address: str, **request: Any) -> Answer:
        if not self.owns(address):
            raise DirectoryUnavailable(
                f"'{self._name}' names an address outside of oidc.issuer, which is never called. Have the provider "
                "publish all of its addresses under its issuer."
            )
        try:
            with self._client.stream(method, address, **request) as response:
                return self._read(response, time.monotonic() + self._timeout_s)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise DirectoryUnavailable(self._because(error)) from error

    def _read(self, response: httpx.Response, deadline: float) -> Answer:
        if response.is_redirect or response.status_code >= _FAILED:
            raise DirectoryUnavailable(
                f"'{self._name}' answered with HTTP status {response.status_code}. Look at the provider's log, and "
                "check oidc.issuer."
            )
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._unreadable()
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise self._unreadable()
            if time.monotonic() > deadline:
                raise DirectoryUnavailable(self._too_slow())
        try:
            content = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise self._unreadable() from error
        if not isinstance(content, dict):
            raise self._unreadable()
        return Answer(response.status_code, content, _moment(response.headers.get("date", "")))

    def _because(self, error: Exception) -> str:
        if isinstance(error, httpx.TimeoutException):
            return self._too_slow()
        if isinstance(error.__cause__, ssl.SSLError) or "CERTIFICATE" in str(error):
            return (
                f"The certificate of '{self._name}' is not trusted or has expired. Renew it, or name the authority "
                "that issued it in oidc.ca_file."
            )
        return (
            f"'{self._name}' cannot be reached. Try again in a moment; an administrator finds more with "
            "'strongroom doctor'."
        )

    def _too_slow(self) -> str:
        return f"'{self._name}' took longer than {self._timeout_s:g} seconds (oidc.timeout_s). Try again in a moment."

    def _unreadable(self) -> DirectoryUnavailable:
        return DirectoryUnavailable(
            f"'{self._name}' sent something that is not the answer of an OpenID Connect provider. Check oidc.issuer."
        )


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"oidc.ca_file '{ca_file}' holds no certificates that can be read. Name a file in PEM format."
        ) from error


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urlsplit(address)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port
