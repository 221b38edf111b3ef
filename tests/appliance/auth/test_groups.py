"""A group is written in one way: a second way is refused where somebody gives it, and nothing is folded silently."""

from __future__ import annotations

import pytest

from appliance.auth.accounts import Accounts
from appliance.auth.groups import groups_in_use, require_one_spelling, written_differently
from appliance.catalog import Catalog
from appliance.database import Database
from appliance.domain import EVERYONE, Source
from appliance.errors import InvalidRequest

from .conftest import Staff


@pytest.mark.parametrize(
    ("wanted", "in_use"),
    [
        (["HR"], ["hr"]),
        (["hr", "HR"], []),
        (["Everyone"], [EVERYONE]),
        (["STRASSE"], ["Straße"]),
        (["Cafe\u0301"], ["caf\u00e9"]),
    ],
)
def test_another_spelling_of_a_group_is_refused_with_the_one_to_write(wanted: list[str], in_use: list[str]) -> None:
    with pytest.raises(InvalidRequest, match=f"Write '{(in_use or wanted)[0]}'"):
        require_one_spelling(wanted, in_use)


def test_names_as_they_are_in_use_and_new_ones_are_taken() -> None:
    require_one_spelling(["hr", "hr", "finance"], ["hr"])
    require_one_spelling(["HR", "hr"], ["hr", "HR"])  # from before: what stands can be given up step by step


def test_groups_in_use_are_those_of_people_sources_and_documents(
    database: Database, accounts: Accounts, staff: Staff
) -> None:
    catalog = Catalog(database)
    catalog.add_source(Source("s-1", "Papers", "/srv/papers", frozenset({"Legal", "board"})))
    in_use = groups_in_use(accounts, catalog)
    assert in_use == {*staff.clerk.groups, "Legal", "board", EVERYONE}
    assert written_differently(in_use) == [["Legal", "legal"]]
