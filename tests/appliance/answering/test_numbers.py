"""Numbers and dates of an answer, looked for in a passage however they are written there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.answering.numbers import (
    _SCALES,
    Number,
    numbers,
    numbers_of,
    scales,
    spans,
    spelled_numbers,
    without_numbers,
)
from appliance.dates import MONTHS
from tests.growth import assert_linear

LOOK_ALIKES = {"i": "Iİı", "s": "Sſ", "k": "K\N{KELVIN SIGN}"}
"""What a pattern that ignores case takes for a letter."""


def stands(answer: str, passage: str) -> bool:
    there = numbers_of(passage)
    return all(there.have(number, scales(answer)) for number in numbers(answer))


@pytest.mark.parametrize(
    ("answer", "passage"),
    [
        ("1,234.50", "1.234,5"),
        ("1234.5", "1'234.50 CHF"),
        ("1 234.5", "1\u202f234,50"),
        ("1,577", "$1577.00"),
        ("1.577", "1,577"),
        ("5,363", "(5,363)"),
        ("5 %", "5 percent"),
        ("10 years", "ten years"),
        ("10 Jahre", "zehn Jahre"),
        ("10 ans", "dix ans"),
        ("5 million", "5,000,000"),
        ("5,000,000", "5 Mio."),
        ("$1,577 million", "(in millions) capital expenditure 1,577"),
        ("in millions: 1,577", "1,577,000,000"),
        ("3 March 2024", "03.03.2024"),
        ("3 March 2024", "2024-03-03"),
        ("March 3, 2024", "am 3. März 2024"),
        ("3 mars 2024", "March 3rd, 2024"),
        ("el 3 de marzo de 2024", "il 3 marzo 2024"),
        ("December 31, 2022", "fiscal year 2022, ended December 31"),
        ("March 2024", "on 15 March 2024"),
        ("2024", "15 March 2024"),
        ("clause 4.2.1", "4.2.1 Retention"),
        ("at 11:30", "11:30 h"),
        ("at 11:30", "11.30"),
        ("from 10-12 days", "10 to 12 days"),
        ("FY2018", "fiscal 2018"),
        ("ISO-27001", "ISO 27001"),
        ("no number at all", ""),
    ],
)
def test_a_number_stands_in_a_passage_however_it_is_written(answer: str, passage: str) -> None:
    assert stands(answer, passage)


@pytest.mark.parametrize(
    ("answer", "passage"),
    [
        ("11 years", "ten years, 110 or 1.1"),
        ("5 million", "5"),
        ("5 million", "5 billion"),
        ("5", "5 million"),
        ("1,235", "1,234"),
        ("12.34", "1234"),
        ("4 March 2024", "3 March 2024"),
        ("3 March 2023", "3 March 2024"),
        ("March 2024", "15 April 2024"),
        ("4.2.1", "1.2.4"),
        ("50 %", "5 %"),
        ("7 mm", "7 million"),
    ],
)
def test_a_number_that_is_not_there_is_not_found(answer: str, passage: str) -> None:
    assert not stands(answer, passage)


@pytest.mark.parametrize(
    ("answer", "passage", "language", "expected"),
    [
        ("2 days", "due within ten days", "en", False),
        ("2 days", "due within ten days", "", False),
        ("2 giorni", "entro due giorni", "it", True),
        ("11 mesi", "once meses", "es", True),
        ("11 times", "once a year", "en", False),
        ("11 times", "once a year", "", False),
        ("100", "a cent", "en", False),
        ("6", "es sei denn", "de", False),
        ("6", "sei mesi", "it", True),
        ("50 days", "half a year", "en", False),
        ("10 ans", "dix ans", "", True),
        ("1 Jahr", "innert einem Jahr", "de", True),
    ],
)
def test_a_word_is_a_number_in_its_own_language_alone(answer: str, passage: str, language: str, expected: bool) -> None:
    there = numbers_of(passage, language)
    assert all(there.have(number) for number in numbers(answer)) is expected


def test_words_of_an_answer_are_no_numbers_where_they_count_what_a_passage_lists() -> None:
    assert stands("There are three conditions.", "One, and another one.")
    assert spelled_numbers("There are five conditions and six forms; four in all.", "en") == ()


@pytest.mark.parametrize(
    ("answer", "language", "written"),
    [
        ("Kept for twelve years [1].", "en", ("twelve years",)),
        ("Within ten\nworking days, or four-week periods.", "en", ("ten working days", "four-week")),
        ("Zwölf Jahre lang, innert dreißig Arbeitstagen.", "de", ("Zwölf Jahre", "dreißig Arbeitstagen")),
        ("Pendant dix ans, cinq pour cent.", "fr", ("dix ans", "cinq pour cent")),
        ("Entro sei mesi.", "it", ("sei mesi",)),
        ("Durante doce años.", "es", ("doce años",)),
        ("Kept for ten years.", "", ("ten years",)),
        ("Es sei denn, zwei Jahre, acht Tage.", "de", ("acht Tage",)),
        ("once days", "en", ()),
        ("twenty-five years, quatre-vingt-dix ans", "", ("twenty-five years", "quatre-vingt-dix ans")),
        ("treinta y cinco años", "es", ("treinta y cinco años",)),
        ("Nach fünfundzwanzig Jahren, zweihundert EUR.", "de", ("fünfundzwanzig Jahren", "zweihundert EUR")),
        ("dopo venticinque anni, ventotto giorni", "it", ("venticinque anni", "ventotto giorni")),
        ("thirty and five days, thirty-five and five days", "en", ()),
        ("twenty five-year terms, several hundred and five days", "en", ()),
        ("three percent, two per cent, one day", "en", ("three percent", "two per cent")),
        ("seit hunderttausend Jahren, hundertfünf Tage", "de", ("hundertfünf Tage",)),
        ("ein Prozent, zwei Tage", "de", ("ein Prozent",)),
        ("two point three percent, zero point\ntwenty-five percent", "en", ()),
        ("twenty-two point three percent", "en", ()),
        ("vingt et onze ans", "fr", ()),
        ("two or three years, one hundred and five days", "en", ("one hundred and five days",)),
        ("four and a half years", "en", ()),
        ("five million dollars, one million dollars", "en", ("five million dollars",)),
        ("several hundred million euros, five million two hundred thousand euros", "en", ()),
        (
            "Cinque milioni di euro, due miliardi di franchi",
            "it",
            ("Cinque milioni di euro", "due miliardi di franchi"),
        ),
        ("cinq millions d'euros", "fr", ("cinq millions d'euros",)),
        ("fünf Millionen Franken", "de", ("fünf Millionen Franken",)),
        ("fünf Millionen zweihunderttausend Euro, zwei Millionen fünfhundert Euro", "de", ()),
        ("cinque milioni duecentomila euro", "it", ()),
        ("cent vingt jours, cent jours, plusieurs centaines de jours", "fr", ("cent vingt jours",)),
        ("dix pour cent vingt jours avant, deux cent vingt jours", "fr", ("dix pour cent", "deux cent vingt jours")),
        ("dieci per cento trenta giorni", "it", ("dieci per cento",)),
        ("un descuento del diez por ciento treinta días antes", "es", ("diez por ciento",)),
        ("entre mille et cinq cents euros, entre cent et vingt jours", "fr", ()),
        ("entre deux mille et trois cents euros", "fr", ()),
        ("mil quinientos euros, ciento veinte días", "es", ("mil quinientos euros", "ciento veinte días")),
        ("four to six years", "en", ("six years",)),
        ("twenty five years", "en", ("twenty five years",)),
    ],
)
def test_a_spelled_number_of_an_answer_counts_before_a_measure(
    answer: str, language: str, written: tuple[str, ...]
) -> None:
    assert tuple(number.written for number in spelled_numbers(answer, language)) == written
    if written:
        marked = [answer[start:end] for start, end in spans(answer, frozenset(written))]
        assert [" ".join(part.split()) for part in marked] == list(written)


@pytest.mark.parametrize(
    ("answer", "passage", "expected"),
    [
        ("ten years", "10 years", True),
        ("ten years", "zehn Jahre", True),
        ("six months", "eine sechsmonatige Frist", True),
        ("6 months", "eine sechsmonatige Frist", True),
        ("twelve years", "ten years", False),
        ("zwölf Jahre", "zehn Jahre", False),
        ("five million dollars", "5,000,000", True),
        ("five million dollars", "fünf Millionen", True),
        ("five million dollars", "in millions: 5", True),
        ("five million dollars", "USD 5m", True),
        ("five million dollars", "5", False),
        ("five million dollars", "6 million, 5 billion", False),
        ("fünf Millionen Franken", "sechs Millionen Franken", False),
        ("5,000,000", "five million", True),
    ],
)
def test_a_spelled_number_stands_in_a_passage_in_words_of_any_language_or_in_digits(
    answer: str, passage: str, expected: bool
) -> None:
    (number,) = spelled_numbers(answer) or numbers(answer)
    assert numbers_of(passage).have(number) is expected
    assert numbers_of(passage, "it").have(number) is expected, "the language of a passage may be told wrongly"


@pytest.mark.parametrize(
    ("written", "value", "language"),
    [
        ("twenty-one", 21, "en"),
        ("ninety nine", 99, "en"),
        ("two hundred", 200, "en"),
        ("three hundred and forty-two", 342, "en"),
        ("one thousand two hundred", 1200, "en"),
        ("einundzwanzig", 21, "de"),
        ("siebenundvierzig", 47, "de"),
        ("neunundneunzig", 99, "de"),
        ("hundertfünf", 105, "de"),
        ("zweihundert", 200, "de"),
        ("dreihundertzweiundvierzig", 342, "de"),
        ("eintausendzweihundert", 1200, "de"),
        ("vingt et un", 21, "fr"),
        ("vingt-cinq", 25, "fr"),
        ("soixante-dix", 70, "fr"),
        ("soixante et onze", 71, "fr"),
        ("soixante-dix-sept", 77, "fr"),
        ("quatre-vingts", 80, "fr"),
        ("quatre-vingt-dix-neuf", 99, "fr"),
        ("nonante-neuf", 99, "fr"),
        ("deux cents", 200, "fr"),
        ("trois cent quarante-deux", 342, "fr"),
        ("ventuno", 21, "it"),
        ("quarantasette", 47, "it"),
        ("duecento", 200, "it"),
        ("trecentoquarantadue", 342, "it"),
        ("veintiún", 21, "es"),
        ("cuarenta y siete", 47, "es"),
        ("doscientas", 200, "es"),
        ("trescientos cuarenta y dos", 342, "es"),
    ],
)
def test_a_number_of_several_words_is_one(written: str, value: int, language: str) -> None:
    there = numbers_of(f"It is {written}.", language)
    assert there.have(Number(written, frozenset({str(value)})))
    assert not there.have(Number(written, frozenset({str(value + 1)})))
    said = spelled_numbers(f"It is {written} euros.", language)
    assert [number.readings for number in said] == [{str(value)}]


PASSAGE = "The fee is 230 EUR for each of 12 rooms. Growth was 5 percent, and the rope is 5 m long."


@pytest.mark.parametrize(
    "answer",
    [
        "230k EUR",
        "230m EUR",
        "230 mn",
        "230k",
        "EUR 230m",
        "€230M",
        "230 T€",
        "230 TEUR",
        "230 M€",
        "230 Mio. EUR",
        "-230 EUR",
        "growth of -5 %",
        "\u2212230 EUR",
        "-EUR 230",
        "€-230",
        "**-230 EUR**",
        "230 USD",
        "230 US dollars",
        "230 US-Dollar",
        "$230",
        "CHF 230",
        "230 Franken",
        "230 pounds, £230",
    ],
)
def test_a_unit_a_minus_and_a_currency_belong_to_a_number(answer: str) -> None:
    assert not stands(answer, PASSAGE)


@pytest.mark.parametrize(
    ("answer", "passage"),
    [
        ("230 EUR", PASSAGE),
        ("€230", PASSAGE),
        ("230 Euro", PASSAGE),
        ("5 m", PASSAGE),
        ("5 metres", PASSAGE),
        ("12 EUR", PASSAGE),  # wrong, and nothing tells
        ("5 m", "five metres"),
        ("30 mn", "30 minutes"),
        ("5 m people", "5 million people"),
        ("230k EUR", "230,000 EUR"),
        ("EUR 230m", "230 million euros"),
        ("EUR 230 million", "€230m"),
        ("$1.5T", "1.5 trillion dollars"),
        ("1,5 Mrd. EUR", "1.5bn EUR"),
        ("230 T€", "230'000 EUR"),
        ("EUR 230m", "Revenue (EUR m) | 230"),
        ("230 TEUR", "Umsatz in T€: 230"),
        ("EUR 230", "Umsatz in T€: 230"),
        ("-5", "(5)"),
        ("-5 %", "\u22125 %"),
        ("-5 %", "\u2013 5 %"),
        ("-5 %", "sales fell by 5 percent"),
        ("-5 %", "ein Rückgang von 5 Prozent"),
        ("-5 %", "Sales shrank by 5 percent."),
        ("-5 %", "Der Umsatz ging um 5 % zurück."),
        ("-5 %", "Der Umsatz liegt 5 % unter Vorjahr."),
        ("-500 EUR", "500- EUR"),
        ("10-12 days", "10 to 12 days"),
        ("pages 3 -5", "pages 3 to 5"),
        ("Form W-2, COVID-19, 2024-03-03", "W 2, COVID 19, 3 March 2024"),
        ("January 2024-2026", "January 2024 to 2026"),
        ("230 USD", "It costs 230."),
        ("230 USD", "230 EUR or 230 USD"),
        ("230 USD", "230 EUR is the fee; a fee of 230 in all"),
        ("$230", "CAD 230"),
        ("US$230", "230 dollars"),
        ("CAD 230", "230 US dollars"),  # dollars are not told apart by "US"
        ("5 * -3", "5 times minus 3"),
        ("CHF 230", "230 Franken"),
        ("230 euros", "between 230 and 250 USD"),
        ("in 2023 EUR 5 million", "2023 USD; EUR 5 million"),
        ("230 EUR", "Fee | 230 |"),
    ],
)
def test_a_unit_a_minus_and_a_currency_mark_nothing_that_stands_there(answer: str, passage: str) -> None:
    assert stands(answer, passage)


def test_numbers_are_found_again_where_they_stand() -> None:
    text = "From 1,250 CHF on 3 March 2024, 1,250 in all."
    assert [text[start:end] for start, end in spans(text, frozenset({"1,250"}))] == ["1,250", "1,250"]
    assert without_numbers("On 3 March 2024 it cost 1,250 CHF.").split() == ["On", "it", "cost", "CHF."]


@given(st.integers(0, 10**12), st.sampled_from(["{:,}", "{}", "{:,}.0"]))
def test_a_whole_number_is_itself_with_and_without_separators(value: int, form: str) -> None:
    assert stands(form.format(value), f"It is {value} in all.")
    assert not stands(form.format(value), f"It is {value + 1} in all.")


@given(st.text(max_size=200))
def test_every_text_stands_in_itself(text: str) -> None:
    assert stands(text, text)


@pytest.mark.parametrize("word", [*MONTHS, *_SCALES])
def test_a_word_for_a_month_or_a_unit_is_read_with_whatever_letters_its_pattern_takes(word: str) -> None:
    for letter in frozenset(word) & LOOK_ALIKES.keys():
        for other in LOOK_ALIKES[letter]:
            written = word.replace(letter, other)
            assert numbers(f"5 {written}")[0].readings == numbers(f"5 {word}")[0].readings
            assert scales(written) == scales(word)


@pytest.mark.parametrize("piece", ["1,", "1 ", "1 234 ", "may ", "9", "1.1.20", "1 m ", "EUR ", "-1k€ "])
def test_reading_numbers_takes_no_more_than_linear_time(piece: str) -> None:
    assert_linear(numbers, piece.__mul__, 4_000)


@pytest.mark.parametrize("piece", ["ten ", "ten y", "ten  ", "sechsmonatig", "y", "zwei", "five and ", "hundred "])
def test_reading_spelled_numbers_takes_no_more_than_linear_time(piece: str) -> None:
    assert_linear(spelled_numbers, piece.__mul__, 4_000)
    assert_linear(numbers_of, piece.__mul__, 4_000)
