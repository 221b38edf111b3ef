"""Passwords: what makes one good enough, and the hashes kept of them (argon2id, RFC 9106, low-memory profile)."""

from __future__ import annotations

import base64
import secrets
import unicodedata

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from appliance.auth.guessable import why_guessable
from appliance.errors import ApplianceError, InvalidRequest

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 1024
COST = argon2.profiles.RFC_9106_LOW_MEMORY
"""What a hash takes to make and to check: time, memory, threads. The tests that are not about it work with less."""

_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # without the look-alikes 0 o, 1 l i


class Hasher:
    """Makes and checks hashes. Checking against `nobody` costs as much as against a real one, and never succeeds."""

    def __init__(self) -> None:
        self._argon2 = argon2.PasswordHasher.from_parameters(COST)
        self.nobody = _unmatchable_hash(self._argon2)

    def hash(self, password: str) -> str:
        """The hash to keep. Raises ApplianceError when the machine cannot compute it."""
        try:
            return self._argon2.hash(_password_bytes(password))
        except Argon2Error as error:
            raise _cannot_hash(error) from error

    def matches(self, stored: str, password: str) -> bool:
        """Whether this is the password; false for a damaged hash. Raises ApplianceError as `hash` does."""
        try:
            return self._argon2.verify(stored, _password_bytes(password))
        except (VerifyMismatchError, InvalidHashError):
            return False
        except Argon2Error as error:
            raise _cannot_hash(error) from error

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._argon2.check_needs_rehash(stored)


def generate_password() -> str:
    """A random password (99 bits) that can be read out and typed."""
    return readable(groups=5)


def readable(*, groups: int) -> str:
    """Random groups of four letters and digits without look-alikes, 19.8 bits each."""
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(4)) for _ in range(groups))


def checked_password(password: str, name: str) -> str:
    """`password` if it is good enough for the person of this name. Raises InvalidRequest."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise InvalidRequest(
            f"A password has at least {MIN_PASSWORD_CHARACTERS} characters. Choose a longer one, such as four words."
        )
    if len(password) > MAX_PASSWORD_CHARACTERS:
        raise InvalidRequest(f"A password has at most {MAX_PASSWORD_CHARACTERS} characters. Choose a shorter one.")
    if why := why_guessable(password, name):
        raise InvalidRequest(
            f"The password is easy to guess: it {why}. Choose another one, such as four words that do not belong "
            "together."
        )
    return password


def _password_bytes(password: str) -> bytes:
    """NFC, so that the same keys on another keyboard give the same bytes; never fails, whatever was typed."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _unmatchable_hash(hasher: argon2.PasswordHasher) -> str:
    """A hash that costs as much to check as a real one and that no password matches: its digest is random."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={argon2.low_level.ARGON2_VERSION}${cost}${salt}${digest}"


def _cannot_hash(error: Argon2Error) -> ApplianceError:
    return ApplianceError(f"The password cannot be checked ({error}). Look for a shortage of memory, then try again.")
