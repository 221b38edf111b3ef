"""Names of a directory: one however it is written, and never another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.ldap.names import compared

PARTS = st.lists(
    st.tuples(st.sampled_from(["cn", "ou", "DC"]), st.text("ab,+\\ ßſ\u212aÄ=#;\"'0", min_size=1, max_size=6)),
    min_size=1,
    max_size=4,
)


def _escaped(value: str) -> str:
    return "".join(f"\\{sign}" if sign in ' ,+"\\<>;#=' else sign for sign in value)


def _in_hexadecimal(value: str) -> str:
    return "".join(f"\\{byte:02X}" for byte in value.encode())


def _written(parts: list[tuple[str, str]]) -> str:
    return ",".join(f"{attribute}={_escaped(value)}" for attribute, value in parts)


@given(PARTS)
def test_a_name_is_the_same_however_it_is_escaped_spaced_and_capitalised(parts: list[tuple[str, str]]) -> None:
    otherwise = " , ".join(f"{attribute.swapcase()} = {_in_hexadecimal(value)}" for attribute, value in parts)
    assert compared(_written(parts)) == compared(otherwise) is not None


@given(PARTS, PARTS)
def test_two_names_are_never_taken_for_one(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    def plain(parts: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
        return [(attribute, value.replace("Ä", "ä").split(" ")) for attribute, value in parts]

    if compared(_written(one)) == compared(_written(other)):
        told = [[(name, [word for word in words if word]) for name, words in plain(parts)] for parts in (one, other)]
        assert told[0] == told[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"cn=a\, b,dc=x", "cn=a,b=b,dc=x"),
        (r"cn=a\, b,dc=x", r"cn=a\,b,dc=x"),
        ("cn=Straße,dc=x", "cn=Strasse,dc=x"),
        ("cn=\u212aings,dc=x", "cn=kings,dc=x"),
        (r"cn=a\+ou=b,dc=x", "cn=a+ou=b,dc=x"),
        ("cn=a+ou=b,dc=x", "cn=a,ou=b,dc=x"),
        (r"cn=\FF,dc=x", r"cn=\\xff,dc=x"),
    ],
)
def test_what_differs_stays_apart(one: str, other: str) -> None:
    assert compared(one) is not None and compared(one) != compared(other)


def test_what_is_joined_is_in_no_order() -> None:
    assert compared("cn=a+uid=b,dc=x") == compared("UID=B + CN=A, DC=X") is not None


@pytest.mark.parametrize(
    "text", ["", "rag-finance", "Finance, Ops", "cn=a,", "cn=a\\", 'cn="a",dc=x', "=a", "cn=a,,dc=x"]
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert compared(text) is None
