"""Reads the numbers and dates of a text, so that those of an answer can be looked for in a passage. Pure.

Rules this module keeps:

1. A number is what it is worth, however it is written: "1,234.50", "1.234,5", "1 234.5" and "1'234.5" are one number.
   Where the writing leaves two readings ("1,234" may be 1234 or 1.234), both count. The sign does not.
2. "5 million" is 5,000,000 and not 5. A bare 5 of a passage stands for it only where the passage names the unit
   ("in millions"), and the other way round.
3. A date is one thing ("3 March 2024", "03.03.2024", "2024-03-03"), in five languages. It stands in a passage that has
   it, or that has its day and month in one place and its year in another.
4. A code ("4.2.1", "11:30") is compared as it is written. Numbers spelled as words count in a passage ("due" is 2 where
   the passage is Italian). In an answer they count from four to ninety and before a measure ("twelve years", "zehn
   Prozent"): otherwise an answer counts things that its passage only lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from appliance import dates
from appliance.language.words import ANY, LANGUAGES, one_of

_GROUPED = r"\d{1,3}(?:[ \u00a0\u2009\u202f'’]\d{3})+(?:[.,]\d+)?(?![\d])"
_PLAIN = r"\d+(?:[.,:]\d+)*"
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(rf"(?<![\d.,:]){_GROUPED}|{_PLAIN}")

_SCALES = {
    word: tens
    for tens, words in ((3, ANY.thousands), (6, ANY.millions), (9, ANY.billions), (12, ANY.trillions))
    for word in words
}
_SCALE = re.compile(rf"\b({one_of(_SCALES)})\b", re.IGNORECASE)
_SCALE_AFTER = re.compile(rf"\s?-?({one_of(_SCALES)})\b", re.IGNORECASE)

_SPELLED = {code: language.spelled for code, language in LANGUAGES.items()}
_ELSEWHERE = frozenset(ANY.spelled_elsewhere)

_SPELLED_ANYWHERE = {
    word: value for spelled in _SPELLED.values() for word, value in spelled.items() if word not in _ELSEWHERE
}
_SPELLED_IN = {code: {**_SPELLED_ANYWHERE, **spelled} for code, spelled in _SPELLED.items()} | {"": _SPELLED_ANYWHERE}
_WORD = re.compile(r"[^\W\d_]+")
_LASTING = re.compile(rf"\b([a-zäöüß]+)(?={one_of(ANY.lasting)}(?:e[mnrs]?)?\b)", re.IGNORECASE)
"""The number in a German word like "sechsmonatige"."""

MEASURES = one_of((*ANY.measures, *ANY.currencies), blank=r"\s+")
"""What a number may measure."""

_FEWEST, _MOST = 4, 90  # fewer are pronouns and articles too; a hundred and more are of several words
_AND = frozenset(ANY.and_words)
_BEFORE = 24  # characters before a word in which another part of the same number may stand


def _with_measure(language: str) -> re.Pattern[str]:
    """A spelled number and its measure, with at most one word between them that is no part of the number."""
    numbers = (word for word, value in _SPELLED_IN[language].items() if _FEWEST <= value <= _MOST)
    whole = one_of(word for word in numbers if word not in ANY.spelled_vaguely)
    part = one_of((*_SPELLED_IN[language], *_SCALES))
    return re.compile(rf"(?<![\w-])({whole})(?:\s+|-)(?:(?!{part}(?!\w))[^\W\d_]+\s+)?{MEASURES}(?!\w)", re.IGNORECASE)


_WITH_MEASURE = {language: _with_measure(language) for language in _SPELLED_IN}


@dataclass(frozen=True, slots=True)
class Number:
    """A number or date as it is `written`, and what it may mean: any of `readings`. `scale` is of its unit, in tens."""

    written: str
    readings: frozenset[str]
    scale: int = 0


@dataclass(frozen=True, slots=True)
class NumbersOf:
    """The numbers that a text has, for looking some up. `scales` are the units that it names anywhere."""

    readings: frozenset[str]
    scales: frozenset[int]

    def __or__(self, other: NumbersOf) -> NumbersOf:
        return NumbersOf(self.readings | other.readings, self.scales | other.scales)

    def have(self, number: Number, scales: frozenset[int] = frozenset()) -> bool:
        """Whether a number of another text, which names `scales`, stands in this one."""
        if number.readings & self.readings:
            return True
        if number.scale:
            return number.scale in self.scales and bool(_divided(number) & self.readings)
        if any(_multiplied(reading, scale) in self.readings for reading in number.readings for scale in scales):
            return True
        return any(set(parts) <= self.readings for parts in map(_parts, number.readings) if parts)


def numbers(text: str) -> tuple[Number, ...]:
    """The numbers and dates of a text in digits, each as often as it stands there, dates first."""
    return tuple(found for found, _, _ in _found(text))


def numbers_of(text: str, language: str = "") -> NumbersOf:
    """Everything that the numbers of a text in this language ("" when it is not known) may mean, spelled ones too."""
    readings = {reading for number in numbers(text) for reading in number.readings}
    readings |= {facet for reading in readings for facet in _facets(reading)}
    spelled = _SPELLED_IN.get(language, _SPELLED_ANYWHERE)
    words = [*_WORD.findall(text), *_LASTING.findall(text)]
    readings |= {str(spelled[word]) for word in map(str.casefold, words) if word in spelled}
    return NumbersOf(frozenset(readings), scales(text))


def spelled_numbers(text: str, language: str = "") -> tuple[Number, ...]:
    """The numbers of an answer in this language that are spelled as words, from four to ninety, with their measure."""
    spelled = _SPELLED_IN.get(language, _SPELLED_ANYWHERE)
    found = []
    for match in _WITH_MEASURE.get(language, _WITH_MEASURE[""]).finditer(text):
        before = _WORD.findall(text[max(0, match.start() - _BEFORE) : match.start()].casefold())[-2:]
        if before and before[-1] in _AND:
            before.pop()
        if not before or before[-1] not in spelled:  # no part of "thirty and five"
            found.append(Number(" ".join(match[0].split()), frozenset({str(spelled[dates.folded(match[1])])})))
    return tuple(found)


def scales(text: str) -> frozenset[int]:
    """The units of tens that a text names: 6 for "in millions"."""
    return frozenset(_SCALES[dates.folded(found[0])] for found in _SCALE.finditer(text))


def spans(text: str, written: frozenset[str]) -> list[tuple[int, int]]:
    """Where those of a text's numbers stand that are written as in `written`, in order."""
    spelled = (number for number in written if number and not _DIGIT.search(number))
    patterns = (r"(?<!\w)" + r"\s+".join(map(re.escape, number.split())) + r"(?!\w)" for number in spelled)
    in_words = (found.span() for pattern in patterns for found in re.finditer(pattern, text))
    return sorted([*((start, end) for number, start, end in _found(text) if number.written in written), *in_words])


def without_numbers(text: str) -> str:
    """The text with a gap where its numbers and dates were."""
    rest = text
    for start, end in sorted((match.span() for match in _matches(text)), reverse=True):
        rest = f"{rest[:start]} {rest[end:]}"
    return rest


def _found(text: str) -> list[tuple[Number, int, int]]:
    return [(_number(match), *match.span()) for match in _matches(text)]


def _matches(text: str) -> list[re.Match[str]]:
    """Where numbers and dates stand, dates first. What they may mean, which takes longer, is for `_number` to say."""
    found: list[re.Match[str]] = []
    if not _DIGIT.search(text):  # most sentences: every pattern below asks for one
        return found
    rest = text
    for match in dates.found(text):
        start, end = match.span()
        if rest[start:end] != match[0]:  # a part of it belongs to a date that was found before
            continue
        found.append(match)
        rest = f"{rest[:start]}{' ' * (end - start)}{rest[end:]}"
    return [*found, *_NUMBER.finditer(rest)]


def _number(match: re.Match[str]) -> Number:
    if match.re is not _NUMBER:
        return Number(match[0].strip(), frozenset(dates.readings(match)))
    unit = _SCALE_AFTER.match(match.string, match.end())
    scale = _SCALES[dates.folded(unit[1])] if unit else 0
    return Number(match[0], frozenset(_multiplied(reading, scale) for reading in _readings(match[0])), scale)


def _facets(reading: str) -> Iterator[str]:
    """What else a passage says that has this date: its month, its day in any year, its year."""
    date = re.fullmatch(r"(\d{4}|-)-(\d\d)(?:-(\d\d))?", reading)
    if date is None:
        return
    year, month, day = date.groups()
    if year != "-":
        yield year
        yield f"{year}-{month}"
    if day:
        yield f"--{month}-{day}"
        yield str(int(day))


def _parts(reading: str) -> list[str]:
    """A whole date as day and month in one place and year in another; a time as hours and minutes."""
    date = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", reading)
    if date is not None:
        return [f"--{date[2]}-{date[3]}", date[1]]
    time = re.fullmatch(r"(\d{1,2}):(\d\d)", reading)
    return [str(int(time[1])), str(int(time[2]))] if time else []


def _readings(written: str) -> Iterator[str]:
    """What digits with separators may be worth."""
    digits = re.sub(r"[ \u00a0\u2009\u202f'’]", "", written)
    marks = re.findall(r"[.,:]", digits)
    if ":" in marks or (len(marks) > 1 and len(set(marks)) == 1 and not _is_grouped(digits)):
        yield digits  # a time, a clause, a version
        if re.fullmatch(r"\d{1,2}:\d\d", digits):
            yield _plain(digits.replace(":", "."))
    elif not marks:
        yield _plain(digits)
    elif len(set(marks)) > 1:
        last = digits.rindex(marks[-1])
        yield _plain(f"{re.sub('[.,]', '', digits[:last])}.{digits[last + 1 :]}")
    elif len(marks) > 1:
        yield _plain(re.sub("[.,]", "", digits))
        yield digits
    else:
        yield _plain(digits.replace(",", "."))
        if _is_grouped(digits):
            yield _plain(re.sub("[.,]", "", digits))


def _is_grouped(digits: str) -> bool:
    return bool(re.fullmatch(r"[1-9]\d{0,2}(?:[.,]\d{3})+", digits))


def _plain(number: str) -> str:
    value = Decimal(number)
    return f"{value.normalize():f}" if value else "0"


def _multiplied(reading: str, scale: int) -> str:
    if not scale or not re.fullmatch(r"\d+(?:\.\d+)?", reading):
        return reading
    return _plain(str(Decimal(reading).scaleb(scale)))


def _divided(number: Number) -> frozenset[str]:
    return frozenset(_multiplied(reading, -number.scale) for reading in number.readings)
