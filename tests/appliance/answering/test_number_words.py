"""Numbers in words of five languages, read back: each as its language writes it, from one to some thousands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.answering.numbers import Number, numbers_of, spelled_numbers

NUMBERS = (*range(1, 1000), *range(1000, 2131), *range(5000, 5030), *range(12000, 12030), 99_999, 128_080, 200_000)


def _each(words: str) -> list[str]:
    return words.split()


def english(number: int) -> str:
    ones = _each(
        "one two three four five six seven eight nine ten eleven twelve "
        "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    )
    tens = _each("twenty thirty forty fifty sixty seventy eighty ninety")
    if number < 20:
        return ones[number - 1]
    if number < 100:
        return tens[number // 10 - 2] + _more(number % 10, english, "-")
    if number < 1000:
        return f"{ones[number // 100 - 1]} hundred" + _more(number % 100, english, " and ")
    rest = number % 1000
    return f"{english(number // 1000)} thousand" + _more(rest, english, " and " if rest < 100 else " ")


def german(number: int) -> str:
    ones = _each(
        "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf "
        "dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
    )
    tens = _each("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
    if number < 20:
        return ones[number - 1]
    if number < 100:
        return (f"{ones[number % 10 - 1]}und" if number % 10 else "") + tens[number // 10 - 2]
    if number < 1000:
        return f"{ones[number // 100 - 1]}hundert" + _more(number % 100, german)
    return f"{german(number // 1000)}tausend" + _more(number % 1000, german)


def french(number: int) -> str:
    ones = _each(
        "un deux trois quatre cinq six sept huit neuf dix onze douze "
        "treize quatorze quinze seize dix-sept dix-huit dix-neuf"
    )
    tens = _each("vingt trente quarante cinquante soixante")
    if number < 20:
        return ones[number - 1]
    if number < 70:
        return tens[number // 10 - 2] + _more(number % 10, french, " et " if number % 10 == 1 else "-")
    if number < 80:
        return "soixante" + (" et onze" if number == 71 else f"-{ones[number - 61]}")
    if number < 100:
        return "quatre-vingts" if number == 80 else f"quatre-vingt-{ones[number - 81]}"
    if number < 1000:
        hundreds = "" if number < 200 else f"{ones[number // 100 - 1]} "
        return f"{hundreds}cent{'s' if hundreds and not number % 100 else ''}" + _more(number % 100, french, " ")
    thousands = "" if number < 2000 else f"{french(number // 1000)} ".replace("cents ", "cent ")
    return f"{thousands}mille" + _more(number % 1000, french, " ")


def swiss_french(number: int) -> str:
    tens = {70: "septante", 80: "huitante", 90: "nonante"}
    last = number % 100
    if last < 70 or number >= 2000:
        return french(number)
    before = f"{french(number - last)} ".replace("cents ", "cent ") if number > last else ""
    return before + tens[last // 10 * 10] + _more(last % 10, french, " et " if last % 10 == 1 else "-")


def italian(number: int) -> str:
    ones = _each(
        "uno due tre quattro cinque sei sette otto nove dieci undici dodici "
        "tredici quattordici quindici sedici diciassette diciotto diciannove"
    )
    tens = _each("venti trenta quaranta cinquanta sessanta settanta ottanta novanta")
    if number < 20:
        return ones[number - 1]
    if number < 100:
        ten, one = tens[number // 10 - 2], number % 10
        return (ten[:-1] if one in (1, 8) else ten) + ("tré" if one == 3 else _more(one, italian))
    if number < 1000:
        hundreds, rest = f"{'' if number < 200 else ones[number // 100 - 1]}cento", number % 100
        is_elided = rest == 8 or rest // 10 == 8  # centotto, centottanta
        return (hundreds[:-1] if is_elided else hundreds) + _more(rest, italian)
    return ("mille" if number < 2000 else f"{italian(number // 1000)}mila") + _more(number % 1000, italian)


def spanish(number: int) -> str:
    ones = _each(
        "uno dos tres cuatro cinco seis siete ocho nueve diez once doce "
        "trece catorce quince dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve"
    )
    tens = _each("treinta cuarenta cincuenta sesenta setenta ochenta noventa")
    hundreds = [
        "ciento",
        "doscientos",
        "trescientos",
        "cuatrocientos",
        "quinientos",
        "seiscientos",
        "setecientos",
        "ochocientos",
        "novecientos",
    ]
    if number < 30:
        return ones[number - 1]
    if number < 100:
        return tens[number // 10 - 3] + _more(number % 10, spanish, " y ")
    if number < 1000:
        return "cien" if number == 100 else hundreds[number // 100 - 1] + _more(number % 100, spanish, " ")
    return ("" if number < 2000 else f"{spanish(number // 1000)} ") + "mil" + _more(number % 1000, spanish, " ")


def _more(rest: int, of: Callable[[int], str], between: str = "") -> str:
    """What stands behind a part of a number: nothing for a rest of 0."""
    return between + of(rest) if rest else ""


LANGUAGES = pytest.mark.parametrize(
    ("language", "spell", "days"),
    [
        ("en", english, "days"),
        ("de", german, "Tage"),
        ("fr", french, "jours"),
        ("fr", swiss_french, "jours"),
        ("it", italian, "giorni"),
        ("es", spanish, "días"),
    ],
)


@LANGUAGES
def test_a_passage_has_the_number_that_its_words_mean(language: str, spell: Callable[[int], str], days: str) -> None:
    lacking = {
        number: spell(number)
        for number in NUMBERS
        if not numbers_of(f"({spell(number)} {days})", language).have(Number("", frozenset({str(number)})))
    }
    assert lacking == {}


@LANGUAGES
def test_the_words_of_an_answer_mean_their_number_or_none(
    language: str, spell: Callable[[int], str], days: str
) -> None:
    wrong = {}
    for number in NUMBERS:
        found = spelled_numbers(f"({spell(number)} {days})", language)
        if any(each.readings != {str(number)} for each in found) or len(found) > 1:
            wrong[number] = (spell(number), found)
    assert wrong == {}
