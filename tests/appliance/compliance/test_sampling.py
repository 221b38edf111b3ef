"""Which answers a rule draws: the share it names, the same ones every time, and nobody can tell which beforehand."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from appliance.compliance.sampling import WHOLE, Rule
from appliance.domain import Selects, document_id, is_of_source

RULE = Rule("r1", Selects.ALL, "", 500, bytes(range(32)), since=10, until=None)
LEAVES = [hashlib.sha256(str(number).encode()).digest() for number in range(20_000)]


def test_a_rule_draws_the_share_it_names() -> None:
    for share, least, most in ((WHOLE, 20_000, 20_000), (500, 900, 1_100), (1, 0, 10)):
        drawn = sum(replace(RULE, share=share).draws(leaf) for leaf in LEAVES)
        assert least <= drawn <= most, share


def test_it_draws_the_same_again_and_another_secret_draws_others() -> None:
    drawn = [leaf for leaf in LEAVES if RULE.draws(leaf)]
    assert [leaf for leaf in LEAVES if RULE.draws(leaf)] == drawn
    other = {leaf for leaf in LEAVES if replace(RULE, secret=bytes(32)).draws(leaf)}
    assert len(other & set(drawn)) < 120  # 50 of 1,000 by chance


def test_a_larger_share_draws_all_that_a_smaller_one_drew() -> None:
    assert all(replace(RULE, share=1_000).draws(leaf) for leaf in LEAVES if RULE.draws(leaf))


def test_a_rule_acts_between_its_two_entries() -> None:
    ended = replace(RULE, until=20)
    assert [seq for seq in (9, 10, 11, 19, 20, 21) if ended.is_in_force(seq)] == [11, 19]
    assert RULE.is_in_force(10**9)


def test_a_rule_looks_at_what_it_selects() -> None:
    any_flag, one_flag = (
        replace(RULE, selects=Selects.FLAG),
        replace(RULE, selects=Selects.FLAG, subject="low_grounding"),
    )
    of_source = replace(RULE, selects=Selects.SOURCE, subject="s1")
    assert RULE.looks_at((), ())
    assert [any_flag.looks_at(flags, ()) for flags in ((), ("abstained",))] == [False, True]
    assert [one_flag.looks_at(flags, ()) for flags in (("abstained",), ("low_grounding",))] == [False, True]
    assert [of_source.looks_at((), sources) for sources in ((), ("s2",), ("s1", "s2"))] == [False, False, True]


def test_a_secret_gets_into_no_message() -> None:
    assert "secret" not in repr(RULE)
    assert str(bytes(range(32))) not in repr(RULE)


@pytest.mark.parametrize(("path", "member"), [("a/b.txt", ""), ("mail › odd.zip", "x.txt"), ("a.zip", "b.eml › c.txt")])
def test_a_document_tells_which_source_it_is_of(path: str, member: str) -> None:
    shown = f"{path} › {member}" if member else path
    assert is_of_source(document_id("s1", path, member), "s1", shown)
    assert not is_of_source(document_id("s1", path, member), "s2", shown)
    assert not is_of_source(document_id("s1", path, member), "s1", f"{shown}x")
