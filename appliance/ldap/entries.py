"""What an entry of a directory says of a person: who they are, and whether they may be let in.

Rules this module keeps:

1. Who somebody is, is an attribute that stays when they are renamed or moved (entryUUID, objectGUID); never the DN.
2. Somebody is shut out when the directory says so for good: disabled, expired, locked by an administrator, or with a
   password that must be changed first. Not when a number of wrong passwords locked them for a while: the server refuses
   those itself, and a stranger who guesses must not be able to end a session.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from appliance.config.identity import LdapKind
from appliance.ldap.messages import Entry

STATE_ATTRIBUTES = (
    "userAccountControl",
    "accountExpires",
    "pwdLastSet",
    "shadowExpire",
    "pwdAccountLockedTime",
    "pwdReset",
    "nsAccountLock",
)
"""What says whether an account may be used. A server knows some of them."""

_DISABLED_IN_AD = 0x2
_NEVER = frozenset({0, 0x7FFF_FFFF_FFFF_FFFF})
_WINDOWS_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCKED_FOR_GOOD = "000001010000Z"  # draft-behera-ldap-password-policy: only an administrator can unlock it


def subject_of(entry: Entry, attribute: str, kind: LdapKind) -> str:
    """Who this is whatever they are called; empty when the directory does not say."""
    values = entry.values.get(attribute.lower(), ())
    if len(values) != 1:
        return ""
    if kind is LdapKind.ACTIVE_DIRECTORY and len(values[0]) == 16:
        return str(uuid.UUID(bytes_le=values[0]))
    return entry.text(attribute).lower()


def subject_value(subject: str, kind: LdapKind) -> str | bytes:
    """The value to search for somebody by."""
    if kind is LdapKind.ACTIVE_DIRECTORY:
        try:
            return uuid.UUID(subject).bytes_le
        except ValueError:
            return subject
    return subject


def why_shut_out(entry: Entry, now: datetime) -> str:
    """Why the directory does not want this account used; empty when it does."""
    try:
        return next((reason for reason, holds in _REASONS if holds(entry, now)), "")
    except (ValueError, OverflowError):  # a number that is none: better nobody than somebody by mistake
        return "its state cannot be read"


def _number(entry: Entry, attribute: str, absent: int) -> int:
    return int(entry.text(attribute) or absent)


def _is_disabled(entry: Entry, _now: datetime) -> bool:
    switched_off = bool(_number(entry, "userAccountControl", 0) & _DISABLED_IN_AD)
    return switched_off or entry.text("nsAccountLock").lower() == "true"


def _is_expired(entry: Entry, now: datetime) -> bool:
    ticks = _number(entry, "accountExpires", 0)
    in_ad = ticks not in _NEVER and _WINDOWS_EPOCH + timedelta(microseconds=ticks // 10) <= now
    days = _number(entry, "shadowExpire", -1)
    return in_ad or (days >= 0 and _UNIX_EPOCH + timedelta(days=days) <= now)


def _must_change(entry: Entry, _now: datetime) -> bool:
    return _number(entry, "pwdLastSet", 1) == 0 or entry.text("pwdReset").lower() == "true"


def _is_locked(entry: Entry, _now: datetime) -> bool:
    return entry.text("pwdAccountLockedTime") == _LOCKED_FOR_GOOD


_REASONS: tuple[tuple[str, Callable[[Entry, datetime], bool]], ...] = (
    ("it is disabled", _is_disabled),
    ("it has expired", _is_expired),
    ("its password must be changed first", _must_change),
    ("an administrator locked it", _is_locked),
)
