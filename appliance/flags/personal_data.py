"""Finds personal data by its written form: addresses, account and card numbers, telephone numbers, national ids. Pure.

Rules this module keeps:

1. Whatever has check digits counts only if they are right. What has none must be written the way people write it.
2. The same characters are counted once: what is an IBAN is no card number too.
3. A finding says what was found and how often, never what it was.

A telephone number is recognised by its form alone. `phonenumbers` would know which numbers are in use in which country,
at the price of 9 MB of tables that are out of date in a room without a network; for a hint to a reviewer that is too
much. `python-stdnum` knows more ids, and is LGPL.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from appliance.flags import Flag
from appliance.flags.check_digits import card_network, iban_country, national_id

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_TAKEN = "\0"

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}[0-9]{2}(?=[ -]?[A-Z0-9])", re.ASCII | re.IGNORECASE)
_IBAN_AT_MOST = 2 * 34
_CARD = re.compile(r"(?<![\w.,-])[2-6][0-9]{3}(?:[ -]?[0-9]){8,15}(?![\w-]|[.,][0-9])")
_NATIONAL_ID = re.compile(
    r"""(?<![\w.,-])(?:
      (?P<steuer_id> [1-9][0-9] [ ]? [0-9]{3} [ ]? [0-9]{3} [ ]? [0-9]{3} )
    | (?P<nir> [1-478] [ ]? [0-9]{2} [ ]? [0-9]{2} [ ]? [0-9][0-9AB] [ ]? [0-9]{3} [ ]? [0-9]{3} [ ]? [0-9]{2} )
    | (?P<dni> (?: [0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3} | [XYZ] [ -]? [0-9]{7} ) [ -]? [A-Z] )
    | (?P<codice_fiscale> [A-Z]{6} [0-9LMNPQRSTUV]{2} [ABCDEHLMPRST] [0-9LMNPQRSTUV]{2} [A-Z] [0-9LMNPQRSTUV]{3} [A-Z] )
    | (?P<nino> [A-Z]{2} [ ]? [0-9]{2} [ ]? [0-9]{2} [ ]? [0-9]{2} [ ]? [A-D] )
    | (?P<ssn> [0-8][0-9]{2} - [0-9]{2} - [0-9]{4} )
    | (?P<ahv> 756 [. ]? [0-9]{4} [. ]? [0-9]{4} [. ]? [0-9]{2} )
    )(?![\w-]|[.,][0-9])""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_PHONE = re.compile(
    r"""(?<![\w.,/+-])(?:
      \+ [1-9] (?: [ ./()-]{0,3} [0-9] ){7,14}                              # +49 (0)30 1234567
    | 00 [1-9][0-9]{0,2} (?: [ /()-]{1,3} [0-9]{1,9} ){1,5}                 # 0049 30 1234567
    | \( 0 [1-9][0-9]{1,4} \) [ ]? [0-9] (?: [ -]? [0-9] ){4,8}             # (030) 1234567
    | 0 [1-9][0-9]{1,4} [ ]? [ /-] [ ]? [0-9] (?: [ -]? [0-9] ){4,8}        # 030 1234567, 0171/1234567
    | 0 [1-9] (?: [ .-] [0-9]{2} ){4}                                       # 01 23 45 67 89
    | (?: \( [2-9][0-9]{2} \) [ ]? | [2-9][0-9]{2} [-.] ) [2-9][0-9]{2} [-.] [0-9]{4}   # (202) 456-1111
    )(?! [\w-] | [.,/] [0-9] )""",
    re.VERBOSE,
)
_CALLED = re.compile(
    r"\b(?:tel(?:[ée]fon[eo]?|ephone)?|t[ée]l[ée]phone|phone|mobile?|m[óo]vil|handy|cell(?:ulare)?|fax|rufnummer)\b"
    r"[^\w+(]{0,4}(?:(?:number|no|nr|nummer|num[ée]ro|n[úu]mero|is|ist|est|es|è)\b[^\w+(]{0,4}){0,2}"
    r"([(+]?[0-9](?:[ ./()-]{0,2}[0-9]){5,14})(?!\w)",
    re.IGNORECASE,
)
_PHONE_DIGITS = range(8, 16)
_DATE = re.compile(r"0[1-9][ ./-][01]?[0-9][ ./-](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]")


@dataclass(frozen=True, slots=True)
class Finding:
    """What kind of personal data stands in a text: `flag` is its name, `detail` how many there are of which kind."""

    flag: Flag
    detail: str


def personal_data(untrusted_text: str) -> list[Finding]:
    """What personal data a text holds, in the order of `Flag`."""
    text, found = _readable(untrusted_text), []
    for flag, look in _FINDERS:
        kinds: Counter[str] = Counter()
        for start, end, kind in look(text):
            kinds[kind] += 1
            text = f"{text[:start]}{_TAKEN * (end - start)}{text[end:]}"
        if kinds:
            found.append(Finding(flag, ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))))
    return found


def _readable(text: str) -> str:
    """A text with plain digits, dashes and spaces, and without characters that nobody sees."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text.translate(_UNSEEN)).translate(_DASHES)


_Found = Iterator[tuple[int, int, str]]


def _emails(text: str) -> _Found:
    if "@" in text:
        yield from ((match.start(), match.end(), "address") for match in _EMAIL.finditer(text))


def _ibans(text: str) -> _Found:
    for match in _IBAN.finditer(text):
        country, length = iban_country(text[match.start() : match.start() + _IBAN_AT_MOST])
        if country and not text[match.start() + length : match.start() + length + 1].isalnum():
            yield match.start(), match.start() + length, country


def _cards(text: str) -> _Found:
    for match in _CARD.finditer(text):
        if network := card_network(_digits(match[0])):
            yield match.start(), match.end(), network


def _national_ids(text: str) -> _Found:
    for match in _NATIONAL_ID.finditer(text):
        if kind := national_id(str(match.lastgroup), match[0]):
            yield match.start(), match.end(), kind


def _phones(text: str) -> _Found:
    for match in _PHONE.finditer(text):
        if len(_digits(match[0])) in _PHONE_DIGITS and not _DATE.match(match[0]):
            yield match.start(), match.end(), "number"
    for match in _CALLED.finditer(text):
        if _TAKEN not in match[0] and not _PHONE.match(text, match.start(1)):
            yield match.start(1), match.end(1), "number"


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


_FINDERS: tuple[tuple[Flag, Callable[[str], _Found]], ...] = (
    (Flag.EMAIL, _emails),
    (Flag.IBAN, _ibans),
    (Flag.CARD, _cards),
    (Flag.NATIONAL_ID, _national_ids),
    (Flag.PHONE, _phones),
)
