from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ConfigurationError
from appliance.ldap import ber, filters


def test_a_written_filter_is_what_goes_over_the_wire() -> None:
    written = filters.parsed("(&(objectClass=person)(|(uid=anna)(cn=b\\2aris))(!(mail=*)))")
    built = filters.all_of(
        filters.equal("objectClass", "person"),
        filters.any_of([filters.equal("uid", "anna"), filters.equal("cn", "b*ris")]),
        filters.Filter(ber.element(0xA2, filters.present("mail"))),
    )
    assert written == built


def test_substrings_comparisons_and_rules_are_written_as_the_rfc_says() -> None:
    pieces = ber.element(ber.SEQUENCE, b"\x80\x01a", b"\x81\x01b", b"\x82\x01c")
    assert filters.parsed("(cn=a*b*c)") == ber.element(0xA4, ber.text("cn"), pieces)
    assert filters.parsed("(uidNumber>=10)")[0] == 0xA5
    assert filters.parsed("(uidNumber<=10)")[0] == 0xA6
    assert filters.parsed("(cn~=anna)")[0] == 0xA8
    assert filters.parsed("(memberOf:1.2.840.113556.1.4.1941:=cn=a,dc=b)")[0] == 0xA9


@given(st.text(max_size=60))
def test_whatever_is_typed_stays_one_value(typed: str) -> None:
    (tag, content), *rest = ber.elements(filters.equal("uid", typed))
    attribute, value = (part for _, part in ber.elements(content))
    assert (tag, attribute, value, rest) == (0xA3, b"uid", typed.encode(), [])


@pytest.mark.parametrize(
    "text", ["", "uid=a", "(uid=a", "(uid=a))", "(&)", "(!(a=b)(c=d))", "(uid=a(b)", "(=a)", "(uid=\\zz)", "(" * 60]
)
def test_a_filter_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigurationError, match="RFC 4515"):
        filters.parsed(text)
