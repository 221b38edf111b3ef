"""The files of words of the languages, and what is read from them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from importlib import resources
from itertools import pairwise

import pytest

from appliance.answering.instructions import NOT_IN_DOCUMENTS
from appliance.dates import MONTHS
from appliance.errors import ConfigurationError
from appliance.index.bm25 import document_terms, is_stop_word
from appliance.inference.language import detect_language
from appliance.language import words as words_module
from appliance.language.words import ANY, LANGUAGES, Words, nouns_have_capitals, one_of, read, words_of

CODES = tuple(LANGUAGES)
LISTS = [field.name for field in fields(Words)]


def text_of(code: str) -> str:
    return resources.files(words_module.__package__).joinpath(f"{code}.toml").read_text("utf-8")


def keys_of(text: str) -> list[str]:
    """The keys of a file in the order in which they stand there, without those of the numbers that it spells."""
    return [key for key in re.findall(r"^(\[?\w[\w.]*\]?)(?: =|$)", text, re.MULTILINE) if not key.isdecimal()]


def outside_texts(text: str) -> str:
    return re.sub(r'""".*?"""', '""', text, flags=re.DOTALL)


@pytest.mark.parametrize("code", CODES)
def test_every_file_has_the_same_keys_in_the_same_order(code: str) -> None:
    keys = keys_of(outside_texts(text_of(code)))
    assert set(LISTS) < set(keys)
    assert keys == keys_of(outside_texts(text_of("en")))


@pytest.mark.parametrize("code", CODES)
def test_a_line_above_each_list_says_what_it_is_for(code: str) -> None:
    lines = text_of(code).split("\n")
    silent = [line for above, line in pairwise(lines) if line.split(" = ")[0] in LISTS and not above.startswith("# ")]
    assert silent == []


@pytest.mark.parametrize("code", CODES)
def test_no_list_has_a_word_twice_and_only_languages_have_a_capital(code: str) -> None:
    told = tomllib.loads(text_of(code))
    assert [name for name in LISTS if len(set(told[name])) < len(told[name])] == []
    assert {name for name in LISTS if any(word != word.lower() for word in told[name])} <= {"languages"}
    assert [name for name in LISTS if "’" in "".join(told[name])] == []  # an apostrophe is written straight


@pytest.mark.parametrize("code", CODES)
def test_every_language_is_detected_and_has_stop_words_and_a_stemmer(code: str) -> None:
    language = LANGUAGES[code]
    assert detect_language(language.instructions.rules) == code
    assert is_stop_word(language.words.short_common_words[0], code)
    plural, singular = {
        "en": ("contracts", "contract"),
        "de": ("verträgen", "verträge"),
        "fr": ("contrats", "contrat"),
        "it": ("contratti", "contratto"),
        "es": ("contratos", "contrato"),
    }[code]
    assert document_terms(plural, code) == document_terms(singular, code)
    assert document_terms(plural, "") != document_terms(singular, "")


@pytest.mark.parametrize("code", CODES)
def test_models_are_told_the_same_in_every_language(code: str) -> None:
    told = LANGUAGES[code].instructions
    assert told.rules.count(NOT_IN_DOCUMENTS) == 1
    assert told.rules.count("\n") == LANGUAGES["en"].instructions.rules.count("\n")
    assert told.rewriting.rules.count("\n") == LANGUAGES["en"].instructions.rewriting.rules.count("\n")
    assert all(words.count("{}") == 1 for words in (told.begin, told.end, told.page, told.differ))


def test_a_month_is_the_same_one_in_every_language_that_calls_it_so() -> None:
    named = {
        (name, number) for each in LANGUAGES.values() for number, names in enumerate(each.months, 1) for name in names
    }
    assert dict(named) == MONTHS
    assert len(named) == len(MONTHS)


def test_a_number_in_words_that_two_languages_use_for_two_numbers_counts_only_where_its_language_is_known() -> None:
    values: dict[str, set[int]] = {}
    for language in LANGUAGES.values():
        for word, value in language.spelled.items():
            values.setdefault(word, set()).add(value)
    assert [word for word, meant in values.items() if len(meant) > 1 and word not in ANY.spelled_elsewhere] == []
    assert set(ANY.spelled_elsewhere) <= values.keys()


def test_the_words_of_all_languages_are_those_of_each_once() -> None:
    for name in LISTS:
        together = [word for each in LANGUAGES.values() for word in getattr(each.words, name)]
        assert getattr(ANY, name) == tuple(dict.fromkeys(together))
    assert words_of([LANGUAGES["de"]]) == LANGUAGES["de"].words


def test_whether_a_capital_tells_a_name() -> None:
    assert nouns_have_capitals("de")
    assert not nouns_have_capitals("fr")
    assert not nouns_have_capitals("")
    assert not nouns_have_capitals("ru")


def test_a_pattern_takes_any_word_as_it_is_written_and_the_longest_that_there_is() -> None:
    pattern = re.compile(one_of(["cos'è", "che cos'è", "z. b.", "p."]))
    assert pattern.fullmatch("cos’è")
    assert pattern.fullmatch("che cos'è")
    assert not pattern.fullmatch("zx b.")
    assert re.match(one_of(["per", "per cent"]), "per cent")[0] == "per cent"  # type: ignore[index]
    assert re.fullmatch(one_of(["per cent"], blank=r"\s+"), "per \n cent")
    assert not re.fullmatch(one_of(["per cent"]), "per\ncent")


def test_a_pattern_of_no_words_finds_nothing_and_may_be_left_out() -> None:
    assert re.search(one_of([]), "anything") is None
    assert re.fullmatch(f"a{one_of([])}?b", "ab")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("denials = [", "denied = [", "xx.toml lacks denials"),
        ('name = "English"', 'name = "English"\nmoods = []', "xx.toml has moods"),
        ('denials = ["not"', "denials = [1", "xx.toml: denials is or holds what is no text"),
        ('denials = ["not"', 'denials = ["not "', "xx.toml: denials has a word that is empty or begins or ends"),
        (
            "nouns_have_capitals = false",
            'nouns_have_capitals = "no"',
            "nouns_have_capitals is or holds what is no true or",
        ),
        ('    ["march", "mar"],\n', "", "xx.toml: months are not twelve lists"),
        ("\n1 = [", "\none = [", "xx.toml: spelled has a key that is no number"),
        ('page = "page {}"', "", "xx.toml: instructions lacks page"),
        ('last = "Last question:"', "last = 1", "xx.toml: instructions: last is or holds what is no text"),
        ("denials = [", "denials = ", "xx.toml is not valid TOML"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_what_is_wrong(old: str, new: str, complaint: str) -> None:
    text = text_of("en")
    assert read(text, "xx.toml") == LANGUAGES["en"]
    assert old in text
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        read(text.replace(old, new, 1), "xx.toml")
