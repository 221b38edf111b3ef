"""The settings in force as text, to be put on record at each start.

No secret is told, and nothing that leads to one: of a key, a password, the file of one, or an address that holds one,
it is said that it is set, and no more. So a secret that is exchanged for another one does not show.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from appliance.config import Settings
from appliance.config.section import Section

IS_SET = "set"
"""All that is told of what may be, or lead to, a secret."""

_LEAD_TO_SECRETS = ("password_file", "secret_header")


def in_force(settings: Settings) -> dict[str, str]:
    """Every setting by its name as in the settings file, with its value as text, in the order of the names."""
    return dict(sorted(_flat(settings, "").items()))


def not_as_delivered(settings: Settings) -> dict[str, str]:
    """Those of them whose value is another than that without any settings file."""
    delivered = in_force(Settings())
    return {name: value for name, value in in_force(settings).items() if value != delivered[name]}


def digest(settings: Settings) -> str:
    """SHA-256 in hex over all of them: the same for as long as none is changed, by whoever runs it or by a release."""
    return hashlib.sha256(json.dumps(in_force(settings), sort_keys=True).encode()).hexdigest()


def _flat(section: Section, before: str) -> dict[str, str]:
    told: dict[str, str] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        told |= _flat(value, f"{before}{name}.") if isinstance(value, Section) else {before + name: _told(name, value)}
    return told


def _told(name: str, value: Any) -> str:
    if isinstance(value, SecretStr):
        return IS_SET if value.get_secret_value() else ""
    if name.endswith(_LEAD_TO_SECRETS):
        return IS_SET if value else ""
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(inner)}" for key, inner in sorted(value.items()))
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    return IS_SET if _may_hold_a_secret(str(value)) else str(value)


def _may_hold_a_secret(text: str) -> bool:
    """Whether it is an address with a query, a password or what may be one in it; that of a database names its user."""
    try:
        address = urlsplit(text)
        named = address.username and address.scheme != "postgresql"
        return bool(address.scheme and (address.password or address.query or named))
    except ValueError:
        return True
