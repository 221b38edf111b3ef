"""Thinking is taken out of an answer wherever the pieces are cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.inference.thinking import strip_thinking


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Ten years.", "Ten years."),
        ("<think>Let me see.</think>\n\nTen years.", "Ten years."),
        ("\n<think>\n\n</think>\n\nTen years.", "Ten years."),
        ("<think>a < b and </thin and <think></think>Ten", "Ten"),
        ("<think>cut off in the middle", ""),
        ("<thinking is hard>", "<thinking is hard>"),
        ("<thi", "<thi"),
        ("<", "<"),
        ("", ""),
        ("  \n ", ""),
        ("The tag <think>is quoted</think> here.", "The tag <think>is quoted</think> here."),
        ("<think>a</think>b<think>c</think>", "b<think>c</think>"),
        ("Ten years. \n", "Ten years. \n"),
    ],
)
@given(data=st.data())
def test_the_answer_is_the_same_however_the_stream_is_cut(text: str, answer: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=len(text))))
    edges = [0, *cuts, len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert "".join(strip_thinking(pieces)) == answer


def test_pieces_of_an_answer_are_handed_on_at_once() -> None:
    taken: list[str] = []

    def source() -> Iterator[str]:
        for piece in ("<think>", "hm", "</think>", "Ten", " years", "."):
            taken.append(piece)
            yield piece

    pieces = strip_thinking(source())
    assert next(pieces) == "Ten"
    assert taken[-1] == "Ten"
    assert next(pieces) == " years"
    assert taken[-1] == " years"
