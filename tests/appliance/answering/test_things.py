"""Which numbers name a thing, and which measure."""

from __future__ import annotations

import pytest

from appliance.answering.things import things_in
from tests.growth import assert_linear


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("See note 123 and Notes 43.", {"note 123", "note 43"}),
        ("Section 4.2 rules it, Art. 5a and § 7 too.", {"section 4.2", "art 5a", "§7"}),
        ("In Woche 3 ist Raum 12 frei.", {"woche 3", "raum 12"}),
        ("He waits in Building 4.", {"building 4"}),
        ("They meet at Pier 7.", {"pier 7"}),
        ("The HP-300 and S-1004 are stocked, E4 is not.", {"hp-300", "s-1004", "e4"}),
    ],
)
def test_a_number_names_what_stands_before_it(text: str, things: set[str]) -> None:
    assert things_in(text)[0] == things


@pytest.mark.parametrize(
    "text",
    [
        "It is kept for 10 years, at most 12.",
        "The limit is 230.",
        "It costs CHF 200, EUR35 or Euro 40.",
        "It costs SFr. 240 a night.",
        "It opens Monday 8.30, and the desk of Lunes 9.",
        "It began on 3 March 2024 and ended in May 2025.",
        "It rose by March 3.",
        "Hotels in Zurich 200 CHF, in Bern 30 %.",
        "Wait 10 minutes. Order 3 days before.",
        "Revenue in Europe 2024 was lower.",
    ],
)
def test_a_number_that_measures_names_nothing(text: str) -> None:
    assert things_in(text) == (frozenset(), text)


def test_in_german_a_capital_tells_no_thing() -> None:
    text = "Legen Sie dem Antrag 3 Kopien bei, in Halle 4 oder Raum 12."
    assert things_in(text, "de")[0] == {"halle 4", "raum 12"}


def test_the_number_that_names_is_taken_out_and_the_others_stay() -> None:
    assert things_in("Note 17 says 30 days.")[1].split() == ["Note", "says", "30", "days."]


def test_long_texts_are_read_in_time_linear_in_their_length() -> None:
    assert_linear(things_in, lambda size: "Note 1-a" * size + " Aa-1" * size, 4_000)
