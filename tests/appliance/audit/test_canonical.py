"""The canonical form: one text for one value, and any text at all can be recorded."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.audit import canonical

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=40)


def test_the_form_is_fixed() -> None:
    value = {"b": [1, None, True, 0.5], "a": 'ä\n\x00"\\/😀'}
    assert canonical.to_bytes(value) == '{"a":"ä\\n\\u0000\\"\\\\/😀","b":[1,null,true,0.5]}'.encode()


def test_a_lone_surrogate_is_written_as_its_escape_and_a_pair_as_its_character() -> None:
    assert canonical.to_bytes({"a": "\ud800"}) == b'{"a":"\\ud800"}'
    assert canonical.to_bytes({"a": "\ud83d\ude00\ude00"}) == '{"a":"😀\\ude00"}'.encode()


@given(text=ANY_TEXT)
def test_every_text_is_valid_utf8_and_comes_back_as_the_same_characters(text: str) -> None:
    data = canonical.to_bytes({"text": text})
    back = json.loads(data.decode("utf-8"))["text"]
    assert back.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")
    assert canonical.to_bytes({"text": back}) == data


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_as_the_same_float(number: float) -> None:
    assert canonical.from_bytes(canonical.to_bytes({"n": number}))["n"] == number


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_and_infinity_have_no_form(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical.to_bytes({"n": number})


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{", b'"text"', b"[" * 100_000])
def test_what_is_not_an_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        canonical.from_bytes(data)
