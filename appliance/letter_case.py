"""Letters as they are compared: capitals as file servers and directories take them, one letter for one letter.

`str.casefold` does more: it makes 'ß' into 'ss' and the Kelvin sign into 'k'. To a file server those are two files, to
a directory two groups, and what is said of one of them must not be taken for what is said of the other.
"""

from __future__ import annotations

import unicodedata


def in_one_case(text: str) -> str:
    """The text with each capital small that is the capital of that one small letter."""
    if text.isascii():
        return text.lower()
    return "".join(small if (small := letter.lower()).upper() == letter else letter for letter in text)


def without_accents(text: str) -> str:
    """The text with each letter as the plain one below its accents."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
