"""Reads the numbers and dates of a text, so that those of an answer can be looked for in a passage. Pure.

Rules this module keeps:

1. A number is what it is worth, however it is written: "1,234.50", "1.234,5", "1 234.5" and "1'234.5" are one number.
   Where the writing leaves two readings ("1,234" may be 1234 or 1.234), both count.
2. "5 million" is 5,000,000 and not 5. A bare 5 of a passage stands for it only where the passage names the unit
   ("in millions"), and the other way round. A letter ("5m", "5 k") does the same beside a currency; without one it may
   also be something else ("5 m" of rope), which no sum of money in a passage stands for.
3. A sum of money stands in a passage in its currency, or without any. A number with a minus stands in one that has it
   with a minus or in brackets, or that speaks of a loss or of less somewhere.
4. A date is one thing ("3 March 2024", "03.03.2024", "2024-03-03"), in five languages. It stands in a passage that has
   it, or that has its day and month in one place and its year in another.
5. A code ("4.2.1", "11:30") is compared as it is written. Numbers spelled as words count in a passage ("due" is 2 where
   the passage is Italian), those of several words as one ("twenty-five", "zweihundert"). In an answer they count from
   four on and before a measure ("twelve years", "zweihundert Euro"), from two on where millions are ("two million
   euros"), else below four before "percent" alone: an answer counts things that its passage only lists, or says no
   number ("one day").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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

_CODES = ("AUD", "CAD", "CHF", "CNY", "DKK", "EUR", "GBP", "HKD", "JPY", "NOK", "NZD", "SEK", "SGD", "USD")
_DOLLARS = frozenset({"AUD", "CAD", "HKD", "NZD", "SGD", "USD"})
_CURRENCY_OF = (
    {code: frozenset({code}) for code in _CODES}
    | {"€": frozenset({"EUR"}), "£": frozenset({"GBP"}), "¥": frozenset({"CNY", "JPY"}), "$": _DOLLARS}
    | {word: frozenset({"EUR"}) for word in ANY.euros}
    | dict.fromkeys(ANY.dollars, _DOLLARS)
    | {word: frozenset({"CHF"}) for word in ANY.francs}
)
CURRENCIES = (*ANY.euros, *ANY.dollars, *ANY.francs)
"""Currencies in words."""

_LETTER = r"[^\W\d_]"
_BLANK = r"[ \u00a0\u2009\u202f]"
_SIGN = rf"(?:[€$£¥]|{'|'.join(_CODES)})"
_NAMED = rf"(?<!{_LETTER})(?:{'|'.join(_CODES)}|(?i:{one_of(CURRENCIES)}))(?!{_LETTER})"
_CURRENCY = rf"(?:[€$£¥]|{_NAMED})"

_SHORT = {"k": (3,), "t": (3, 12), "m": (6,), "mn": (6,), "b": (9,), "md": (9,), "mds": (9,)}
"""What may make more of a number, in tens; something else as well where no currency is beside it ("5 m", "30 mn")."""

_SHORTS = f"(?i:{one_of(_SHORT)})"
_SHORT_AFTER = re.compile(rf"{_BLANK}?({_SHORTS})(?:(?={_SIGN}|{_BLANK}{_CURRENCY})|(?![\w/]))")
_SHORT_OF_MONEY = re.compile(rf"(?<!{_LETTER})({_SHORTS}){_BLANK}?{_SIGN}|{_SIGN}{_BLANK}?({_SHORTS})(?!\w)")
"""A unit that a table names: "EUR m", "in T€"."""

_CURRENCY_AFTER = re.compile(rf"(?:({_SIGN})(?!{_LETTER})|{_BLANK}?(?:US[ -])?({_CURRENCY}))(?!{_BLANK}?\d)")
_CURRENCY_BEFORE = re.compile(rf"(?<!\d)(?<!\d[ \u00a0])({_CURRENCY}){_BLANK}?[-−]?\Z")
_MINUS_BEFORE = re.compile(rf"(?:\A|[\s(:=*])(?<![\d%][ \u00a0])[-−](?:{_CURRENCY}{_BLANK}?)?\Z|{_CURRENCY}[-−]\Z")
_MAYBE_MINUS_BEFORE = re.compile(rf"[-−–—‐‑‒(]{_BLANK}?(?:{_CURRENCY}{_BLANK}?)?\Z")
_MINUS_BEHIND = re.compile(r"[-−](?!\w)")  # "500-", as ledgers have it
_LESS = re.compile(rf"\b{one_of(ANY.less_words)}\b", re.IGNORECASE)
_BESIDE = 12  # characters before a number in which its currency and its sign stand

_SPELLED = {code: language.spelled for code, language in LANGUAGES.items()}
_ELSEWHERE = frozenset(ANY.spelled_elsewhere)

_SPELLED_ANYWHERE = {
    word: value for spelled in _SPELLED.values() for word, value in spelled.items() if word not in _ELSEWHERE
}
_SPELLED_IN = {code: {**_SPELLED_ANYWHERE, **spelled} for code, spelled in _SPELLED.items()} | {"": _SPELLED_ANYWHERE}
_SPELLED_EVERYWHERE = frozenset(word for spelled in _SPELLED.values() for word in spelled)
_WORD = re.compile(r"[^\W\d_]+")
_LASTING = re.compile(rf"\b([a-zäöüß]+)(?={one_of(ANY.lasting)}(?:e[mnrs]?)?\b)", re.IGNORECASE)
"""The number in a German word like "sechsmonatige"."""

_PERCENTS = one_of(ANY.percents, blank=r"\s+")
MEASURES = one_of((*ANY.measures, *ANY.percents, *CURRENCIES), blank=r"\s+")
"""What a number may measure."""

_FEWEST = 4  # below are pronouns and articles too
_MANY = (100, 1000)  # may be vague ("several hundred")
_AND, _AND_BETWEEN_TENS = 0, -1
_ANDS = dict.fromkeys(ANY.and_words, _AND) | dict.fromkeys(ANY.and_between_tens, _AND_BETWEEN_TENS)
_JOINED = {code: {**spelled, **_ANDS} for code, spelled in _SPELLED.items()}
_LONGEST_JOINED = 48  # letters
_MOST_PARTS = 12  # words, "and" too: more are a list of numbers
_PART_OF_WORD = {code: re.compile(one_of(parts)) for code, parts in _JOINED.items()}
_BETWEEN = re.compile(r"\s+|-")
_WITHIN = re.compile(rf"\b{one_of((*ANY.decimal_points, *_SCALES))}(?:\s+{one_of(ANY.and_words)})?\s+\Z", re.IGNORECASE)
"""What stands before the rest of a number: "point five", "million two hundred thousand"."""

_BEFORE = 24  # characters before a number in which that stands


def _to_measure(language: str) -> re.Pattern[str]:
    """From the end of a spelled number to its measure, with at most one word between that is no part of the number."""
    part = one_of((*_SPELLED_IN[language], *_SCALES))
    return re.compile(
        rf"(?:\s+|-)(?:(?!{part}(?!\w))[^\W\d_]+(?:\s+|['’]))?(?:{MEASURES}(?!\w)|{_CURRENCY})", re.IGNORECASE
    )


_TO_MEASURE = {language: _to_measure(language) for language in _SPELLED_IN}
_PERCENT_BEGINS = re.compile(
    rf"\b{one_of(said.partition(' ')[0] for said in ANY.percents if ' ' in said)}\s+\Z", re.IGNORECASE
)
"""What stands before the hundred of "dix pour cent"."""

_TO_PERCENT = re.compile(rf"(?:\s+|-){_PERCENTS}(?!\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Number:
    """A number or date as it is `written`, and what it may mean: any of `readings`.

    `scale` is of its unit, in tens; `no_money` are those of the readings that are true of something else alone.
    `currencies` may be meant by the one beside it, if there is one.
    """

    written: str
    readings: frozenset[str]
    scale: int = 0
    no_money: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()
    is_negative: bool = False


@dataclass(frozen=True, slots=True)
class NumbersOf:
    """The numbers that a text has, for looking some up. `scales` are the units that it names anywhere.

    Of the readings, those in `plain` stand somewhere without a currency, `money` tells the currencies of others, and
    those in `negative` may have a minus; all may where the text speaks of less.
    """

    readings: frozenset[str] = frozenset()
    scales: frozenset[int] = frozenset()
    plain: frozenset[str] = frozenset()
    money: frozenset[tuple[str, str]] = frozenset()
    negative: frozenset[str] = frozenset()
    tells_of_less: bool = False

    def __or__(self, other: NumbersOf) -> NumbersOf:
        return NumbersOf(
            self.readings | other.readings,
            self.scales | other.scales,
            self.plain | other.plain,
            self.money | other.money,
            self.negative | other.negative,
            self.tells_of_less or other.tells_of_less,
        )

    def have(self, number: Number, scales: frozenset[int] = frozenset()) -> bool:
        """Whether a number of another text, which names `scales`, stands in this one."""
        if any(self._have(reading, number) for reading in number.readings):
            return True
        if number.scale:
            return number.scale in self.scales and any(self._have(reading, number) for reading in _divided(number))
        multiplied = (_multiplied(reading, scale) for reading in number.readings for scale in scales)
        if any(self._have(reading, number) for reading in multiplied):
            return True
        return any(set(parts) <= self.readings for parts in map(_parts, number.readings) if parts)

    def _have(self, reading: str, number: Number) -> bool:
        if reading not in self.readings:
            return False
        if number.is_negative and not self.tells_of_less and reading not in self.negative:
            return False
        if reading in self.plain:
            return True
        if reading in number.no_money:
            return False
        return not number.currencies or any((reading, currency) in self.money for currency in number.currencies)


def numbers(text: str) -> tuple[Number, ...]:
    """The numbers and dates of a text in digits, each as often as it stands there, dates first."""
    return tuple(found for found, _, _ in _found(text))


def numbers_of(text: str, language: str = "") -> NumbersOf:
    """Everything that the numbers of a text in this language ("" when it is not known) may mean, spelled ones too."""
    found = _found(text)
    readings = {reading for number, _, _ in found for reading in number.readings}
    plain = {facet for reading in readings for facet in _facets(reading)} | _spelled_readings(text, language)
    for number, _, _ in found:
        plain |= number.no_money if number.currencies else number.readings
    money = {
        (reading, currency) for number, _, _ in found for reading in number.readings for currency in number.currencies
    }
    negative = {
        reading
        for number, start, end in found
        if _is_found(_MAYBE_MINUS_BEFORE, text, start) or _MINUS_BEHIND.match(text, end)
        for reading in number.readings
    }
    return NumbersOf(
        frozenset(readings | plain),
        scales(text),
        frozenset(plain),
        frozenset(money),
        frozenset(negative),
        _LESS.search(text) is not None,
    )


def _spelled_readings(text: str, language: str) -> set[str]:
    spelled = _SPELLED_IN.get(language, _SPELLED_ANYWHERE)
    words = [*_WORD.findall(text), *_LASTING.findall(text)]
    alone = {str(spelled[word]) for word in map(str.casefold, words) if word in spelled}
    runs = list(_runs(text, spelled))
    scaled = {str(value * 10**unit.scale) for run in runs if (unit := run.unit(text)) and (value := run.value)}
    return alone | scaled | {str(value) for run in runs if (value := run.value) is not None}


def spelled_numbers(text: str, language: str = "") -> tuple[Number, ...]:
    """The numbers of an answer in this language that are spelled as words, with their measure: from four on, before
    "percent" from one, and before "million" from two."""
    spelled = _SPELLED_IN.get(language, _SPELLED_ANYWHERE)
    to_measure = _TO_MEASURE.get(language, _TO_MEASURE[""])
    found = []
    is_whole = language in LANGUAGES and LANGUAGES[language].hundreds_need_no_one
    for run in _runs(text, spelled):
        unit = run.unit(text) if run.parts != (1,) else None
        is_few = unit is None and len(run.parts) == 1 and run.parts[0] in range(1, _FEWEST)
        measure = (_TO_PERCENT if is_few else to_measure).match(text, unit.end if unit else run.end)
        if measure and run.counts(text, hundreds_are_whole=is_whole):
            written, scale = " ".join(text[run.start : measure.end()].split()), unit.scale if unit else 0
            found.append(Number(written, frozenset({str((run.value or 0) * 10**scale)}), scale))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Unit:
    """What makes millions and the like of a number in words: in tens, and where it ends."""

    scale: int
    end: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Words of numbers that stand side by side, and the words for "and" between them; `is_joined` if they are one."""

    start: int
    end: int
    parts: tuple[int, ...]
    is_joined: bool = False

    @property
    def value(self) -> int | None:
        """What they are worth together; None where they are several numbers."""
        return _composed(self.parts, is_joined=self.is_joined)

    def unit(self, text: str) -> _Unit | None:
        """The unit behind it ("five million"); None where there is none, or more of the number follows it."""
        found = _SCALE_AFTER.match(text, self.end)
        if found is None:
            return None
        following = _WORD.match(text, found.end() + 1)
        word = dates.folded(following[0]) if following else ""
        is_more = word in _SPELLED_EVERYWHERE or word in _SCALES or _joined(word)
        return None if is_more else _Unit(_SCALES[dates.folded(found[1])], found.end())

    def counts(self, text: str, *, hundreds_are_whole: bool = False) -> bool:
        """Whether it is a whole number of an answer, and no vague one.

        Args:
            text: Where it stands.
            hundreds_are_whole: Whether one that begins with a hundred or a thousand is exact ("cent vingt").
        """
        value, written = self.value, text[self.start : self.end]
        if (
            value is None
            or _is_found(_WITHIN, text, self.start, _BEFORE)
            or text[max(0, self.start - 1) : self.start] == "-"
        ):
            return False
        if len(self.parts) == 1:
            return value not in _MANY and dates.folded(written) not in ANY.spelled_vaguely
        if all(part in _MANY for part in self.parts):
            return False
        # "several hundred and five"; "twenty five-year leases"
        is_split = text[self.end : self.end + 1] == "-" and "-" not in written
        is_vague = self._may_be_two(text) if hundreds_are_whole else self.parts[0] in _MANY
        return self.is_joined or not (is_vague or is_split)

    def _may_be_two(self, text: str) -> bool:
        """Whether its hundred or thousand may stand by itself: "dix pour cent vingt jours", "entre cent et vingt"."""
        many = next((place for place, part in enumerate(self.parts) if part in _MANY), len(self.parts))
        is_percent = many == 0 and _is_found(_PERCENT_BEGINS, text, self.start)
        return is_percent or any(part <= 0 for part in self.parts[many + 1 : many + 2])


def _runs(text: str, spelled: Mapping[str, int]) -> Iterator[_Run]:
    """The numbers in words of a text, each with as many words as stand side by side."""
    run: _Run | None = None
    parts: tuple[int, ...] = ()  # with what may yet turn out to be "and" inside a number
    end = 0
    for word in _WORD.finditer(text):
        folded = dates.folded(word[0])
        value = spelled.get(folded)
        is_part = value or (folded in _ANDS and bool(parts) and parts[-1] > 0)
        if run and is_part and len(parts) < _MOST_PARTS and _BETWEEN.fullmatch(text, end, word.start()):
            parts, end = (*parts, value or _ANDS[folded]), word.end()
            run = _Run(run.start, end, parts) if value else run
            continue
        if run:
            yield run
        run = _Run(word.start(), word.end(), (value,)) if value else None
        if run:
            parts, end = run.parts, run.end
        elif joined := _joined(folded):
            yield _Run(word.start(), word.end(), joined, is_joined=True)
    if run:
        yield run


def _joined(word: str) -> tuple[int, ...]:
    """The parts of a number that is written as one word ("zweihundertfünf"); none if it is no such word."""
    for language in _SPELLED if len(word) <= _LONGEST_JOINED else ():
        parts = _split(word, language)
        if len(parts) > 1 and parts[0] > 0 and parts[-1] > 0 and _composed(parts, is_joined=True) is not None:
            return parts
    return ()


def _split(word: str, language: str) -> tuple[int, ...]:
    """The words of numbers that this one is made of, in this language; none if there is anything else in it. Two may
    share a letter ("centottanta")."""
    pattern = _PART_OF_WORD[language]
    parts: list[int] = []
    place = 0
    while place < len(word):
        part = pattern.match(word, place) or (pattern.match(word, place - 1) if parts else None)
        if part is None or part.end() <= place:
            return ()
        parts.append(_JOINED[language][part[0]])
        place = part.end()
    return tuple(parts)


def _composed(parts: Sequence[int], *, is_joined: bool) -> int | None:
    """What parts of a number are worth together, in any of the languages; None where they are several numbers."""
    whole = current = 0
    before = 1
    for part in parts:
        low = current % 100
        if part <= 0:
            pass
        elif part == 1000 and not whole:
            whole, current = (current or 1) * 1000, 0
        elif part == 100 and current < 10:
            current = (current or 1) * 100
        elif low == 0 and part < (1000 if current == 0 else 100):
            current += part
        elif before == _AND and not is_joined:  # "thirty and five days"
            return None
        elif low == 4 and part == 20 and before == 4:  # quatre-vingts, and not vierundzwanzig
            current += 76
        elif _goes_with(low, part) or (is_joined and before == _AND and _goes_with(part, low)):  # fünfundzwanzig
            current += part
        else:
            return None
        before = part
    return whole + current


def _goes_with(tens: int, ones: int) -> bool:
    """Whether ones stand behind these tens: "twenty-five", "dix-sept", "soixante et onze"."""
    if tens in (60, 80) and 10 <= ones < 20:
        return True
    return tens % 10 == 0 and (ones < 10 if tens >= 20 else tens == 10 and 7 <= ones < 10)


def scales(text: str) -> frozenset[int]:
    """The units of tens that a text names: 6 for "in millions" or "EUR m"."""
    words = {_SCALES[dates.folded(found[0])] for found in _SCALE.finditer(text)}
    short = (found[1] or found[2] for found in _SHORT_OF_MONEY.finditer(text))
    return frozenset(words.union(*(_SHORT[dates.folded(letter)] for letter in short)))


def spans(text: str, written: frozenset[str]) -> list[tuple[int, int]]:
    """Where those of a text's numbers stand that are written as in `written`, in order."""
    if not written:  # nearly always
        return []
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
    return [(_number(match, text), *match.span()) for match in _matches(text)]


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


def _number(match: re.Match[str], text: str) -> Number:
    """What a match may mean in `text`, in which the dates of the text that was looked through still stand."""
    if match.re is not _NUMBER:
        return Number(match[0].strip(), frozenset(dates.readings(match)))
    readings = frozenset(_readings(match[0]))
    unit = _SCALE_AFTER.match(text, match.end())
    short = None if unit else _SHORT_AFTER.match(text, match.end())
    end = (unit or short or match).end()
    currencies = _currencies(text, match.start(), end + (unit is not None and text.startswith(".", end)))
    scales = (_SCALES[dates.folded(unit[1])],) if unit else _SHORT[dates.folded(short[1])] if short else (0,)
    scaled = frozenset(_multiplied(reading, scale) for reading in readings for scale in scales)
    is_negative = _is_found(_MINUS_BEFORE, text, match.start())
    if short and not currencies:
        return Number(match[0], scaled | readings, 0, readings, is_negative=is_negative)
    return Number(match[0], scaled, scales[0], currencies=currencies, is_negative=is_negative)


def _currencies(text: str, start: int, end: int) -> frozenset[str]:
    """Those that may be meant by what is written beside a figure."""
    before = _CURRENCY_BEFORE.search(text, max(0, start - _BESIDE), start)
    after = _CURRENCY_AFTER.match(text, end)
    beside = [*(before.groups() if before else ()), *(after.groups() if after else ())]
    names = (name if name in _CURRENCY_OF else dates.folded(name) for name in beside if name)
    return frozenset[str]().union(*(_CURRENCY_OF[name] for name in names))


def _is_found(before: re.Pattern[str], text: str, start: int, characters: int = _BESIDE) -> bool:
    """Whether that stands directly before a place, in no more than so many characters."""
    return before.search(text, max(0, start - characters), start) is not None


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
