"""The identity provider: its addresses, its keys, and the exchange of a code for what it signed.

Rules this module keeps:

1. The discovery document is the configured issuer's, to the letter, and everything it names lies at that origin.
2. Only public keys for signing are keys: a shared secret in the set is no key, however the set presents it.
3. Keys are fetched again when a token names one that is not known, but not more often than `REFETCH_S`. What a
   provider could not be asked is not asked again for `RETRY_S`: strangers can make the appliance ask.
4. A set without any key is no answer: those known before stay. One that lacks a key makes that forgotten.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote_plus

from authlib.oauth2.rfc6749.parameters import prepare_token_request
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from appliance.auth.oidc.channel import Answer, Channel
from appliance.config.identity import OidcSettings
from appliance.errors import DirectoryUnavailable, NotSignedIn

PublicKey = RSAKey | ECKey | OKPKey
Told = TypeVar("Told")

FRESH_S = 3600.0
"""How long addresses and keys are believed before they are fetched again."""
REFETCH_S = 10.0
RETRY_S = 5.0
_MIN_RSA_BITS = 2048
_MAX_KEYS = 100
_KINDS = frozenset({"RSA", "EC", "OKP"})


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the provider does what, as its discovery document says; empty: it does not."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    end_session: str
    takes_basic: bool  # else the secret travels in the form
    names_itself: bool  # an answer to a browser carries `iss`


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a code was exchanged for."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """How the provider is: how many keys it publishes, and how far its clock is ahead; None where it did not say."""

    keys: int
    ahead_s: float | None


@dataclass(slots=True)
class _Question:
    """Something the provider is asked by one thread at a time, and not again right after that failed."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    failure: DirectoryUnavailable | None = None
    failed_at: float = 0.0


class Provider:
    """The configured identity provider. Threads may share it."""

    def __init__(self, settings: OidcSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises ConfigurationError."""
        self._settings = settings
        self._clock = clock
        self._channel = Channel(
            settings.issuer, name=settings.name, ca_file=settings.ca_file, timeout_s=settings.timeout_s
        )
        self._lock = threading.Lock()  # of what is known; never held while the provider is asked
        self._for_addresses, self._for_keys = _Question(), _Question()
        self._addresses: Addresses | None = None
        self._addresses_at = 0.0
        self._keys: tuple[PublicKey, ...] = ()
        self._keys_at: float | None = None

    def addresses(self) -> Addresses:
        """Where it does what. Raises DirectoryUnavailable."""
        found = self._addresses_at_hand()
        if found is not None:
            return found
        with self._for_addresses.turn:
            found = self._addresses_at_hand()  # another thread may have asked meanwhile
            if found is None:
                found = self._unless_it_failed(self._for_addresses, self._discovered)
                with self._lock:
                    self._addresses, self._addresses_at = found, self._clock()
            return found

    def keys(self, key_id: str | None) -> tuple[PublicKey, ...]:
        """The keys a token may be signed with: those of this name, or all where it names none.

        Raises:
            DirectoryUnavailable: They cannot be had.
        """
        address = self.addresses().keys
        found = self.keys_at_hand(key_id)
        if found is not None:
            return found
        with self._for_keys.turn:
            found = self.keys_at_hand(key_id)
            if found is None:
                keys = self._unless_it_failed(self._for_keys, lambda: self._fetch_keys(address))
                with self._lock:
                    self._keys, self._keys_at = keys, self._clock()
                found = self._named(keys, key_id)
            return found

    def keys_at_hand(self, key_id: str | None) -> tuple[PublicKey, ...] | None:
        """What `keys` gives without asking the provider; None where it would have to."""
        with self._lock:
            age = FRESH_S + 1 if self._keys_at is None else self._clock() - self._keys_at
            found = self._named(self._keys, key_id)
            return None if age > FRESH_S or (age > REFETCH_S and not found) else found

    def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        """What the provider signed for a code.

        Raises:
            NotSignedIn: It does not take the code: used twice, too old, or somebody else's.
            DirectoryUnavailable: It cannot be asked, or does not know this appliance.
        """
        addresses = self.addresses()
        secret = self._settings.client_secret.get_secret_value()
        basic = bool(secret) and addresses.takes_basic
        in_form = {} if basic else {"client_id": self._settings.client_id, "client_secret": secret}
        form = prepare_token_request(
            "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier, **in_form
        )
        # encoded before they are joined, as RFC 6749 wants: a secret may hold a colon
        credentials = (quote_plus(self._settings.client_id), quote_plus(secret)) if basic else None
        return self._tokens(self._channel.post(addresses.token, form, credentials=credentials))

    def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """What the provider tells of the holder of a token. Raises DirectoryUnavailable."""
        address = self.addresses().userinfo
        if not address or not access_token:
            raise DirectoryUnavailable(f"'{self._settings.name}' has no userinfo to ask. Set oidc.userinfo to false.")
        answer = self._channel.get(address, bearer=access_token)
        if answer.status != 200:
            raise DirectoryUnavailable(
                f"'{self._settings.name}' answered a question for userinfo with HTTP status {answer.status}."
            )
        return answer.content

    def examine(self) -> Condition:
        """How it is, asked now. Raises DirectoryUnavailable."""
        answer = self._channel.get(self._discovery)
        keys = self._fetch_keys(self._read(answer).keys)
        ahead_s = None if answer.at is None else (answer.at - datetime.now(UTC)).total_seconds()
        return Condition(len(keys), ahead_s)

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()

    @property
    def _discovery(self) -> str:
        return f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"

    def _discovered(self) -> Addresses:
        return self._read(self._channel.get(self._discovery))

    def _unless_it_failed(self, question: _Question, ask: Callable[[], Told]) -> Told:
        """What the provider answers. Raises DirectoryUnavailable, without asking when that failed a moment ago."""
        if question.failure is not None and self._clock() - question.failed_at < RETRY_S:
            raise DirectoryUnavailable(str(question.failure))
        try:
            told = ask()
        except DirectoryUnavailable as error:
            question.failure, question.failed_at = error, self._clock()
            raise
        question.failure = None
        return told

    def _read(self, answer: Answer) -> Addresses:
        issuer, told = self._settings.issuer, answer.content
        if answer.status != 200 or told.get("issuer") != issuer:
            raise DirectoryUnavailable(
                f"What is at oidc.issuer is not the issuer '{issuer}'. Write oidc.issuer to the letter as the "
                "provider's discovery document does."
            )
        methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Addresses(
            authorization=self._address(told, "authorization_endpoint"),
            token=self._address(told, "token_endpoint"),
            keys=self._address(told, "jwks_uri"),
            userinfo=self._address(told, "userinfo_endpoint", required=False),
            end_session=self._address(told, "end_session_endpoint", required=False),
            takes_basic="client_secret_basic" in methods,
            names_itself=told.get("authorization_response_iss_parameter_supported") is True,
        )

    def _address(self, told: Mapping[str, Any], key: str, *, required: bool = True) -> str:
        address = told.get(key)
        if address is None and not required:
            return ""
        if not isinstance(address, str) or not self._channel.owns(address):
            raise DirectoryUnavailable(
                f"The '{key}' of '{self._settings.name}' is missing, or not at the address of oidc.issuer. Have the "
                "provider publish all of its addresses under its issuer."
            )
        return address

    def _fetch_keys(self, address: str) -> tuple[PublicKey, ...]:
        answer = self._channel.get(address)
        found = answer.content.get("keys")
        if answer.status != 200 or not isinstance(found, list) or not found:
            raise DirectoryUnavailable(
                f"'{self._settings.name}' answered a question for its keys with HTTP status {answer.status} "
                "and no keys."
            )
        return tuple(key for key in map(_public_key, found[:_MAX_KEYS]) if key is not None)

    def _addresses_at_hand(self) -> Addresses | None:
        with self._lock:
            is_fresh = self._addresses is not None and self._clock() - self._addresses_at <= FRESH_S
            return self._addresses if is_fresh else None

    @staticmethod
    def _named(keys: Sequence[PublicKey], key_id: str | None) -> tuple[PublicKey, ...]:
        return tuple(key for key in keys if key_id is None or key.kid == key_id)

    def _tokens(self, answer: Answer) -> Tokens:
        name = self._settings.name
        if answer.content.get("error") in ("invalid_client", "unauthorized_client"):
            raise DirectoryUnavailable(
                f"'{name}' does not know this appliance. An administrator corrects oidc.client_id and "
                "oidc.client_secret, or the client's entry at the provider."
            )
        if answer.status != 200:
            raise NotSignedIn(f"'{name}' did not confirm this sign-in. It may have taken too long. Sign in again.")
        id_token, access_token = answer.content.get("id_token"), answer.content.get("access_token", "")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise DirectoryUnavailable(
                f"'{name}' did not say who signed in. Allow the scope 'openid' for this client at the provider."
            )
        return Tokens(id_token, access_token)


def _public_key(told: object) -> PublicKey | None:
    """A key of a set; None for one that is no public key for signatures, or is too weak."""
    if not isinstance(told, dict) or told.get("kty") not in _KINDS or told.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(told)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS:
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None
