"""The gate for [n] markers: no unknown one gets out, and a stream shows what the whole would show."""

from __future__ import annotations

import re
import sys
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.answering.citations import MarkerGate, in_round_brackets, without_markers
from tests.data.builders import make_passages
from tests.growth import assert_linear
from ui.inert import plain

PASSAGES = make_passages("one", "two", "three")
MARKER = re.compile(r"\[\s*(\d{1,6}(?:\s*[,;]\s*\d{1,6})*)\s*\]")

PIECES = ["[", "]", "1", "3", "9", "99", " ", ",", ";", "\n", "a", ". ", "[1]", "[99]", "[2, 77]", "٣", "-", "\u200b",
          "\xad", "\u200d", "**", "`", "passage ", "pass", "source", " and ", "e", "【", "】", "⁹", "\\"]  # fmt: skip
answers = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def through(*pieces: str) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """What is shown, what is cited, and what pointed at nothing."""
    gate = MarkerGate(PASSAGES)
    shown = "".join(gate.feed(piece) for piece in pieces) + gate.finish()
    return shown, tuple(citation.number for citation in gate.citations), gate.unknown_markers


@pytest.mark.parametrize(
    ("answer", "shown", "cited", "unknown"),
    [
        ("Leave is 25 days [1].", "Leave is 25 days [1].", (1,), ()),
        ("[1][99]", "[1]", (1,), (99,)),
        ("[99][1]", "[1]", (1,), (99,)),
        ("[1, 99]", "[1]", (1,), (99,)),
        ("[1, 2]", "[1][2]", (1, 2), ()),
        ("[2;1]", "[2][1]", (1, 2), ()),
        ("[ 3 ]", "[3]", (3,), ()),
        ("[ 99 ]", "", (), (99,)),
        ("[\n98 ,99\n]", "", (), (98, 99)),
        ("[03]", "[3]", (3,), ()),
        ("[0]", "", (), (0,)),
        ("[[1]]", "[[1]]", (1,), ()),
        ("[[99]]", "[]", (), (99,)),
        ("[9[99]9]", "", (), (99, 99)),
        ("[1[99]]", "[1]", (1,), (99,)),
        ("[12", "[12", (), ()),
        ("see [", "see [", (), ()),
        ("[] [a] [1a] (1) 1]", "[] [a] [1a] (1) 1]", (), ()),
        ("in [2023-11-05]", "in [2023-11-05]", (), ()),
        ("number [1234567]", "number [1234567]", (), ()),
        ("[٣]", "[3]", (3,), ()),
        ("[" + "9" * 500 + "]", "[" + "9" * 500 + "]", (), ()),
        ("[passage 1]", "[1]", (1,), ()),
        ("[Passage 1, Passage 3]", "[1][3]", (1, 3), ()),
        ("[Textstelle 2]", "[2]", (2,), ()),
        ("[source: 1.]", "[1]", (1,), ()),
        ("[passage 9]", "", (), (9,)),
        ("[passage of time] [passages]", "[passage of time] [passages]", (), ()),
        ("[1 and 3] [2 und 77]", "[1][3] [2]", (1, 3, 2), (77,)),
        ("[1 2]", "[1][2]", (1, 2), ()),
        ("[1-3]", "[1][2][3]", (1, 2, 3), ()),
        ("[1 – 2]", "[1][2]", (1, 2), ()),
        ("[2-9]", "", (), (9,)),
        ("[7-9]", "", (), (7, 9)),
        ("[3-1]", "[3][1]", (3, 1), ()),
        ("【1】［２］【9】", "[1][2]", (1, 2), (9,)),
        ("[^1] [#2] [^9]", "[1] [2] ", (1, 2), (9,)),
        ("[**9**][`9`][_9_]", "", (), (9, 9, 9)),
        ("[**1**], **[2]**", "[1], **[2]**", (1, 2), ()),
        ("[1**2**]", "", (), (12,)),
        (r"\[9\]", "\\", (), (9,)),
        ("[⁹] [①]", " [1]", (1,), (9,)),
        ("[9\u200b] [\u200e9] [9\xad] [9\x07] [9\ue000] [9\u0301]", " " * 5, (), (9,) * 6),
        ("A [1]. B [\u200b2].", "A [1]. B [2].", (1, 2), ()),
        ("na\xefve co\xadoperation", "na\xefve cooperation", (), ()),
        ("می\u200cخواهم ❤\ufe0f", "می\u200cخواهم ❤\ufe0f", (), ()),
        ("", "", (), ()),
    ],
)
def test_markers_are_kept_split_or_taken_out(
    answer: str, shown: str, cited: tuple[int, ...], unknown: tuple[int, ...]
) -> None:
    expected = (shown, tuple(sorted(cited)), unknown)
    assert through(answer) == expected
    assert through(*answer) == expected


@settings(deadline=None)
@given(answers)
@example("[9[99]9]")
@example("[1[99], [99]2]")
def test_no_marker_is_shown_that_points_at_no_passage_or_is_not_counted_as_a_citation(answer: str) -> None:
    shown, cited, _ = through(answer)
    seen = {int(number) for group in MARKER.findall(shown) for number in re.split("[,;]", group)}
    assert seen <= {1, 2, 3}
    assert seen <= set(cited)


@settings(deadline=None)
@given(answers, st.lists(st.integers(0, 40)))
def test_a_stream_shows_the_same_wherever_its_pieces_end(answer: str, cuts: list[int]) -> None:
    ends = sorted({min(cut, len(answer)) for cut in cuts} | {0, len(answer)})
    pieces = [answer[start:end] for start, end in pairwise(ends)]
    assert "".join(pieces) == answer
    assert through(*pieces) == through(answer)


@settings(deadline=None)
@given(answers, st.integers(0, 40))
def test_what_was_shown_is_never_taken_back(answer: str, cut: int) -> None:
    gate = MarkerGate(PASSAGES)
    assert through(answer)[0].startswith(gate.feed(answer[:cut]))


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="[]［］【】〔〕〖〗\ue000\ue001")).map(plain))
def test_text_without_brackets_is_let_through_at_once_and_unchanged(text: str) -> None:
    assert MarkerGate(PASSAGES).feed(text) == text


def test_the_gate_reads_what_the_screens_show() -> None:
    """Every character that `ui.inert` takes out of a text, tried between the brackets of a forged marker."""
    every = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    left = set(plain("".join(f"a{character}" for character in every)))
    hidden = [character for character in every if character not in left] + ["\ue000", "\ue001"]
    assert len(hidden) > 4_000
    for character in hidden:
        assert through(f"[9{character}]")[::2] == ("", (9,)), ascii(character)
        assert through("[", character, "9", "]")[::2] == ("", (9,)), ascii(character)


def test_only_what_may_be_a_marker_is_held_back() -> None:
    gate = MarkerGate(PASSAGES)
    assert gate.feed("Leave is 25 days [1") == "Leave is 25 days "
    assert gate.feed("] a year, [see") == "[1] a year, [see"


def test_a_long_run_of_brackets_takes_no_longer_than_it_is_long() -> None:
    shown, _, unknown = through("[" * 100_000 + "x" + "[1 " * 30_000 + "x" + "[9" * 300 + "]" * 300)
    assert shown.startswith("[[[")
    assert set(unknown) == {9}


@pytest.mark.parametrize("piece", ["1 ", "1-1, ", "1 and ", "passage", "p", "*", " ", "[1]e", "[e p"])
def test_what_may_be_a_marker_is_read_in_linear_time(piece: str) -> None:
    assert_linear(lambda text: through(f"[{text}-]"), piece.__mul__, 4_000)


def test_markers_mean_nothing_without_passages() -> None:
    gate = MarkerGate(())
    assert gate.feed("a [1] b") + gate.finish() == "a  b"
    assert (gate.citations, gate.unknown_markers) == ((), (1,))


def test_an_earlier_answer_loses_its_markers() -> None:
    assert without_markers("25 days [1], or 30 [2, 3][ 4 ]. See [a].") == "25 days , or 30 . See [a]."


@settings(deadline=None)
@given(answers)
def test_a_document_cannot_bring_markers_of_its_own(text: str) -> None:
    quoted = in_round_brackets(text)
    assert not MARKER.search(quoted)
    brackets = str.maketrans("()【】", "[][]", "\u200b\xad")
    assert "".join(quoted.translate(brackets).split()) == "".join(text.translate(brackets).split())


@settings(deadline=None)
@given(answers)
def test_the_gate_changes_nothing_of_a_documents_text_in_round_brackets(text: str) -> None:
    quoted = in_round_brackets(text)
    assert through(quoted) == (quoted, (), ())


def test_a_documents_own_references_stay_readable() -> None:
    assert in_round_brackets("as shown in [4] and [5, 6]") == "as shown in (4) and (5, 6)"
    assert in_round_brackets("as in [1-3], [Fonte 2] and [4\u200b]") == "as in (1-3), (Fonte 2) and (4)"
