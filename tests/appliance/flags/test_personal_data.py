"""Personal data is found by its form and its check digits. The numbers are those that standards print as examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.flags import Flag
from appliance.flags.personal_data import personal_data
from tests.growth import assert_linear

IBANS = (
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "FR14 2004 1010 0505 0001 3M02 606",
    "ch9300762011623852957",
)
CARDS = ("4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011111111111117", "3530111333300000")
NATIONAL_IDS = {
    "86 095 742 719": "German tax id",
    "65929970489": "German tax id",
    "2 55 08 14 168 025 38": "French social security number",
    "12345678Z": "Spanish DNI or NIE",
    "X-1234567-L": "Spanish DNI or NIE",
    "RSSMRA85T10A562S": "Italian tax code",
    "756.9217.0769.85": "Swiss social insurance number",
}
BY_FORM_ALONE = {"AB 12 34 56 C": "UK national insurance number", "123-45-6789": "US social security number"}
PHONES = (
    "+49 30 1234567",
    "+49 (0)30 123 45 67",
    "0049 171 1234567",
    "030 1234567",
    "0171/1234567",
    "(030) 12 34 56 7",
    "01 23 45 67 89",
    "+1 202-456-1111",
    "202-456-1111",
    "+41 44 668 18 00",
)
EMAILS = ("a.b@example.com", "jörg.müller@bücher.example", "x+tag@mail.example.co.uk", "a_b@example.org.")
ORDINARY = (
    "What was the revenue in 2025, compared with 1.234.567,89 EUR in 2024?",
    "Which rules of § 12a (3) apply from 01.02.2024 to 31-12-2025, 2024-05-06?",
    "Where is invoice 2025-000123456 of order 4500012345 kept?",
    "Is version 10.15.7 or build 20240101123456 affected by CVE-2024-123456?",
    "What does ISO 27001:2022 clause 7.5.3 say about 1,000,000 records?",
    "Wie lautet Artikel 756 Absatz 2 OR, und gilt er ab 1. Januar 2026?",
    "Who reads @channel messages, and what is 5@10 EUR?",
    "Kostet das Modell AB123456 oder DE12 mehr?",
    "What are the terms of ISBN 978-3-16-148410-0?",
    "What is on pages 100 200 300 400 of the manual?",
)


def flags(text: str) -> list[tuple[Flag, str]]:
    return [(finding.flag, finding.detail) for finding in personal_data(text)]


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_with_right_check_digits_is_found(iban: str) -> None:
    assert flags(f"Whose account is {iban}, please?") == [(Flag.IBAN, f"1 × {iban[:2].upper()}")]
    assert flags(f"Is {iban} AND OTHERS ours?") == [(Flag.IBAN, f"1 × {iban[:2].upper()}")]


@pytest.mark.parametrize("card", CARDS)
def test_a_card_number_with_a_right_check_digit_is_found(card: str) -> None:
    assert [flag for flag, _ in flags(f"Charge {card}.")] == [Flag.CARD]


@pytest.mark.parametrize(("number", "kind"), [*NATIONAL_IDS.items(), *BY_FORM_ALONE.items()])
def test_a_national_id_is_found_and_named(number: str, kind: str) -> None:
    assert flags(f"Who has {number}?") == [(Flag.NATIONAL_ID, f"1 × {kind}")]
    assert flags(f"who has {number.lower()}, and why") == [(Flag.NATIONAL_ID, f"1 × {kind}")]


@pytest.mark.parametrize("number", [*IBANS, *CARDS, *NATIONAL_IDS])
def test_a_number_with_any_one_digit_changed_is_not_taken_for_what_it_was(number: str) -> None:
    expected = flags(number)[0][0]
    for place, character in enumerate(number):
        for digit in set("0123456789") - {character} if character.isdigit() else ():
            changed = f"{number[:place]}{digit}{number[place + 1 :]}"
            assert expected not in [flag for flag, _ in flags(changed)], changed


@pytest.mark.parametrize("number", ["000-12-3456", "666-12-3456", "900-12-3456", "BG123456C", "QQ123456C", "123456789"])
def test_numbers_that_are_given_to_nobody_are_not_taken_for_ids(number: str) -> None:
    assert Flag.NATIONAL_ID not in [flag for flag, _ in flags(f"Who is {number}?")]


@pytest.mark.parametrize("phone", PHONES)
def test_a_telephone_number_is_found_as_people_write_it(phone: str) -> None:
    assert flags(f"Who has the number {phone}?") == [(Flag.PHONE, "1 × number")]


@pytest.mark.parametrize(
    "asked", ["Tel. 4711 23", "Telefon: 66818 00", "my phone number is 5551234", "Handy 1711234567"]
)
def test_a_short_number_is_a_telephone_number_where_it_is_called_one(asked: str) -> None:
    assert flags(f"Is it {asked}?") == [(Flag.PHONE, "1 × number")]


@pytest.mark.parametrize("address", EMAILS)
def test_an_email_address_is_found(address: str) -> None:
    assert flags(f"Did {address} sign?") == [(Flag.EMAIL, "1 × address")]


@pytest.mark.parametrize("question", ORDINARY)
def test_ordinary_numbers_are_no_personal_data(question: str) -> None:
    assert flags(question) == []


def test_the_sample_questions_raise_no_flag() -> None:
    lines = Path("samples/questions.jsonl").read_text("utf-8").splitlines()
    assert len(lines) > 40
    assert [found for line in lines for found in flags(json.loads(line)["question"])] == []


def test_several_findings_are_counted_and_each_only_once() -> None:
    text = f"{IBANS[0]} or {IBANS[1]}, {CARDS[0]}, a@b.example, c@d.example, +49 30 1234567"
    assert flags(text) == [
        (Flag.EMAIL, "2 × address"),
        (Flag.IBAN, "1 × DE, 1 × GB"),
        (Flag.CARD, "1 × Visa"),
        (Flag.PHONE, "1 × number"),
    ]


def test_unusual_characters_hide_nothing() -> None:
    assert flags("DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000")[0][0] is Flag.IBAN
    assert flags("４１１１ １１１１ １１１１ １１１１")[0][0] is Flag.CARD
    assert flags("123\u201145\u20116789")[0][0] is Flag.NATIONAL_ID
    assert flags("a\u200b.b@exam\u00adple.com")[0][0] is Flag.EMAIL


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("0123456789 -./+()@AZXDEıİſK\u200b")), max_size=300))
def test_any_text_is_looked_at_without_failing_and_nothing_of_it_is_told(text: str) -> None:
    for finding in personal_data(text):
        assert finding.flag.startswith("personal_data.")
        assert "@" not in finding.detail


@pytest.mark.parametrize("piece", ["a", "0", "a.", "1 ", "+1", "a@", "DE00 ", "tel ", "4111-", "(", "é@"])
def test_hostile_text_is_looked_at_in_time_linear_in_its_length(piece: str) -> None:
    assert_linear(personal_data, lambda size: (piece * size)[:size], 8_000)
