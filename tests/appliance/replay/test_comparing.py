"""Two answers, word by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.replay.comparing import compared
from appliance.replay.outcome import Change

texts = st.text(st.sampled_from("ab \n\t[1].é"), max_size=40)


@given(texts, texts)
def test_both_answers_can_be_read_from_the_comparison(then: str, now: str) -> None:
    pieces = compared(then, now, is_hidden=False)
    assert "".join(piece.text for piece in pieces if piece.change is not Change.NEW) == then
    assert "".join(piece.text for piece in pieces if piece.change is not Change.GONE) == now


@given(texts, texts)
def test_what_is_hidden_leaves_the_answer_on_record_and_no_word_of_the_other(then: str, now: str) -> None:
    pieces = compared(then, now, is_hidden=True)
    assert "".join(piece.text for piece in pieces) == then
    assert sum(piece.words for piece in pieces if piece.change is Change.NEW) == sum(
        piece.words for piece in compared(then, now, is_hidden=False) if piece.change is Change.NEW
    )
