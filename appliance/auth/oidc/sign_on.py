"""Single sign-on: begin in a browser, go to the provider, come back to the same browser; and the provider's sign-outs.

Rules this module keeps:

1. A sign-in belongs to the browser it began in. All that binds it (state, nonce, PKCE verifier) is derived from a
   secret in that browser's cookie with a key of this process; nothing is kept for sign-ins that nobody finishes.
2. It is good once, and for `ATTEMPT_S` seconds. What comes back a second time is refused, whatever the provider says.
3. The only provider is the configured one, and an answer that names another issuer is refused (mix-up).
4. Codes, tokens and claims are in no message and no log.
5. A provider that is slow holds up a few requests at most, so that it does not hold up the appliance.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.client import OAuth2Client

from appliance.auth.identity import Identity, SignOut
from appliance.auth.oidc.claims import identity_of
from appliance.auth.oidc.id_token import Expected, verified_claims
from appliance.auth.oidc.logout_token import told_sign_out
from appliance.auth.oidc.provider import Condition, Provider, PublicKey, Tokens
from appliance.config.identity import OidcSettings
from appliance.errors import DirectoryUnavailable, NotSignedIn

RETURN_PATH = "/login/oidc/return"
ATTEMPT_S = 600
_AT_ONCE = 16
_OTHER_BROWSER = "This sign-in was begun in another browser, or too long ago. Sign in again."


class NotBegunHere(NotSignedIn):
    """What a browser brought belongs to no sign-in that it began: nothing was attempted, so nothing is on record."""

    def __init__(self) -> None:
        super().__init__(_OTHER_BROWSER)


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun: where the browser goes, and what it keeps meanwhile."""

    address: str = field(repr=False)
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Returned:
    """What a browser came back with. Empty: not sent."""

    state: str = field(default="", repr=False)
    code: str = field(default="", repr=False)
    issuer: str = ""
    error: str = ""


class SingleSignOn:
    """Signing in at the configured provider. Threads may share it."""

    def __init__(self, settings: OidcSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises ConfigurationError."""
        self._settings = settings
        self._clock = clock
        self._provider = Provider(settings, clock)
        self._redirect_uri = settings.public_url.rstrip("/") + RETURN_PATH
        self._key = secrets.token_bytes(32)
        self._spent: dict[str, float] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._ears = threading.BoundedSemaphore(_AT_ONCE)  # apart: strangers can take these, and nobody's sign-in waits
        self._expected = Expected(
            settings.name, settings.issuer, settings.client_id, tuple(settings.algorithms), settings.clock_skew_s
        )

    @property
    def name(self) -> str:
        """What people call the provider."""
        return self._settings.name

    def begin(self) -> Begun:
        """A new sign-in. Raises DirectoryUnavailable."""
        addresses = self._provider.addresses()
        attempt = f"{int(self._clock() * 1000)}.{secrets.token_urlsafe(32)}"
        client = OAuth2Client(
            None,
            self._settings.client_id,
            scope=" ".join(self._settings.scopes),
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )
        address, _ = client.create_authorization_url(
            addresses.authorization,
            state=self._derived("state", attempt),
            nonce=self._derived("nonce", attempt),
            code_verifier=self._derived("verifier", attempt),
        )
        return Begun(str(address), f"{attempt}.{self._derived('cookie', attempt)}")

    def finish(self, cookie: str, returned: Returned) -> Identity:
        """Who signed in.

        Args:
            cookie: What the browser kept since `begin`.
            returned: What it brought from the provider.

        Raises:
            NotBegunHere: The browser did not begin this, or too long ago.
            NotSignedIn: Nobody did, as far as can be proved; the message says what to do.
            AccessDenied: They have no role here.
            DirectoryUnavailable: The provider cannot be asked or understood.
        """
        attempt = self._attempt(cookie)
        if not hmac.compare_digest(self._derived("state", attempt).encode(), returned.state.encode()):
            raise NotBegunHere
        if not self._slots.acquire(blocking=False):
            raise DirectoryUnavailable(f"Too many people sign in with '{self.name}' at this moment. Try again.")
        try:
            return self._confirmed(attempt, returned)
        finally:
            self._slots.release()

    def _confirmed(self, attempt: str, returned: Returned) -> Identity:
        self._refuse_what_is_no_answer(returned)
        tokens = self._provider.exchange(
            returned.code, verifier=self._derived("verifier", attempt), redirect_uri=self._redirect_uri
        )
        claims = verified_claims(
            tokens.id_token, self._derived("nonce", attempt), tokens.access_token, self._provider.keys, self._expected
        )
        self._spend(returned.state)
        return identity_of(self._with_userinfo(claims, tokens), self._settings)

    def signed_out(self, logout_token: str) -> SignOut:
        """Whom the provider signed out, by its own word.

        Raises:
            NotSignedIn: It is not the provider's word, or not for us, or not of now; the message says which.
            DirectoryUnavailable: The keys by which to judge that cannot be had.
        """
        return told_sign_out(logout_token, self._keys_for_anybody, self._expected)

    def _keys_for_anybody(self, key_id: str | None) -> tuple[PublicKey, ...]:
        """`Provider.keys`, for whom strangers may pose as: a few at most wait for the provider."""
        found = self._provider.keys_at_hand(key_id)
        if found is not None:
            return found
        if not self._ears.acquire(blocking=False):
            raise DirectoryUnavailable(f"Too much is said in the name of '{self.name}' at this moment. Say it again.")
        try:
            return self._provider.keys(key_id)
        finally:
            self._ears.release()

    def begun_before_s(self, cookie: str) -> float:
        """How long ago a sign-in was begun. Raises NotBegunHere."""
        return self._since_s(self._attempt(cookie))

    def sign_out_address(self) -> str:
        """Where the provider ends its own session; empty when it is not to, or has no such place."""
        if not self._settings.sign_out:
            return ""
        try:
            address = self._provider.addresses().end_session
        except DirectoryUnavailable:
            return ""  # signing out here must not wait for a provider that is down
        back = {
            "client_id": self._settings.client_id,
            "post_logout_redirect_uri": f"{self._settings.public_url.rstrip('/')}/login",
        }
        return f"{address}{'&' if '?' in address else '?'}{urlencode(back)}" if address else ""

    def examine(self) -> Condition:
        """How the provider is, asked now. Raises DirectoryUnavailable."""
        return self._provider.examine()

    def close(self) -> None:
        """Close the connections."""
        self._provider.close()

    def _attempt(self, cookie: str) -> str:
        """The sign-in that a cookie is of. Raises NotSignedIn for one that we did not make, or that is too old."""
        attempt, _, mark = cookie.rpartition(".")
        if not hmac.compare_digest(self._derived("cookie", attempt).encode(), mark.encode()):
            raise NotBegunHere
        if self._since_s(attempt) > ATTEMPT_S:
            raise NotBegunHere
        return attempt

    def _since_s(self, attempt: str) -> float:
        return self._clock() - int(attempt.partition(".")[0]) / 1000

    def _refuse_what_is_no_answer(self, returned: Returned) -> None:
        required = self._provider.addresses().names_itself
        if returned.issuer != self._settings.issuer and (returned.issuer or required):
            raise NotSignedIn(f"This answer is not from '{self.name}'. Sign in again, and tell an administrator.")
        if returned.error or not returned.code:
            raise NotSignedIn(f"'{self.name}' did not sign you in. Sign in again, or ask an administrator.")

    def _with_userinfo(self, claims: Mapping[str, Any], tokens: Tokens) -> Mapping[str, Any]:
        if not self._settings.userinfo:
            return claims
        more = self._provider.userinfo(tokens.access_token)
        if more.get("sub") != claims["sub"]:
            raise NotSignedIn(f"'{self.name}' told of somebody else than signed in. Tell an administrator.")
        return {**more, **claims}  # what was signed comes first

    def _spend(self, state: str) -> None:
        """Use up a sign-in. Only those that succeed are remembered, so strangers cannot fill this."""
        now = self._clock()
        with self._lock:
            self._spent = {spent: at for spent, at in self._spent.items() if now - at <= ATTEMPT_S}
            if state in self._spent:
                raise NotSignedIn("This sign-in was used already. Sign in again.")
            self._spent[state] = now

    def _derived(self, purpose: str, attempt: str) -> str:
        digest = hmac.new(self._key, f"{purpose} {attempt}".encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
