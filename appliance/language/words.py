"""The words of each language, as its file says them (`en.toml`, `de.toml`, ...).

Rules this module keeps:

1. What depends on a language stands in its file, each list under a name that says what it is for. All files have the
   same lists; one may be empty where a language has no such words. What a list means to a rule is told in the files.
2. A text may be in any language, and a short question in none that is clear: most rules go by the words of all
   languages at once (`ANY`). So a word that is something else in another language does harm in most lists.
3. The files are part of the program, as its code is: they are read when this module is imported. One that is not
   whole stops the program and says what is wrong.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any, TypeVar

from appliance.errors import ConfigurationError

_CODES = ("en", "de", "fr", "it", "es")
_MONTHS = 12
_KINDS: Mapping[type, str] = {str: "text", bool: "true or false", list: "list", dict: "table"}
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Words:
    """Lists of words and phrases, of one language or of several. What each is for stands above it in every file."""

    # words that say nothing by themselves
    common_words: tuple[str, ...]
    short_common_words: tuple[str, ...]
    question_words: tuple[str, ...]
    opening_words: tuple[str, ...]
    and_words: tuple[str, ...]
    denials: tuple[str, ...]
    denying_endings: tuple[str, ...]
    auxiliary_verbs: tuple[str, ...]

    # where a sentence ends
    abbreviations: tuple[str, ...]
    abbreviations_of_two_words: tuple[str, ...]
    abbreviations_before_numbers: tuple[str, ...]
    telltale_words: tuple[str, ...]

    # names, and what has a capital and is none
    forms_of_address: tuple[str, ...]
    greetings: tuple[str, ...]
    courtesies: tuple[str, ...]
    beside_courtesies: tuple[str, ...]
    languages: tuple[str, ...]
    before_languages: tuple[str, ...]
    before_doubtful_names: tuple[str, ...]
    before_places: tuple[str, ...]
    no_places: tuple[str, ...]
    endings_of_no_places: tuple[str, ...]

    # follow-up questions
    goes_on: tuple[str, ...]
    goes_on_not: tuple[str, ...]
    points_back: tuple[str, ...]
    points_back_in_small_letters: tuple[str, ...]
    points_back_in_phrases: tuple[str, ...]
    points_back_at_the_end: tuple[str, ...]
    points_back_at_the_beginning: tuple[str, ...]
    points_ahead: tuple[str, ...]
    points_back_at_a_place: tuple[str, ...]
    points_at_no_place_behind: tuple[str, ...]
    asks_by_itself: tuple[str, ...]
    asks_what_is: tuple[str, ...]
    certain: tuple[str, ...]

    # what a question asks for
    asks_for_a_number: tuple[str, ...]

    # how the answer is to look: the order at the end of a question
    please: tuple[str, ...]
    orders_to_shape: tuple[str, ...]
    orders_to_answer: tuple[str, ...]
    orders_to_write: tuple[str, ...]
    answers: tuple[str, ...]
    orders_for_a_form: tuple[str, ...]
    orders_in_whole: tuple[str, ...]
    the_answer: tuple[str, ...]
    is_to_be: tuple[str, ...]
    before_forms: tuple[str, ...]
    forms: tuple[str, ...]
    kinds_of_forms: tuple[str, ...]
    and_round: tuple[str, ...]
    verb_particles: tuple[str, ...]
    examples: tuple[str, ...]

    # numbers and measures
    thousands: tuple[str, ...]
    millions: tuple[str, ...]
    billions: tuple[str, ...]
    trillions: tuple[str, ...]
    spelled_elsewhere: tuple[str, ...]
    spelled_vaguely: tuple[str, ...]
    and_between_tens: tuple[str, ...]
    decimal_points: tuple[str, ...]
    euros: tuple[str, ...]
    dollars: tuple[str, ...]
    francs: tuple[str, ...]
    percents: tuple[str, ...]
    measures: tuple[str, ...]
    lasting: tuple[str, ...]
    less_words: tuple[str, ...]
    pages: tuple[str, ...]
    counting_words: tuple[str, ...]

    # dates
    weekdays: tuple[str, ...]
    day_endings: tuple[str, ...]
    before_months: tuple[str, ...]
    before_years: tuple[str, ...]
    financial_years: tuple[str, ...]

    # documents: their names, editions and kinds
    editions: tuple[str, ...]
    edition_abbreviations: tuple[str, ...]
    revisions: tuple[str, ...]
    edition_ordinals: tuple[str, ...]
    states: tuple[str, ...]
    states_at_an_end: tuple[str, ...]
    copy_of: tuple[str, ...]
    before_edition_dates: tuple[str, ...]
    old_folders: tuple[str, ...]
    kinds_of_documents: tuple[str, ...]
    reports_of_a_period: tuple[str, ...]
    captions: tuple[str, ...]

    # a row of a table that is for what the table does not name ("All other cities")
    others: tuple[str, ...]
    before_others: tuple[str, ...]
    others_after_article: tuple[str, ...]
    others_of_saying: tuple[str, ...]
    elsewhere: tuple[str, ...]
    rest: tuple[str, ...]
    before_rest: tuple[str, ...]
    of_words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RewritingInstructions:
    """The words around a conversation whose last question is to be rewritten."""

    rules: str
    conversation: str
    question: str
    answer: str
    last: str
    rewritten: str


@dataclass(frozen=True, slots=True)
class Instructions:
    """The words around passages and question. `begin` and `end` have a place for the number of a passage, `page` for
    that of a page, `differ` for the passages that contradict each other.
    """

    rules: str
    passages: str
    begin: str
    end: str
    page: str
    question: str
    differ: str
    rewriting: RewritingInstructions


@dataclass(frozen=True, slots=True)
class Language:
    """A language as its file tells it.

    `name` is what it is called in English, `months` are the names of each month from the first to the twelfth,
    `spelled` are numbers in words, `not_said` is that the documents do not answer, `nothing_asked` is said to who only
    greets or thanks.
    """

    name: str
    nouns_have_capitals: bool
    ordinals_have_dots: bool
    hundreds_need_no_one: bool
    words: Words
    months: tuple[tuple[str, ...], ...]
    spelled: Mapping[str, int]
    not_said: str
    nothing_asked: str
    instructions: Instructions


def read(text: str, file: str) -> Language:
    """The language that the text of a file tells. Raises ConfigurationError, naming `file`, where it is not whole."""
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The language file {file} is not valid TOML: {error}. Correct the file.") from error
    lists = _names(Words)
    told = _table(told, {*lists, *_names(Language)} - {"words"}, file)
    return Language(
        name=_of(str, told["name"], f"{file}: name"),
        nouns_have_capitals=_of(bool, told["nouns_have_capitals"], f"{file}: nouns_have_capitals"),
        ordinals_have_dots=_of(bool, told["ordinals_have_dots"], f"{file}: ordinals_have_dots"),
        hundreds_need_no_one=_of(bool, told["hundreds_need_no_one"], f"{file}: hundreds_need_no_one"),
        words=Words(**{name: _strings(told[name], f"{file}: {name}") for name in lists}),
        months=_months(told["months"], f"{file}: months"),
        spelled=_spelled(told["spelled"], f"{file}: spelled"),
        not_said=_of(str, told["not_said"], f"{file}: not_said"),
        nothing_asked=_of(str, told["nothing_asked"], f"{file}: nothing_asked"),
        instructions=_instructions(told["instructions"], f"{file}: instructions"),
    )


def one_of(words: Iterable[str], *, blank: str = " ") -> str:
    """A pattern for any of these words and phrases, of none for nothing; an apostrophe may be straight or round.

    Args:
        words: As they are written.
        blank: The pattern for a blank in a phrase.
    """
    longest_first = sorted(dict.fromkeys(words), key=len, reverse=True)
    patterns = (re.escape(word).replace(r"\ ", blank).replace("'", "['’]") for word in longest_first)
    return f"(?:{'|'.join(patterns)})" if longest_first else "(?:(?!))"


def nouns_have_capitals(code: str) -> bool:
    """Whether every noun has a capital in the language of this code, so that a capital tells no name."""
    return code in LANGUAGES and LANGUAGES[code].nouns_have_capitals


def words_of(languages: Iterable[Language]) -> Words:
    """The words of some languages together, each once."""
    words = [language.words for language in languages]
    return Words(**{name: tuple(dict.fromkeys(_each(words, name))) for name in _names(Words)})


def _each(words: Iterable[Words], name: str) -> Iterator[str]:
    for each in words:
        yield from getattr(each, name)


def _months(value: object, place: str) -> tuple[tuple[str, ...], ...]:
    months = tuple(_strings(names, place) for names in _of(list, value, place))
    if len(months) != _MONTHS or not all(months):
        raise ConfigurationError(f"In the language file {place} are not twelve lists of names. Correct them.")
    return months


def _spelled(value: object, place: str) -> dict[str, int]:
    numbers = _of(dict, value, place)
    if not all(map(str.isdecimal, numbers)):
        raise ConfigurationError(f"In the language file {place} has a key that is no number. Correct it.")
    return {word: int(number) for number, words in numbers.items() for word in _strings(words, place)}


def _instructions(value: object, place: str) -> Instructions:
    told = _table(value, _names(Instructions), place)
    rewriting = _table(told.pop("rewriting"), _names(RewritingInstructions), f"{place}.rewriting")
    for name, text in (*told.items(), *rewriting.items()):
        _of(str, text, f"{place}: {name}")
    return Instructions(**told, rewriting=RewritingInstructions(**rewriting))


def _names(of: type) -> set[str]:
    return {field.name for field in fields(of)}


def _table(value: object, names: set[str], place: str) -> dict[str, Any]:
    """A table that has these keys and no other."""
    table = _of(dict, value, place)
    if lacking := sorted(names - table.keys()):
        raise ConfigurationError(f"The language file {place} lacks {', '.join(lacking)}. Add it; a list may be empty.")
    if needless := sorted(table.keys() - names):
        raise ConfigurationError(f"The language file {place} has {', '.join(needless)}, which no rule asks for.")
    return table


def _strings(value: object, place: str) -> tuple[str, ...]:
    words = tuple(_of(str, word, place) for word in _of(list, value, place))
    if any(not word or word != word.strip() for word in words):
        raise ConfigurationError(
            f"In the language file {place} has a word that is empty or begins or ends with a blank."
        )
    return words


def _of(kind: type[_Kind], value: object, place: str) -> _Kind:
    if not isinstance(value, kind):
        raise ConfigurationError(f"In the language file {place} is or holds what is no {_KINDS[kind]}. Correct it.")
    return value


def _shipped() -> Iterator[tuple[str, Language]]:
    for code in _CODES:
        file = f"{code}.toml"
        yield code, read(resources.files(__package__).joinpath(file).read_text("utf-8"), file)


LANGUAGES: Mapping[str, Language] = dict(_shipped())
"""The languages by their two-letter codes."""

ANY = words_of(LANGUAGES.values())
"""The words of all languages."""
