"""Whether the number of an account, a card or a person can be one: lengths and check digits. Pure."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping

_IBAN_LENGTHS: Mapping[str, int] = {
    name: int(length)
    for name, length in re.findall(
        "([A-Z]{2})([0-9]{2})",
        """
        AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29
        ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20
        LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29
        PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
        YE30
        """,
    )
}
"""How many characters an account number of each country has (SWIFT's registry of IBAN formats)."""

_NETWORKS = (
    ("American Express", re.compile(r"3[47]\d{13}")),
    ("Diners Club", re.compile(r"3(?:0[0-5]|[689]\d)\d{11}")),
    ("Discover", re.compile(r"6(?:011|5\d\d|4[4-9]\d)\d{12}")),
    ("JCB", re.compile(r"35(?:2[89]|[3-8]\d)\d{12}")),
    ("Maestro", re.compile(r"(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}")),
    ("Mastercard", re.compile(r"(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}")),
    ("UnionPay", re.compile(r"62\d{14,17}")),
    ("Visa", re.compile(r"4(?:\d{12}|\d{15}|\d{18})")),
)

_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_CODICE_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_NINO_PREFIX = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z]")
_ALPHANUMERIC = frozenset(string.ascii_letters + string.digits)
_SEPARATORS = re.compile(r"[\s./-]+")


def iban_country(untrusted_text: str) -> tuple[str, int]:
    """The country of the IBAN that a text begins with and how many of its characters that takes; "" and 0: none."""
    country = untrusted_text[:2].upper()
    wanted, whole = _IBAN_LENGTHS.get(country, 0), ""
    for taken, character in enumerate(untrusted_text if wanted else "", start=1):
        if character in _ALPHANUMERIC:
            whole += character.upper()
        elif character not in " -" or untrusted_text[taken - 2] not in _ALPHANUMERIC:
            break
        if len(whole) == wanted:
            return (country, taken) if _mod_97(whole[4:] + whole[:4]) == 1 else ("", 0)
    return "", 0


def card_network(digits: str) -> str:
    """The network whose card has this number; empty if no card can have it."""
    if not _luhn(digits) or len(set(digits)) == 1:
        return ""
    return next((name for name, form in _NETWORKS if form.fullmatch(digits)), "")


def national_id(form: str, untrusted_text: str) -> str:
    """Which id a text in one of the known forms is; empty if it can be none."""
    name, is_one = _IDS[form]
    return name if is_one(_SEPARATORS.sub("", untrusted_text).upper()) else ""


def _mod_97(characters: str) -> int:
    return int("".join(str(int(character, 36)) for character in characters)) % 97


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _steuer_id(digits: str) -> bool:
    """One digit of the first ten stands there twice or three times, no other more than once; ISO 7064 MOD 11,10."""
    often = [count for count in Counter(digits[:10]).values() if count > 1]
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return often in ([2], [3]) and (11 - product) % 10 == int(digits[10])


def _nir(text: str) -> bool:
    month, department = int(text[3:5]), text[5:7].replace("2A", "19").replace("2B", "18")
    if not department.isdigit() or not (1 <= month <= 12 or 20 <= month <= 42 or month >= 50):
        return False
    return 97 - int(text[:5] + department + text[7:13]) % 97 == int(text[13:])


def _dni(text: str) -> bool:
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return len(text) == 9 and _DNI_LETTERS[int(number) % 23] == text[-1]


def _codice_fiscale(text: str) -> bool:
    places = [int(c) if c.isdigit() else ord(c) - ord("A") for c in text[:15]]
    total = sum(_CODICE_ODD[value] for value in places[::2]) + sum(places[1::2])
    return chr(ord("A") + total % 26) == text[15]


def _nino(text: str) -> bool:
    return _NINO_PREFIX.match(text) is not None


def _ssn(digits: str) -> bool:
    return digits[:3] not in ("000", "666") and digits[3:5] != "00" and digits[5:] != "0000"


def _ahv(digits: str) -> bool:
    """EAN-13."""
    return sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(digits)) % 10 == 0


_IDS: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "steuer_id": ("German tax id", _steuer_id),
    "nir": ("French social security number", _nir),
    "dni": ("Spanish DNI or NIE", _dni),
    "codice_fiscale": ("Italian tax code", _codice_fiscale),
    "nino": ("UK national insurance number", _nino),
    "ssn": ("US social security number", _ssn),
    "ahv": ("Swiss social insurance number", _ahv),
}
