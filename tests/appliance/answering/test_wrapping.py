"""Line breaks that only keep prose at a width are taken back, and no others."""

from __future__ import annotations

import textwrap

import pytest

from appliance.answering.wrapping import unwrapped
from tests.growth import assert_linear

PROSE = (
    "Visitors are always accompanied by somebody of the site. One person accompanies at most six visitors, and in the "
    "clean room at most two. Who comes from abroad is announced five working days before, with a copy of the passport, "
    "by Art. 5 of the rules. The gate is open from Monday to Friday. Ask there for a red badge."
)


@pytest.mark.parametrize("width", [50, 66, 72, 80, 100])
def test_wrapped_prose_reads_as_before_and_only_ends_of_sentences_stay_ends_of_lines(width: int) -> None:
    read = unwrapped(textwrap.fill(PROSE, width))
    assert read.replace("\n", " ") == PROSE
    assert all(line.endswith(".") for line in read.split("\n"))


def test_a_german_noun_may_begin_a_line() -> None:
    wrapped = (
        "Besuche sind bis 12:00 Uhr des Vortages im Besucherportal anzumelden, Besuche aus Ländern\n"
        "außerhalb der EU fünf Arbeitstage vorher.\n"
        "3. Begleitung\n"
        "Besucher werden immer begleitet. Eine Person begleitet höchstens sechs Besucher, im\n"
        "Reinraum höchstens zwei.\n"
        "4. Verbote"
    )
    assert unwrapped(wrapped).split("\n") == [
        "Besuche sind bis 12:00 Uhr des Vortages im Besucherportal anzumelden, Besuche aus Ländern "
        "außerhalb der EU fünf Arbeitstage vorher.",
        "3. Begleitung",
        "Besucher werden immer begleitet. Eine Person begleitet höchstens sechs Besucher, im Reinraum höchstens zwei.",
        "4. Verbote",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:\nRough winds do shake",
        "Talent Wall, our own tool for the pipeline\nLinkedIn, the network we pay for by the month\nGem, for mails",
        "- a very long item of a list that goes on and on until it ends\n- another one that is as long as the first is",
        "1. a very long item of a list that goes on and on until it ends\n2. another one that is as long as the first is",
        "for (int number = 0; number < many; number++) print(the, number, of)\nreturn everything that was printed above;",
        "Kind of account in the house | Minimum length of its password\nemployee | 14 characters at least, or more",
        "Installed in the test system on the 4 May 2026, by the operations team\nreport: VR-MES-42, released by Quality",
        "What has to be brought along by everybody who visits the production halls:\nsafety shoes and a hair net",
        "12:01:07 the pump of the first chamber was started by the operator\n12:01:09 the pump of the second was started",
        "a few words\nand some more",
        "one line",
        "",
    ],
)
def test_verses_lists_code_rows_labels_and_logs_stay_lines(lines: str) -> None:
    assert unwrapped(lines) == lines


def test_a_heading_stays_a_line() -> None:
    heading = "what visitors have to know about the site before they come here"
    text = f"Ask at the gate for somebody who takes you to the place where you are\n{heading}\nVisitors wait."
    assert unwrapped(text, [heading]) == text
    assert unwrapped(text) != text


def test_a_text_keeps_its_length_and_its_words() -> None:
    wrapped = textwrap.fill(PROSE, 70)
    assert len(unwrapped(wrapped)) == len(wrapped)
    assert unwrapped(wrapped).split() == wrapped.split()


def test_a_long_text_is_read_in_time_linear_in_its_length() -> None:
    assert_linear(unwrapped, lambda size: textwrap.fill("word and another, " * size, 72), 2_000)
    assert_linear(unwrapped, lambda size: "a: " * size + "\n" + "a b" * size, 2_000)
