"""Upper and lower case as file servers and directories of people take them: one letter for one letter.

`str.casefold` does more: it makes 'ß' into 'ss' and the Kelvin sign into 'k'. To a file server those are two files, to
a directory two groups, and what is said of one of them must not be taken for what is said of the other.
"""

from __future__ import annotations


def in_one_case(text: str) -> str:
    """The text with each capital small that is the capital of that one small letter."""
    return "".join(small if (small := letter.lower()).upper() == letter else letter for letter in text)
