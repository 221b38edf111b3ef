"""Judges a logout token: the provider's word that somebody is signed out there, which it sends by itself.

OpenID Connect Back-Channel Logout 1.0, section 2.6. Rules this module keeps:

1. It is signed as an ID token is, and is for us as one is: see `id_token`.
2. It says that it is a sign-out, by its event, and has no nonce: an ID token is never taken for one.
3. It names a subject, or a session, or both; and itself, so that it can count once.
4. It was issued `MAX_AGE_S` ago at most, whenever it expires.
"""

from __future__ import annotations

import time

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError

from appliance.auth.identity import SignOut
from appliance.auth.oidc.claims import named_there, subject_of
from appliance.auth.oidc.id_token import Expected, Keys, signed_claims
from appliance.config.identity import OIDC_DIRECTORY

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_AGE_S = 300
_KINDS = frozenset({"logout+jwt", "application/logout+jwt", "jwt", "application/jwt"})


def told_sign_out(token: str, keys: Keys, expected: Expected) -> SignOut:
    """What a logout token says.

    Raises:
        NotSignedIn: It is not a good one; the message says in what.
        DirectoryUnavailable: `keys` raised it.
    """
    claims = signed_claims(token, keys, expected, _KINDS, lambda decoded: _validate(decoded, expected))
    return SignOut(
        directory=OIDC_DIRECTORY,
        message=named_there(expected.issuer, claims["jti"]),
        subject=subject_of(expected.issuer, claims["sub"], expected.provider) if "sub" in claims else "",
        session=named_there(expected.issuer, claims.get("sid")),
    )


def _validate(decoded: jwt.Token, expected: Expected) -> None:
    claims = decoded.claims
    jwt.JWTClaimsRegistry(
        leeway=expected.clock_skew_s,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
        events={"essential": True},
    ).validate(claims)
    if claims["iat"] < time.time() - MAX_AGE_S - expected.clock_skew_s:
        raise ExpiredTokenError("iat")
    if not isinstance(claims["events"], dict) or not isinstance(claims["events"].get(EVENT), dict):
        raise InvalidClaimError("events")
    if "nonce" in claims:
        raise InvalidClaimError("nonce")
    named = [name for name in ("sub", "sid") if name in claims]
    for name in named or ["sub"]:
        if not isinstance(claims.get(name), str) or not claims[name].strip():
            raise InvalidClaimError(name)
