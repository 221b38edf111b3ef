"""Reads the dates of a text, in the ways they are written in five languages. Pure.

"3 March 2024", "3. März 2024", "03.03.2024" and "2024-03-03" are one date, which is called as ISO 8601 has it. Where
the writing leaves two readings ("03/04/2024"), both count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from appliance.language.words import ANY, LANGUAGES, one_of

MONTHS = {
    name: number
    for language in LANGUAGES.values()
    for number, names in enumerate(language.months, start=1)
    for name in names
}
WEEKDAYS = frozenset(ANY.weekdays)
_MONTH = one_of(MONTHS)
_ENGLISH_ENDING = one_of(LANGUAGES["en"].words.day_endings)  # only English writes the month first
_BEFORE_YEAR = rf"(?:{one_of(ANY.before_years)}\s+)?"
_YEAR = r"(?P<year>(?:1[5-9]|20|21)\d\d)"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:\.\s*|-|{one_of(ANY.day_endings)}?\s+)(?:{one_of(ANY.before_months)}\s+)?"
        rf"(?P<month>{_MONTH})\b\.?(?:-{_YEAR.replace('year', 'joined')}(?!\d)|,?\s+{_BEFORE_YEAR}{_YEAR}(?!\d))?",
        rf"\b(?P<month>{_MONTH})\b\.?\s+(?P<day>\d{{1,2}}){_ENGLISH_ENDING}?(?![\d.,]\d|\d)(?:,?\s+{_YEAR}(?!\d))?",
        rf"\b(?P<month>{_MONTH})\b\.?,?\s+{_BEFORE_YEAR}{_YEAR}(?!\d)",
    )
)
_ISO = re.compile(r"(?<!\d)(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?!\d|\.\d)")
_NUMERIC = re.compile(
    r"(?<![\d.])(?P<one>\d{1,2})(?P<joint>\.\s?|[/-])(?P<two>\d{1,2})(?P=joint)(?P<year>\d{4}|\d{2})(?![\d]|\.\d)"
)
_CLAUSE = re.compile(r"\d{1,2}\.\d{1,2}\.\d{2}")
_DAY_AND_MONTH_IN_FULL = re.compile(r"\d\d\.\d\d\.\d\d")
_WORD = re.compile(r"[^\W\d_]+")


def found(text: str) -> Iterator[re.Match[str]]:
    """Where dates stand in a text. Some may be parts of others: "March 2024" is one of "3 March 2024"."""
    names_a_month = not MONTHS.keys().isdisjoint(_WORD.findall(folded(text)))  # few do, and to look takes long
    for pattern in (_ISO, _NUMERIC, *(_DATES if names_a_month else ())):
        yield from pattern.finditer(text)


def readings(match: re.Match[str]) -> Iterator[str]:
    """What a date that was found may be: "2024-03-03", "2024-03", "--03-03" without a year; and as it is written, if
    it is all digits and has its year last, or is no date. Two digits are a year of this century or of the last."""
    meant = [*_meant(match)]
    yield from meant
    if "one" in match.groupdict() or not meant:
        yield match[0]


def _meant(match: re.Match[str]) -> Iterator[str]:
    parts = match.groupdict()
    if "one" in parts:
        years = (parts["year"],) if len(parts["year"]) == 4 else (f"20{parts['year']}", f"19{parts['year']}")
        pairs = ((parts["one"], parts["two"]), (parts["two"], parts["one"]))
        read = [_iso(year, int(month), int(day)) for year in years for day, month in pairs]
    else:
        month, day, year = parts["month"], parts.get("day"), parts.get("joined") or parts.get("year") or "-"
        number = int(month) if month.isdecimal() else MONTHS[folded(month)]
        read = [_iso(year, number, int(day) if day else None)]
    yield from (date for date in read if date)


def _iso(year: str, month: int, day: int | None) -> str:
    """A date as ISO 8601 has it; nothing for one that is none."""
    if not 1 <= month <= 12 or (day is not None and not 1 <= day <= 31):
        return ""
    return f"{year}-{month:02}" + (f"-{day:02}" if day is not None else "")


def days_and_months(text: str) -> frozenset[str]:
    """The dates of a text that have a year: each day ("2024-03-03"), and the month of each ("2024-03").

    "4.2.10" is rather a clause; "04.02.10" is a date.
    """
    dates = (match for match in found(text) if not _is_clause(match[0]))
    of_a_year = {date for match in dates for date in _meant(match) if not date.startswith("-")}
    return frozenset(of_a_year | {date[: len("2024-03")] for date in of_a_year})


def _is_clause(written: str) -> bool:
    return bool(_CLAUSE.fullmatch(written)) and not _DAY_AND_MONTH_IN_FULL.fullmatch(written)


def folded(word: str) -> str:
    """A word as tables of words have it. To a pattern that ignores case, the Turkish İ and ı are an i; to no table."""
    return word.replace("İ", "i").replace("ı", "i").casefold()
