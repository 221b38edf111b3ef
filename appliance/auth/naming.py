"""Names of people, groups and tokens: which texts can be one, and the form each is kept in.

A person's name is 1 to 64 ASCII characters and the same in any case. Nothing that merely looks like a name, or folds to
one, is taken for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from appliance.auth.tables import MAX_LABEL_CHARACTERS
from appliance.errors import InvalidRequest

_NAME = re.compile(r"[a-z0-9._@-]{1,64}")


def normal_name(name: str) -> str | None:
    """The key a name is kept under, None for what can be nobody's name."""
    # ASCII first: folding turns 'ß' into 'ss' and the Kelvin sign into 'k', which would be somebody else
    key = name.casefold() if name.isascii() else ""
    return key if _NAME.fullmatch(key) else None


def checked_name(name: str) -> str:
    """As `normal_name`. Raises InvalidRequest for what can be nobody's name."""
    key = normal_name(name)
    if key is None:
        raise InvalidRequest(
            "A name has 1 to 64 of the characters a-z, 0-9, '.', '_', '@' and '-'. Choose another name."
        )
    return key


def checked_label(text: str, what: str) -> str:
    """`text` as a short printable name for people. Raises InvalidRequest, calling it `what`."""
    label = label_or_none(text)
    if label is None:
        raise InvalidRequest(
            f"A {what} has 1 to {MAX_LABEL_CHARACTERS} printable characters, on one line. Choose another one."
        )
    return label


def label_or_none(text: str) -> str | None:
    """As `checked_label`, None for what cannot be one."""
    label = unicodedata.normalize("NFC", text).strip()
    # isprintable() is false for control, bidi and zero-width characters and for lone surrogates
    return label if label and len(label) <= MAX_LABEL_CHARACTERS and label.isprintable() else None


def checked_groups(groups: Iterable[str]) -> frozenset[str]:
    """Names of groups, each in its one form. Raises InvalidRequest."""
    return frozenset(checked_label(group, "group name") for group in groups)
