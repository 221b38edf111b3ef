from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.ldap import ber


@given(st.lists(st.binary(max_size=400), max_size=5))
def test_what_was_written_is_read_again(contents: list[bytes]) -> None:
    written = b"".join(ber.text(content) for content in contents)
    assert list(ber.elements(written)) == [(ber.OCTET_STRING, content) for content in contents]


@given(st.integers(min_value=-(2**31), max_value=2**31))
def test_a_number_is_read_as_it_was_written(value: int) -> None:
    assert ber.number(ber.take(ber.elements(ber.integer(value)), ber.INTEGER)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        read = list(ber.elements(data))
    except ber.Malformed:
        return
    assert sum(len(content) for _, content in read) <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x04",
        b"\x04\x05ab",
        b"\x04\x80",
        b"\x04\x85\x00\x00\x00\x00\x01a",
        b"\x04\x82\x01",
        b"\x04\x84\xff\xff\xff\xff",
    ],
    ids=["no length", "too long", "indefinite", "five bytes of length", "cut within the length", "four gigabytes"],
)
def test_a_length_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(ber.Malformed):
        list(ber.elements(data))


def test_an_element_of_another_kind_is_refused() -> None:
    with pytest.raises(ber.Malformed):
        ber.take(ber.elements(ber.text("a")), ber.INTEGER)
    with pytest.raises(ber.Malformed):
        ber.take(ber.elements(b""), ber.INTEGER)
    with pytest.raises(ber.Malformed):
        ber.number(b"")
