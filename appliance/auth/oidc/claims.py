"""Reads who somebody is out of claims that are believed already.

Rules this module keeps:

1. A subject counts together with its issuer: the same `sub` of another provider is somebody else.
2. Groups are a list of texts, or one text where a provider writes a single group so. Anything else is refused, not read
   with good will; no claim at all means no groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appliance.auth.belonging import groups_here, roles_here, texts
from appliance.auth.identity import Identity
from appliance.auth.tables import MAX_SUBJECT_CHARACTERS
from appliance.config.identity import OIDC_DIRECTORY, OidcSettings
from appliance.domain import text_sha256
from appliance.errors import NotSignedIn

MAX_GROUPS = 5000


def identity_of(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Who this is. Raises NotSignedIn when something needed is missing, AccessDenied when they have no role here."""
    name = claims.get(settings.name_claim)
    if not isinstance(name, str) or not name.strip():
        raise NotSignedIn(
            f"'{settings.name}' did not say what you are called: the claim '{settings.name_claim}' is missing. An "
            "administrator allows it for this client at the provider, or corrects oidc.name_claim."
        )
    shown = claims.get(settings.display_name_claim)
    there = _groups(claims, settings)
    return Identity(
        directory=OIDC_DIRECTORY,
        subject=subject_of(settings.issuer, claims.get("sub"), settings.name),
        name=name.strip(),
        display_name=shown if isinstance(shown, str) else "",
        groups=groups_here(there, settings),
        roles=roles_here(there, settings, settings.name),
        session=named_there(settings.issuer, claims.get("sid")),
    )


def subject_of(issuer: str, subject: object, provider: str) -> str:
    """Who a `sub` is here. Raises NotSignedIn when it is none."""
    if not isinstance(subject, str) or not subject.strip():
        raise NotSignedIn(f"'{provider}' did not say who you are: 'sub' is missing. Tell an administrator.")
    whole = f"{subject} at {issuer}"
    return whole if len(whole) <= MAX_SUBJECT_CHARACTERS else text_sha256(whole)


def named_there(issuer: str, name: object) -> str:
    """What stands here for something that the provider gave a name: for a session, or a message. Empty: for none."""
    return text_sha256(f"{name} at {issuer}") if isinstance(name, str) and name else ""


def _groups(claims: Mapping[str, Any], settings: OidcSettings) -> frozenset[str]:
    found = _at(claims, settings.groups_claim)
    values = [found] if isinstance(found, str) else [] if found is None else found
    usable = isinstance(values, list) and len(values) <= MAX_GROUPS and all(isinstance(value, str) for value in values)
    if not usable:
        raise NotSignedIn(
            f"'{settings.name}' sent groups that cannot be read: '{settings.groups_claim}' is no list of up to "
            f"{MAX_GROUPS:,} names. An administrator corrects the client's claims at the provider."
        )
    return texts(values)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """What stands at a path: a claim of that very name, or one inside others where dots lead."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        if found is None:
            return None
        if not isinstance(found, Mapping):
            return False  # not the shape that was promised: neither a list nor a text, so it is refused
        found = found.get(step)
    return found
