"""Labels: groups and levels decided by one comparison, and never more for anybody than both halves allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import EVERYONE, access_of
from appliance.labels import NO_LEVEL, Levels, groups_in, is_name, label, level_in

LEVELS = Levels(of_groups={"board": "secret", "interns": "public"})
GROUPS = st.frozensets(st.sampled_from(["a", "b", "c", EVERYONE]), max_size=4)
NO_GROUPS: frozenset[str] = frozenset()
ANY_LEVEL = st.sampled_from([NO_LEVEL, *LEVELS.names, "long gone"])


def _height(level: str) -> int:
    named = level or LEVELS.of_documents
    return LEVELS.names.index(named) if named in LEVELS.names else 99


@given(GROUPS, st.sampled_from(LEVELS.names), GROUPS, ANY_LEVEL)
def test_a_reader_is_admitted_if_a_group_is_theirs_and_their_clearance_reaches_the_level(
    mine: frozenset[str], clearance: str, theirs: frozenset[str], level: str
) -> None:
    access = access_of(mine, LEVELS.up_to(clearance))
    expected = bool((mine | {EVERYONE}) & theirs) and _height(level) <= _height(clearance)
    assert access.admits(label(theirs, level)) is expected


@given(GROUPS, ANY_LEVEL, GROUPS, ANY_LEVEL, GROUPS, st.sampled_from(LEVELS.names))
def test_what_two_labels_have_in_common_admits_nobody_whom_one_of_them_does_not(
    one: frozenset[str], at: str, other: frozenset[str], then: str, mine: frozenset[str], clearance: str
) -> None:
    held, wanted, reader = label(one, at), label(other, then), access_of(mine, LEVELS.up_to(clearance))
    common = LEVELS.common(held, wanted)
    assert not reader.admits(common) or (reader.admits(held) and reader.admits(wanted))
    for_all = (one if EVERYONE in other else NO_GROUPS) | (other if EVERYONE in one else NO_GROUPS)
    assert groups_in(common) == one & other | for_all  # and nobody is shut out for longer than it takes


def test_raising_a_level_takes_the_document_only_from_those_who_are_not_cleared() -> None:
    assert LEVELS.common(label({"hr", "law"}), label({"hr"}, "secret")) == label({"hr"}, "secret")
    assert LEVELS.common(label({"hr"}, "secret"), label({"hr"})) == label({"hr"}, "secret")


def test_a_clearance_is_ones_own_or_the_highest_of_the_default_and_ones_groups() -> None:
    assert LEVELS.clearance("", ()) == "internal"
    assert LEVELS.clearance("", ("board", "interns")) == "secret"
    assert LEVELS.clearance("", ("interns",)) == "internal"
    assert LEVELS.clearance("public", ("board",)) == "public"


def test_a_clearance_that_is_no_level_any_more_reaches_nothing() -> None:
    assert LEVELS.up_to("long gone") == frozenset()
    assert not access_of(frozenset({"hr"}), LEVELS.up_to("long gone")).groups


def test_documents_without_a_level_have_the_default_one() -> None:
    assert NO_LEVEL not in LEVELS.up_to("public")
    assert NO_LEVEL in LEVELS.up_to("internal")
    assert LEVELS.of(label({"hr"})) == "internal"
    assert LEVELS.of(label({"hr"}, "secret")) == "secret"
    assert LEVELS.of(label({"hr"}, "confidential") | label({"all"}, "public")) == "confidential"


def test_what_is_exported_stops_at_a_level_and_is_never_more_than_the_reader_reaches() -> None:
    capped = Levels(export_up_to="public")
    assert capped.exported(capped.up_to("secret")) == {"public"}
    assert capped.exported(frozenset()) == frozenset()
    assert LEVELS.exported(LEVELS.up_to("secret")) == LEVELS.up_to("secret")


@pytest.mark.parametrize("name", ["", " ", "hr\x1fsecret", "a\u202eb", "a\nb"])
def test_what_could_pass_for_a_level_is_no_name_of_a_group(name: str) -> None:
    assert not is_name(name)


def test_a_label_tells_its_groups_and_its_level() -> None:
    both = label({"hr", "law"}, "secret")
    assert (groups_in(both), level_in(both)) == ({"hr", "law"}, "secret")
    assert (groups_in(frozenset()), level_in(frozenset())) == (frozenset(), NO_LEVEL)
