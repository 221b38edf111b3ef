"""Characters that arrive in halves."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.inference.wire import whole_characters


def test_a_character_in_two_pieces_is_joined() -> None:
    assert "".join(whole_characters(["at \ud83d", "\ude00 it"])) == "at \U0001f600 it"


def test_a_half_without_its_other_half_is_replaced() -> None:
    for pieces in (["a\ud83d"], ["\ude00b"], ["\ud83d", "x"], ["\ud83d", "\ud83d", "\ude00"]):
        text = "".join(whole_characters(pieces))
        assert "\ufffd" in text
        text.encode("utf-8")


@settings(deadline=None)
@given(st.text(), st.lists(st.integers(0, 60), max_size=5))
def test_whole_text_comes_through_however_it_is_cut(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert "".join(whole_characters(pieces)) == text
