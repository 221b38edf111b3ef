"""Passwords that somebody who guesses tries first (NIST SP 800-63B, 5.1.1.2), found without asking anybody.

Rules this module keeps:

1. What is easy to guess is taken out of a password: the name of its owner, the name of this product, words that
   everybody uses, characters in a row, years and signs. Too little must not be left. That signs and digits stand for
   letters (P@ssw0rd) helps nobody.
2. A long password is not refused for holding one of these: what counts is the rest.
3. What is found is told in words that do not repeat the password.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_LEAST_LEFT = 6
"""How many letters and digits have to be left."""
_LEAST_DIFFERENT = 5
_LEAST_IN_A_ROW = 4
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm",
    "azertyuiop", "qsdfghjklm", "wxcvbn", "1qaz", "2wsx", "3edc", "4rfv", "5tgb", "!qaz", "@wsx", "#edc",
)  # fmt: skip
_PRODUCT = ("strongroom",)
_WORDS = (
    "administrator", "password", "passwort", "motdepasse", "kennwort", "changeme", "letmein", "iloveyou", "qwerty",
    "qwertz", "azerty", "welcome", "default", "football", "baseball", "sunshine", "princess", "superman", "trustno",
    "whatever", "starwars", "monkey", "dragon", "shadow", "master", "secret", "summer", "winter", "spring", "autumn",
    "sommer", "herbst", "hello", "admin", "login", "guest", "user", "test", "pass",
)  # fmt: skip
"""Words that passwords are made of when nobody wants to think of one; the longer ones come first."""
_SIGNS_FOR_LETTERS = str.maketrans("@4013!5$7", "aaoieisst")
_LIST = """
    1q2w3e4r5t6y 1q2w3e4r5t6y7u q1w2e3r4t5y6 1qaz2wsx3edc 1qaz2wsx3edc4rfv zaq12wsxcde3 1qazxsw23edc qazwsxedcrfv
    qazwsxedcrfvtgb qweasdzxc123 123qweasdzxc qwe123asd456 asd123qwe456 1234qwerasdf zxcasdqwe123 q2w3e4r5t6y7
    correcthorsebatterystaple iforgotmypassword whatisthepassword thisismypassword mypasswordismypassword
    youshallnotpass maytheforcebewithyou openthedoorplease ineedapassword nothingtoseehere donttellanyone
    iloveyouforever iloveyousomuch iloveyoubaby iloveyoutoo ilovemyfamily ilovemymother ilovemyself jesuschrist
    jesuslovesme jesusislord godisgreat inshallah bismillah alhamdulillah manchesterunited liverpoolfc
    realmadridcf barcelonafc fcbarcelona borussiadortmund bayernmuenchen dallascowboys christiano cristianoronaldo
    spongebobsquarepants harrypotter lordoftherings thelordoftherings gameofthrones supermanbatman avengedsevenfold
    linkinpark metallica thebeatles britneyspears justinbieber onedirection michaeljackson
    thequickbrownfox lazydogjumps onetwothreefour onetwothreefourfive tobeornottobe rememberme dontforgetme
"""
_KNOWN = frozenset(_LIST.split())
"""Whole passwords of the lists that guessers carry, where the rules above would let them pass."""


def why_guessable(password: str, name: str) -> str:
    """Why a password of the person of this name is easy to guess, to be read after "it"; empty when it is not."""
    folded = unicodedata.normalize("NFKC", password).casefold()
    plain = "".join(char for char in folded if not char.isspace())
    letters = re.sub(r"[\W_]+", "", plain)
    is_of_letters = 2 * len(letters) > len(plain)
    if len(set(plain)) < _LEAST_DIFFERENT or _is_repeated(plain) or (is_of_letters and _is_repeated(letters)):
        return "repeats the same characters"
    if letters in _KNOWN or letters.rstrip("0123456789") in _KNOWN:
        return "is one that everybody tries"
    return _little_more(plain, name) or _little_more(plain.translate(_SIGNS_FOR_LETTERS), name)


def _little_more(text: str, name: str) -> str:
    is_shorter = False
    for parts_of, why in (
        (lambda _: _names(name), "is little more than the name of the account"),
        (lambda _: _PRODUCT, "is little more than the name of this product"),
        (lambda _: _WORDS, "is little more than words that everybody uses"),
        (_in_a_row, "is little more than characters in a row, or words that everybody uses"),
    ):
        for part in parts_of(text):
            is_shorter = is_shorter or part in text
            text = text.replace(part, " ")
        if is_shorter and _left(text) < _LEAST_LEFT:
            return why
    return ""


def _left(text: str) -> int:
    """How many letters and digits are left without years, those of one kind side by side counted once."""
    return len(re.sub(r"(.)\1+", r"\1", re.sub(r"(19|20)\d\d|[\W_]", "", text)))


def _is_repeated(text: str) -> bool:
    """Whether a text is one beginning, again and again."""
    return any(text[at:] == text[:-at] for at in range(1, len(text) // 2 + 1))


def _names(name: str) -> tuple[str, ...]:
    """The name and its parts, the longer ones first; short ones are in too many words."""
    parts = {name.casefold(), *re.split(r"[\W_]+", name.casefold())}
    return tuple(sorted((part for part in parts if len(part) >= _LEAST_IN_A_ROW - 1), key=len, reverse=True))


def _in_a_row(text: str) -> Iterator[str]:
    """The parts of a text that run along the alphabet, the digits or a keyboard, in either direction.

    Of characters that are typed twice the one stands for both: 112233.
    """
    yield from _running(text)
    halved = re.sub(r"(.)\1", r"\1", text)
    if 2 * len(halved) == len(text):
        yield from ("".join(2 * char for char in part) for part in _running(halved))


def _running(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        length = max(_along(text[start:], row) for row in (*_ROWS, *(row[::-1] for row in _ROWS)))
        if length >= _LEAST_IN_A_ROW:
            yield text[start : start + length]
        start += max(1, length)


def _along(text: str, row: str) -> int:
    """For how many characters a text runs along a row from its beginning."""
    at = row.find(text[0])
    length = 0
    while at >= 0 and length < len(text) and at + length < len(row) and text[length] == row[at + length]:
        length += 1
    return length
