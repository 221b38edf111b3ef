"""Judges an ID token: whether this provider signed it, for us, now, and for this very sign-in.

Rules this module keeps:

1. The algorithm is one of those configured, all of them asymmetric, and the key is one of the provider's public keys.
   Nothing in the token chooses otherwise: no key it carries, no address it names.
2. Issuer, audience, expiry, time of issue and nonce are all required and checked; clocks may differ by what is set.
3. A token of another kind (an access token, a sign-out) is no ID token.
4. No message holds a word of the token; the name of a claim is the most it says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError, UnsupportedAlgorithmError

from appliance.auth.oidc.provider import PublicKey
from appliance.errors import NotSignedIn

Keys = Callable[[str | None], tuple[PublicKey, ...]]
"""The provider's keys of a name. Raises DirectoryUnavailable."""

_TIMES = frozenset({"exp", "iat", "nbf"})
_KINDS = frozenset({"jwt", "application/jwt"})


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token of the provider has to say."""

    provider: str  # its name, for messages
    issuer: str
    client_id: str
    algorithms: tuple[str, ...]
    clock_skew_s: int


def verified_claims(token: str, nonce: str, access_token: str, keys: Keys, expected: Expected) -> Mapping[str, Any]:
    """The claims of an ID token.

    Args:
        token: As it came.
        nonce: The one that was sent for this sign-in.
        access_token: The one that came along, to which the token may be bound.
        keys: The provider's keys of a name.
        expected: What it has to say.

    Raises:
        NotSignedIn: It is not a good one; the message says in what.
        DirectoryUnavailable: `keys` raised it.
    """
    return signed_claims(
        token, keys, expected, _KINDS, lambda decoded: _validate(decoded, nonce, access_token, expected)
    )


def signed_claims(
    token: str, keys: Keys, expected: Expected, kinds: Collection[str], validate: Callable[[jwt.Token], object]
) -> Mapping[str, Any]:
    """The claims of a token that the provider signed: of one of these kinds, and right as far as `validate` can tell.

    Args:
        token: As it came.
        keys: The provider's keys of a name.
        expected: How it has to be signed.
        kinds: What its header may call it, in small letters.
        validate: Raises what joserfc raises for claims.

    Raises:
        NotSignedIn: It is not a good one; the message says in what.
        DirectoryUnavailable: `keys` raised it.
    """
    try:
        decoded = jwt.decode(token, lambda signed: _key(signed.headers(), keys, expected), list(expected.algorithms))
        _require_kind(decoded.header, kinds, expected)
        validate(decoded)
    except UnsupportedAlgorithmError as error:
        raise NotSignedIn(
            f"'{expected.provider}' signs in a way that is not allowed here. An administrator compares its signature "
            "algorithm with oidc.algorithms."
        ) from error
    except (InvalidClaimError, MissingClaimError, ExpiredTokenError) as error:
        raise NotSignedIn(_wrong_claim(getattr(error, "claim", ""), expected)) from error
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise NotSignedIn(_forged(expected)) from error
    return decoded.claims


def _key(header: Mapping[str, Any], keys: Keys, expected: Expected) -> Any:
    """The one key that the token must be signed with."""
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise NotSignedIn(_forged(expected))
    found = [key for key in keys(key_id) if key.get("alg", header["alg"]) == header["alg"]]
    if len(found) != 1:
        raise NotSignedIn(
            f"'{expected.provider}' signed with a key that it does not publish. Try again in a minute: it may just "
            "have exchanged its keys."
        )
    return found[0]


def _require_kind(header: Mapping[str, Any], kinds: Collection[str], expected: Expected) -> None:
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in kinds:
        raise NotSignedIn(_forged(expected))


def _validate(decoded: jwt.Token, nonce: str, access_token: str, expected: Expected) -> None:
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        options={
            "iss": {"essential": True, "value": expected.issuer},
            "aud": {"essential": True, "value": expected.client_id},
            "sub": {"essential": True},
            "nonce": {"essential": True, "value": nonce},
        },
        params={"nonce": nonce, "client_id": expected.client_id, "access_token": access_token},
    )
    claims.validate(leeway=expected.clock_skew_s)


def _wrong_claim(claim: str, expected: Expected) -> str:
    if claim in _TIMES:
        return (
            f"What '{expected.provider}' sent has expired, or lies in the future. Try again; if it stays so, an "
            "administrator compares the clocks of both machines (oidc.clock_skew_s)."
        )
    if claim == "nonce":
        return f"What '{expected.provider}' sent belongs to another sign-in: 'nonce' is wrong. Try again."
    return (
        f"What '{expected.provider}' sent is not for this appliance, or incomplete: '{claim or 'a claim'}' is wrong. "
        "An administrator compares the [oidc] settings with the client's entry at the provider."
    )


def _forged(expected: Expected) -> str:
    return f"What '{expected.provider}' sent is not a token that it signed. Try again, or tell an administrator."
